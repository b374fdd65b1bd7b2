{{- define "hollowtrees.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "hollowtrees.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "hollowtrees.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The workers there are: program and name, by their key in the values. */}}
{{- define "hollowtrees.workers" -}}
agent: agent
router: router
drain: drain
asgSwap: asg-swap
lifecycle: lifecycle
metrics: metrics
gateway: gateway
recommender: recommender
{{- end -}}

{{/* From here on the argument is a dictionary: root (the chart's own `.`), key (the worker's in the values, or busApply),
name (what it is called), and values (its part of them). */}}
{{- define "hollowtrees.fullnameOf" -}}
{{- printf "%s-%s" (include "hollowtrees.fullname" .root) .name -}}
{{- end -}}

{{- define "hollowtrees.selector" -}}
app.kubernetes.io/name: {{ include "hollowtrees.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .name }}
{{- end -}}

{{/* `part-of` is what the drain worker knows its own pods by: they go last. */}}
{{- define "hollowtrees.labels" -}}
{{ include "hollowtrees.selector" . }}
app.kubernetes.io/part-of: hollowtrees
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "hollowtrees.serviceAccount" -}}
{{- $account := .values.serviceAccount | default dict -}}
{{- if $account.name -}}{{ $account.name }}
{{- else if or $account.create (eq .key "busApply") -}}{{ include "hollowtrees.fullnameOf" . }}
{{- else -}}default
{{- end -}}
{{- end -}}

{{- define "hollowtrees.image" -}}
{{- $image := .root.Values.image -}}
{{- $program := eq .key "busApply" | ternary "cli" .name -}}
{{- .values.image | default (printf "%s/%s:%s" $image.repository $program ($image.tag | default .root.Chart.AppVersion)) -}}
{{- end -}}

{{- define "hollowtrees.cluster" -}}
{{- required "cluster.name is empty; name this cluster as its notices and actions carry it" .Values.cluster.name -}}
{{- end -}}

{{/* `nats` with what this one has of its own. */}}
{{- define "hollowtrees.nats" -}}
{{- mergeOverwrite (deepCopy .root.Values.nats) (deepCopy (.values.nats | default dict)) | toJson -}}
{{- end -}}
