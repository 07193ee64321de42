{{/* The pod template of the Deployment and of the StatefulSet. */}}
{{- define "sls-exporter.podTemplate" -}}
{{- $sharded := gt (int .Values.shards) 1 -}}
{{- $secret := include "sls-exporter.credentialsSecret" . -}}
{{- $asFiles := and $secret (eq .Values.credentials.provideAs "files") -}}
{{- $asEnv := and $secret (eq .Values.credentials.provideAs "env") -}}
{{- $token := include "sls-exporter.securityTokenKey" . -}}
{{- $annotations := dict -}}
{{- if not (or .Values.autoReload (include "sls-exporter.existingConfig" .)) -}}
{{- $_ := set $annotations "checksum/config" (include "sls-exporter.config" . | sha256sum) -}}
{{- end -}}
{{- if and $asEnv (not .Values.credentials.existingSecret) -}}
{{- $_ := set $annotations "checksum/credentials" (toJson .Values.credentials | sha256sum) -}}
{{- end -}}
{{- if include "sls-exporter.hasWebConfig" . -}}
{{- /* Enabling or disabling TLS requires a restart. Other changes of a web configuration do not. */ -}}
{{- $_ := set $annotations "sls-exporter/scheme" (include "sls-exporter.scheme" .) -}}
{{- end -}}
{{- $annotations = mergeOverwrite $annotations (deepCopy (default dict .Values.commonAnnotations)) (deepCopy (default dict .Values.podAnnotations)) -}}
{{- /* A new version of the chart alone does not restart the pods. */ -}}
{{- $labels := omit (fromYaml (include "sls-exporter.labels" .)) "helm.sh/chart" -}}
{{- $labels = mergeOverwrite $labels (deepCopy (default dict .Values.commonLabels)) (deepCopy (default dict .Values.podLabels)) -}}
{{- $labels = mergeOverwrite $labels (fromYaml (include "sls-exporter.selectorLabels" .)) -}}
metadata:
  labels:
    {{- toYaml $labels | nindent 4 }}
  {{- with $annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "sls-exporter.serviceAccountName" . | toYaml }}
  automountServiceAccountToken: false
  # Service links of a Service named sls-exporter would set variables with the prefix of the exporter's.
  enableServiceLinks: false
  {{- if eq (toString .Values.hostUsers) "false" }}
  hostUsers: false
  {{- end }}
  {{- with .Values.runtimeClassName }}
  runtimeClassName: {{ toYaml . }}
  {{- end }}
  {{- with .Values.schedulerName }}
  schedulerName: {{ toYaml . }}
  {{- end }}
  {{- with include "sls-exporter.imagePullSecrets" . }}
  imagePullSecrets:
    {{- . | nindent 4 }}
  {{- end }}
  {{- with .Values.podSecurityContext }}
  securityContext:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ toYaml . }}
  {{- end }}
  terminationGracePeriodSeconds: {{ int .Values.terminationGracePeriodSeconds }}
  {{- with .Values.dnsPolicy }}
  dnsPolicy: {{ . }}
  {{- end }}
  {{- with .Values.dnsConfig }}
  dnsConfig:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.hostAliases }}
  hostAliases:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.initContainers }}
  initContainers:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: sls-exporter
      image: {{ include "sls-exporter.image" . | toYaml }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      {{- with .Values.command }}
      command:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      args:
        - run
        - --config.file=/etc/sls-exporter/config.yaml
        {{- if .Values.autoReload }}
        - --config.auto-reload
        {{- end }}
        {{- range default (list (printf ":%d" (int .Values.web.port))) .Values.web.listenAddresses }}
        - --web.listen-address={{ . }}
        {{- end }}
        - --web.telemetry-path={{ .Values.web.telemetryPath }}
        - --web.max-requests={{ int .Values.web.maxRequests }}
        {{- if include "sls-exporter.hasWebConfig" . }}
        - --web.config.file=/etc/sls-exporter-web/web.yml
        {{- end }}
        {{- if .Values.web.enableLifecycle }}
        - --web.enable-lifecycle
        {{- end }}
        - --log.level={{ .Values.log.level }}
        - --log.format={{ .Values.log.format }}
        {{- if $sharded }}
        - --sharding.total-shards={{ int .Values.shards }}
        {{- end }}
        {{- with .Values.extraArgs }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- if or $sharded $asEnv .Values.extraEnv }}
      env:
        {{- if $sharded }}
        # The number at the end of the pod's name is the number of its shard.
        - name: SLS_EXPORTER_SHARDING_SHARD
          valueFrom:
            fieldRef:
              fieldPath: metadata.name
        {{- end }}
        {{- if $asEnv }}
        {{- with .Values.credentials.keys }}
        - name: ALIBABA_CLOUD_ACCESS_KEY_ID
          valueFrom:
            secretKeyRef:
              name: {{ toYaml $secret }}
              key: {{ toYaml .accessKeyId }}
        - name: ALIBABA_CLOUD_ACCESS_KEY_SECRET
          valueFrom:
            secretKeyRef:
              name: {{ toYaml $secret }}
              key: {{ toYaml .accessKeySecret }}
        {{- end }}
        {{- if $token }}
        - name: ALIBABA_CLOUD_SECURITY_TOKEN
          valueFrom:
            secretKeyRef:
              name: {{ toYaml $secret }}
              key: {{ toYaml $token }}
        {{- end }}
        {{- end }}
        {{- with .Values.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- end }}
      {{- with .Values.extraEnvFrom }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        - name: metrics
          containerPort: {{ int .Values.web.port }}
          protocol: TCP
      {{- with .Values.probes.startup }}
      {{- if .enabled }}
      startupProbe:
        {{- include "sls-exporter.probe" (dict "root" $ "path" "/-/healthy" "probe" .) | nindent 8 }}
      {{- end }}
      {{- end }}
      {{- with .Values.probes.liveness }}
      {{- if .enabled }}
      livenessProbe:
        {{- include "sls-exporter.probe" (dict "root" $ "path" "/-/healthy" "probe" .) | nindent 8 }}
      {{- end }}
      {{- end }}
      {{- with .Values.probes.readiness }}
      {{- if .enabled }}
      readinessProbe:
        {{- include "sls-exporter.probe" (dict "root" $ "path" "/-/ready" "probe" .) | nindent 8 }}
      {{- end }}
      {{- end }}
      {{- with .Values.lifecycle }}
      lifecycle:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .Values.resources }}
      resources:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .Values.securityContext }}
      securityContext:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      volumeMounts:
        # Mount whole directories, because Kubernetes does not update a file mounted with subPath.
        - name: config
          mountPath: /etc/sls-exporter
          readOnly: true
        {{- if $asFiles }}
        - name: credentials
          mountPath: /var/run/secrets/sls
          readOnly: true
        {{- end }}
        {{- if include "sls-exporter.hasWebConfig" . }}
        - name: web-config
          mountPath: /etc/sls-exporter-web
          readOnly: true
        {{- end }}
        {{- with .Values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    {{- with .Values.extraContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  volumes:
    - name: config
      {{- if eq (include "sls-exporter.configKind" .) "Secret" }}
      secret:
        secretName: {{ include "sls-exporter.configName" . | toYaml }}
        defaultMode: 0440
      {{- else }}
      configMap:
        name: {{ include "sls-exporter.configName" . | toYaml }}
      {{- end }}
    {{- if $asFiles }}
    - name: credentials
      secret:
        secretName: {{ toYaml $secret }}
        defaultMode: 0440
        items:
          - key: {{ toYaml .Values.credentials.keys.accessKeyId }}
            path: access-key-id
          - key: {{ toYaml .Values.credentials.keys.accessKeySecret }}
            path: access-key-secret
          {{- if $token }}
          - key: {{ toYaml $token }}
            path: security-token
          {{- end }}
    {{- end }}
    {{- if include "sls-exporter.hasWebConfig" . }}
    - name: web-config
      projected:
        defaultMode: 0440
        sources:
          - secret:
              name: {{ include "sls-exporter.webSecretName" . | toYaml }}
          {{- with .Values.web.tlsSecret }}
          - secret:
              name: {{ toYaml . }}
          {{- end }}
    {{- end }}
    {{- with .Values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if .Values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- toYaml .Values.topologySpreadConstraints | nindent 4 }}
  {{- else if and (or $sharded (gt (int .Values.replicas) 1)) (not .Values.affinity) }}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "sls-exporter.selectorLabels" . | nindent 10 }}
  {{- end }}
{{- end -}}

{{/* A probe, from a dict of `root`, `path` and `probe`. */}}
{{- define "sls-exporter.probe" -}}
{{- if eq (include "sls-exporter.probeHandler" .root) "tcpSocket" -}}
tcpSocket:
  port: metrics
{{- else -}}
httpGet:
  path: {{ .path }}
  port: metrics
  {{- if eq (include "sls-exporter.scheme" .root) "https" }}
  scheme: HTTPS
  {{- end }}
  {{- with .root.Values.probes.httpHeaders }}
  httpHeaders:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- with .probe.initialDelaySeconds }}
initialDelaySeconds: {{ int . }}
{{- end }}
periodSeconds: {{ int .probe.periodSeconds }}
timeoutSeconds: {{ int .probe.timeoutSeconds }}
failureThreshold: {{ int .probe.failureThreshold }}
{{- end -}}
