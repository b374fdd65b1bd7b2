{{/* A value of TOML. Strings are written as in JSON, which TOML reads the same; whole numbers without a point, which is
how Helm hands them on. */}}
{{- define "hollowtrees.tomlValue" -}}
{{- if kindIs "float64" . -}}
{{- if eq . (floor .) }}{{ int64 . }}{{ else }}{{ . }}{{ end -}}
{{- else if kindIs "slice" . -}}
[{{ range $i, $item := . }}{{ if $i }}, {{ end }}{{ include "hollowtrees.tomlValue" $item }}{{ end }}]
{{- else -}}
{{ toJson . }}
{{- end -}}
{{- end -}}

{{/* A table of TOML, plain keys first. `table`, and `path` with its dot; keys without a value are left out. */}}
{{- define "hollowtrees.tomlTable" -}}
{{- $path := .path -}}
{{- range $key, $value := .table -}}
{{- if not (or (kindIs "map" $value) (kindIs "invalid" $value)) }}
{{ $key }} = {{ include "hollowtrees.tomlValue" $value }}
{{- end -}}
{{- end -}}
{{- range $key, $value := .table -}}
{{- if and (kindIs "map" $value) $value }}
[{{ $path }}{{ $key }}]
{{- include "hollowtrees.tomlTable" (dict "table" $value "path" (printf "%s%s." $path $key)) }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* `[nats]`; user, password and token come by the environment. */}}
{{- define "hollowtrees.natsSection" -}}
{{- $nats := include "hollowtrees.nats" . | fromJson -}}
{{- $urls := kindIs "slice" $nats.url | ternary $nats.url (list $nats.url) | compact -}}
{{- if not $urls }}{{ fail "nats.url is empty; name at least one server, such as nats://nats.nats.svc:4222" }}{{ end -}}
{{- $tls := dict "required" $nats.tls.required "first" $nats.tls.first -}}
{{- if $nats.tls.existingSecret -}}
{{- range $key, $file := dict "ca" $nats.tls.caKey "cert" $nats.tls.certKey "key" $nats.tls.keyKey -}}
{{- if $file }}{{ $_ := set $tls $key (printf "/var/run/secrets/hollowtrees/tls/%s" $file) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- $section := dict "url" $urls "tls" $tls -}}
{{- if $nats.inboxPrefix }}{{ $_ := set $section "inbox_prefix" $nats.inboxPrefix }}{{ end -}}
{{- if $nats.auth.existingSecret -}}
{{- $path := "/var/run/secrets/hollowtrees/nats/" -}}
{{- if eq $nats.auth.kind "credentials" }}{{ $_ := set $section "credentials" (print $path $nats.auth.credentialsKey) }}{{ end -}}
{{- if eq $nats.auth.kind "nkey" }}{{ $_ := set $section "nkey" (print $path $nats.auth.nkeyKey) }}{{ end -}}
{{- end -}}
{{- toJson $section -}}
{{- end -}}

