{{/* A pod template: `args` where the program takes some, `spec` for what differs. */}}
{{- define "hollowtrees.podTemplate" -}}
{{- $nats := include "hollowtrees.nats" . | fromJson -}}
{{- $auth := $nats.auth -}}
{{- $job := eq .key "busApply" -}}
{{- $rules := and (eq .key "router") (or .values.rules .values.existingRules) -}}
metadata:
  labels:
    {{- include "hollowtrees.labels" . | nindent 4 }}
  annotations:
    checksum/config: {{ include "hollowtrees.config" . | sha256sum }}
    {{- if and .root.Values.monitoring.annotations (not $job) }}
    prometheus.io/scrape: "true"
    prometheus.io/port: {{ .values.port | quote }}
    prometheus.io/path: /metrics
    {{- end }}
    {{- with .values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "hollowtrees.serviceAccount" . }}
  # Only who talks to the API server has a token: the drain worker, the swap worker where it waits for nodes, and the agent
  # where it may cordon its own.
  automountServiceAccountToken: {{ include "hollowtrees.talksToApiServer" . }}
  # Variables that a service named `ht` would bring are no configuration.
  enableServiceLinks: false
  {{- if eq .key "agent" }}
  hostNetwork: true
  dnsPolicy: ClusterFirstWithHostNet
  {{- end }}
  {{- if $job }}
  restartPolicy: OnFailure
  {{- else }}
  terminationGracePeriodSeconds: {{ .values.terminationGracePeriodSeconds }}
  {{- end }}
  {{- with .values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with .root.Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    seccompProfile:
      type: RuntimeDefault
  {{- with .values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if and (not $job) (ne .key "agent") }}
  # Apart from each other where there is room: no two on one node or in one zone that goes.
  topologySpreadConstraints:
    {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
    - maxSkew: 1
      topologyKey: {{ . }}
      whenUnsatisfiable: ScheduleAnyway
      matchLabelKeys: [pod-template-hash]
      labelSelector:
        matchLabels:
          {{- include "hollowtrees.selector" $ | nindent 10 }}
    {{- end }}
  {{- end }}
  containers:
    - name: {{ .name }}
      image: {{ include "hollowtrees.image" . }}
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      {{- with .args }}
      args:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      env:
        - name: HT_CONFIG
          value: /etc/hollowtrees/config/config.toml
        {{- if eq .key "agent" }}
        - name: HT_NODE
          valueFrom:
            fieldRef:
              fieldPath: spec.nodeName
        {{- end }}
        {{- if $auth.existingSecret }}
        {{- if eq $auth.kind "password" }}
        - name: HT_NATS__USER
          valueFrom:
            secretKeyRef:
              name: {{ $auth.existingSecret }}
              key: {{ $auth.userKey }}
        - name: HT_NATS__PASSWORD
          valueFrom:
            secretKeyRef:
              name: {{ $auth.existingSecret }}
              key: {{ $auth.passwordKey }}
        {{- else if eq $auth.kind "token" }}
        - name: HT_NATS__TOKEN
          valueFrom:
            secretKeyRef:
              name: {{ $auth.existingSecret }}
              key: {{ $auth.tokenKey }}
        {{- end }}
        {{- end }}
        {{- if and (eq .key "gateway") .values.auth.existingSecret }}
        {{- range $variable, $key := dict "HT_AUTH__TOKEN" .values.auth.tokenKey "HT_AUTH__JWT__KEY" .values.auth.jwtKey }}
        {{- if $key }}
        - name: {{ $variable }}
          valueFrom:
            secretKeyRef:
              name: {{ $.values.auth.existingSecret }}
              key: {{ $key }}
        {{- end }}
        {{- end }}
        {{- end }}
        {{- if and (eq .key "recommender") .values.auth.existingSecret }}
        - name: HT_HTTP__TOKEN
          valueFrom:
            secretKeyRef:
              name: {{ .values.auth.existingSecret }}
              key: {{ .values.auth.tokenKey }}
        {{- end }}
        {{- with .values.env }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- if not $job }}
      ports:
        - name: http
          containerPort: {{ .values.port }}
        {{- if eq .key "gateway" }}
        - name: sources
          containerPort: 9191
        {{- end }}
        {{- if eq .key "recommender" }}
        - name: api
          containerPort: 9192
        {{- end }}
      livenessProbe:
        httpGet:
          path: /livez
          port: http
        periodSeconds: 10
        timeoutSeconds: 3
        failureThreshold: 6
      readinessProbe:
        httpGet:
          path: /readyz
          port: http
        periodSeconds: 5
        timeoutSeconds: 3
      {{- end }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities:
          drop: [ALL]
      {{- with .values.resources }}
      resources:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      volumeMounts:
        - name: config
          mountPath: /etc/hollowtrees/config
          readOnly: true
        {{- if $rules }}
        - name: rules
          mountPath: /etc/hollowtrees/rules
          readOnly: true
        {{- end }}
        {{- if and $auth.existingSecret (has $auth.kind (list "credentials" "nkey")) }}
        - name: nats
          mountPath: /var/run/secrets/hollowtrees/nats
          readOnly: true
        {{- end }}
        {{- if $nats.tls.existingSecret }}
        - name: tls
          mountPath: /var/run/secrets/hollowtrees/tls
          readOnly: true
        {{- end }}
        {{- if and (eq .key "agent") .values.spool.volume }}
        - name: spool
          mountPath: /var/lib/hollowtrees
        {{- end }}
        {{- if eq .key "gateway" }}
        {{- if and .values.auth.existingSecret .values.auth.clientsKey }}
        - name: clients
          mountPath: /var/run/secrets/hollowtrees/clients
          readOnly: true
        {{- end }}
        {{- if .values.tls.existingSecret }}
        - name: gateway
          mountPath: /var/run/secrets/hollowtrees/gateway
          readOnly: true
        {{- end }}
        {{- end }}
        {{- if eq .key "recommender" }}
        {{- if .values.files.existingConfigMap }}
        - name: files
          mountPath: /etc/hollowtrees/recommender
          readOnly: true
        {{- end }}
        {{- if .values.tls.existingSecret }}
        - name: recommender
          mountPath: /var/run/secrets/hollowtrees/recommender
          readOnly: true
        {{- end }}
        {{- end }}
  volumes:
    - name: config
      configMap:
        name: {{ include "hollowtrees.fullnameOf" . }}
    {{- if $rules }}
    - name: rules
      configMap:
        name: {{ .values.existingRules | default (printf "%s-rules" (include "hollowtrees.fullnameOf" .)) }}
    {{- end }}
    {{- if and $auth.existingSecret (has $auth.kind (list "credentials" "nkey")) }}
    - name: nats
      secret:
        secretName: {{ $auth.existingSecret }}
        defaultMode: 288 # 0440
        items:
          {{- $file := eq $auth.kind "nkey" | ternary $auth.nkeyKey $auth.credentialsKey }}
          - key: {{ $file }}
            path: {{ $file }}
    {{- end }}
    {{- if $nats.tls.existingSecret }}
    - name: tls
      secret:
        secretName: {{ $nats.tls.existingSecret }}
        defaultMode: 288 # 0440
        items:
          {{- range compact (list $nats.tls.caKey $nats.tls.certKey $nats.tls.keyKey) }}
          - key: {{ . }}
            path: {{ . }}
          {{- end }}
    {{- end }}
    {{- if and (eq .key "agent") .values.spool.volume }}
    - name: spool
      {{- toYaml .values.spool.volume | nindent 6 }}
    {{- end }}
    {{- if eq .key "gateway" }}
    {{- if and .values.auth.existingSecret .values.auth.clientsKey }}
    - name: clients
      secret:
        secretName: {{ .values.auth.existingSecret }}
        defaultMode: 288 # 0440
        items:
          - key: {{ .values.auth.clientsKey }}
            path: {{ .values.auth.clientsKey }}
    {{- end }}
    {{- if .values.tls.existingSecret }}
    - name: gateway
      secret:
        secretName: {{ .values.tls.existingSecret }}
        defaultMode: 288 # 0440
        items:
          {{- range compact (list .values.tls.certKey .values.tls.keyKey .values.tls.clientCaKey) }}
          - key: {{ . }}
            path: {{ . }}
          {{- end }}
    {{- end }}
    {{- end }}
    {{- if eq .key "recommender" }}
    {{- if .values.files.existingConfigMap }}
    - name: files
      configMap:
        name: {{ .values.files.existingConfigMap }}
    {{- end }}
    {{- if .values.tls.existingSecret }}
    - name: recommender
      secret:
        secretName: {{ .values.tls.existingSecret }}
        defaultMode: 288 # 0440
        items:
          {{- range compact (list .values.tls.certKey .values.tls.keyKey .values.tls.clientCaKey) }}
          - key: {{ . }}
            path: {{ . }}
          {{- end }}
    {{- end }}
    {{- end }}
{{- end -}}
