{{- define "headway.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "headway.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "headway.labels" -}}
{{ include "headway.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "headway.secret" -}}
{{- .Values.existingSecret | default (include "headway.name" .) -}}
{{- end -}}

{{- define "headway.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "headway.containerSecurity" -}}
readOnlyRootFilesystem: true
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
{{- end -}}

{{/* The settings of a process, and the folders that it can write to. */}}
{{- define "headway.env" -}}
- name: REDIS_PASSWORD
  valueFrom:
    secretKeyRef: { name: {{ include "headway.secret" . }}, key: REDIS_PASSWORD }
- name: REDIS_URL
  value: {{ printf "%s://:$(REDIS_PASSWORD)@%s:%v/%v" (ternary "rediss" "redis" .Values.redis.tls) .Values.redis.host .Values.redis.port .Values.redis.database | quote }}
{{- range list "TOKEN_SECRET" "ADMIN_TOKEN" "WEBHOOK_SECRET" }}
- name: {{ . }}
  valueFrom:
    secretKeyRef: { name: {{ include "headway.secret" $ }}, key: {{ . }} }
{{- end }}
- name: PUBLIC_URL
  value: {{ .Values.publicUrl | quote }}
- name: METRICS_PORT
  value: {{ .Values.metrics.port | quote }}
- name: DRAIN_DELAY_MS
  value: {{ .Values.drainDelayMs | int64 | quote }}
- name: SHUTDOWN_GRACE_MS
  value: {{ .Values.shutdownGraceMs | int64 | quote }}
{{- range $name, $value := .Values.settings }}
{{- if has $name (list "TLS_CERT" "TLS_KEY") }}
{{- fail (printf "settings.%s: the probes and the Ingress call the API over HTTP. Use TLS of the Ingress: ingress.tlsSecret" $name) }}
{{- end }}
- name: {{ $name }}
  value: {{ $value | toString | quote }}
{{- end }}
{{- end -}}

{{- define "headway.mounts" -}}
- { name: data, mountPath: /data }
- { name: tmp, mountPath: /tmp }
{{- end -}}

{{- define "headway.volumes" -}}
- name: data
{{- if .Values.persistence.enabled }}
  persistentVolumeClaim:
    claimName: {{ .Values.persistence.existingClaim | default (include "headway.name" .) }}
{{- else }}
  emptyDir: {}
{{- end }}
- name: tmp
  emptyDir: {}
{{- end -}}

{{/* Ten seconds more than a process needs at most: it exits 7 s after the grace period, whatever does not answer. */}}
{{- define "headway.terminationSeconds" -}}
{{- add 10 (ceil (divf (add .Values.drainDelayMs .Values.shutdownGraceMs) 1000)) -}}
{{- end -}}
