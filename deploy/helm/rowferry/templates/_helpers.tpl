{{- define "rowferry.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "rowferry.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "rowferry.labels" -}}
{{ include "rowferry.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* rowferry.yaml: the release's configuration with what belongs to the chart. */}}
{{- define "rowferry.config" -}}
{{- $http := dict "host" "0.0.0.0" "port" .Values.http.port "token" "${env:ROWFERRY_HTTP_TOKEN}" }}
{{- $own := dict "runDir" "/run/rowferry" "http" (merge $http (default dict .Values.config.http)) }}
{{- toYaml (merge $own .Values.config) }}
{{- end }}

{{/* The pod of one role: a dict of "root" (the top) and "role" (capture or apply). */}}
{{- define "rowferry.pod" -}}
{{- $root := .root }}
{{- $role := .role }}
{{- with $root }}
metadata:
  labels:
    {{- include "rowferry.labels" . | nindent 4 }}
    app.kubernetes.io/component: {{ $role }}
  annotations:
    # Another configuration is another pod.
    checksum/config: {{ printf "%s%s" (include "rowferry.config" .) (toYaml .Values.files) | sha256sum }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "rowferry.name" . }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 1000
    runAsGroup: 1000
    fsGroup: 1000
    seccompProfile: { type: RuntimeDefault }
  {{- with .Values.image.pullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: rowferry
      image: {{ printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args: [run, --role, {{ $role }}]
      envFrom:
        - secretRef: { name: {{ .Values.secret.name | quote }} }
      ports:
        - { name: http, containerPort: {{ .Values.http.port }} }
      # A start waits for Kafka and the targets as long as it takes: only a process that does not answer is started anew.
      startupProbe:
        httpGet: { path: /livez, port: http }
        periodSeconds: 2
        failureThreshold: 30
      livenessProbe:
        httpGet: { path: /livez, port: http }
        periodSeconds: 10
        timeoutSeconds: 3
        failureThreshold: 6
      readinessProbe:
        httpGet: { path: /readyz, port: http }
        periodSeconds: 5
        timeoutSeconds: 3
      resources:
        {{- toYaml (index .Values $role).resources | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: { drop: [ALL] }
      volumeMounts:
        - { name: config, mountPath: /etc/rowferry, readOnly: true }
        - { name: run, mountPath: /run/rowferry }
  volumes:
    - name: config
      configMap: { name: {{ include "rowferry.name" . }} }
    - name: run
      emptyDir: { medium: Memory, sizeLimit: 16Mi }
  topologySpreadConstraints:
    {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
    - maxSkew: 1
      topologyKey: {{ . }}
      whenUnsatisfiable: {{ $root.Values.topologySpread }}
      labelSelector:
        matchLabels:
          {{- include "rowferry.selector" $root | nindent 10 }}
          app.kubernetes.io/component: {{ $role }}
    {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end }}