{{/* The configuration: what the chart knows, `config`, and the worker's own `config`, each beating the one before. */}}
{{- define "hollowtrees.settings" -}}
{{- $config := dict "nats" (include "hollowtrees.natsSection" . | fromJson) -}}
{{- if ne .key "busApply" -}}
{{- $_ := set $config "health" (dict "listen" (printf "0.0.0.0:%d" (int .values.port))) -}}
{{- $grace := sub (int .values.terminationGracePeriodSeconds) 5 -}}
{{- $_ := set $config "shutdown" (dict "grace" (printf "%ds" $grace)) -}}
{{- end -}}
{{- if eq .key "agent" -}}
{{- $_ := set $config "cluster" (include "hollowtrees.cluster" .root) -}}
{{- with .values.cordonWhenCutOff }}{{ $_ := set $config "cordon" (dict "when_cut_off" .) }}{{ end -}}
{{- with .values.spool.volume }}{{ $_ := set $config "spool" (dict "directory" "/var/lib/hollowtrees") }}{{ end -}}
{{- end -}}
{{- if eq .key "drain" }}{{ $_ := set $config "cluster" (dict "name" (include "hollowtrees.cluster" .root)) }}{{ end -}}
{{- if eq .key "gateway" -}}
{{- $values := .values -}}
{{- $http := dict "listen" "0.0.0.0:9191" -}}
{{- with $values.tls -}}
{{- if .existingSecret -}}
{{- $path := "/var/run/secrets/hollowtrees/gateway/" -}}
{{- $tls := dict "cert" (print $path .certKey) "key" (print $path .keyKey) -}}
{{- if .clientCaKey }}{{ $_ := set $tls "client_ca" (print $path .clientCaKey) }}{{ $_ := set $tls "client_required" true }}{{ end -}}
{{- $_ := set $http "tls" $tls -}}
{{- end -}}
{{- $off := eq (dig "http" "enabled" true ($values.config | default dict)) false -}}
{{- if not (or $off $values.auth.existingSecret (and .existingSecret .clientCaKey)) -}}
{{- fail "gateway.auth.existingSecret is empty: anybody in the cluster could speak for any instance; name a secret with the clients" -}}
{{- end -}}
{{- end -}}
{{- $_ := set $config "http" $http -}}
{{- if .root.Values.cluster.name }}{{ $_ := set $config "cluster" .root.Values.cluster.name }}{{ end -}}
{{- if and $values.auth.existingSecret $values.auth.clientsKey -}}
{{- $_ := set $config "auth" (dict "clients" (print "/var/run/secrets/hollowtrees/clients/" $values.auth.clientsKey)) -}}
{{- end -}}
{{- end -}}
{{- if eq .key "recommender" -}}
{{- $values := .values -}}
{{- $http := dict "listen" "0.0.0.0:9192" -}}
{{- with $values.tls -}}
{{- if .existingSecret -}}
{{- $path := "/var/run/secrets/hollowtrees/recommender/" -}}
{{- $tls := dict "cert" (print $path .certKey) "key" (print $path .keyKey) -}}
{{- if .clientCaKey }}{{ $_ := set $tls "client_ca" (print $path .clientCaKey) }}{{ $_ := set $tls "client_required" true }}{{ end -}}
{{- $_ := set $http "tls" $tls -}}
{{- end -}}
{{- end -}}
{{- $_ := set $config "http" $http -}}
{{- with $values.files -}}
{{- if .existingConfigMap -}}
{{- $path := "/etc/hollowtrees/recommender/" -}}
{{- $sources := dict -}}
{{- if .onDemandKey }}{{ $_ := set $sources "on_demand" (print $path .onDemandKey) }}{{ end -}}
{{- if .advisorKey }}{{ $_ := set $sources "advisor" (print $path .advisorKey) }}{{ end -}}
{{- $_ := set $config "sources" $sources -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and (eq .key "router") (or .values.rules .values.existingRules) -}}
{{- $_ := set $config "rules" (dict "file" "/etc/hollowtrees/rules/rules.yaml") -}}
{{- end -}}
{{- $shared := eq .key "busApply" | ternary (pick .root.Values.config "nats") .root.Values.config -}}
{{- $config = mergeOverwrite $config (deepCopy $shared) (deepCopy (.values.config | default dict)) -}}
{{- /* Whose nodes are waited for has to be known. */ -}}
{{- $waits := dig "swap" "wait_for_node" "" $config | toString | regexMatch "[1-9]" -}}
{{- if and (eq .key "asgSwap") $waits (not (dig "cluster" "name" "" $config)) -}}
{{- $config = mergeOverwrite $config (dict "cluster" (dict "name" (include "hollowtrees.cluster" .root))) -}}
{{- end -}}
{{- toJson $config -}}
{{- end -}}

{{/* The configuration file. */}}
{{- define "hollowtrees.config" -}}
{{- include "hollowtrees.tomlTable" (dict "table" (include "hollowtrees.settings" . | fromJson) "path" "") | trim -}}
{{- end -}}

{{/* Whether it talks to the API server with the rights of its pod: "true" or "false". */}}
{{- define "hollowtrees.talksToApiServer" -}}
{{- if eq .key "drain" -}}true
{{- else if eq .key "agent" -}}{{ not (empty .values.cordonWhenCutOff) }}
{{- else if has .key (list "asgSwap" "lifecycle") -}}
{{- $cluster := dig "cluster" (dict) (include "hollowtrees.settings" . | fromJson) -}}
{{- and (not (empty $cluster.name)) (empty $cluster.kubeconfig) -}}
{{- else -}}false
{{- end -}}
{{- end -}}
