{{/* What the values mean together. */}}

{{- define "sls-exporter.configMapName" -}}
{{- default (include "sls-exporter.fullname" .) .Values.existingConfigMap -}}
{{- end -}}

{{- define "sls-exporter.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- if and (include "sls-exporter.credentialsSecret" .) (eq .Values.credentials.provideAs "files") -}}
{{- $own := default dict $config.credentials -}}
{{- $role := pick $own "role_arn" "external_id" "role_session_name" "sts_endpoint" -}}
{{- if ne (len $role) (len $own) -}}
{{- fail "config.credentials and the credentials of the chart exclude each other: keep one of the two, or set credentials.provideAs to env" -}}
{{- end -}}
{{- $files := dict "access_key_id_file" "/var/run/secrets/sls/access-key-id" "access_key_secret_file" "/var/run/secrets/sls/access-key-secret" -}}
{{- if include "sls-exporter.securityTokenKey" . -}}
{{- $_ := set $files "security_token_file" "/var/run/secrets/sls/security-token" -}}
{{- end -}}
{{- $_ := set $config "credentials" (merge $files $role) -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{/* The Secret that holds the access key, empty where there is none. */}}
{{- define "sls-exporter.credentialsSecret" -}}
{{- with .Values.credentials -}}
{{- if .existingSecret -}}
{{- .existingSecret -}}
{{- else if or .accessKeyId .accessKeySecret -}}
{{- printf "%s-credentials" (include "sls-exporter.fullname" $) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The key of that Secret that holds an STS token, empty where there is none. */}}
{{- define "sls-exporter.securityTokenKey" -}}
{{- with .Values.credentials -}}
{{- if .existingSecret -}}
{{- .keys.securityToken -}}
{{- else if .securityToken -}}
{{- default "security-token" .keys.securityToken -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Not empty where the exporter gets a web configuration. */}}
{{- define "sls-exporter.hasWebConfig" -}}
{{- with .Values.web -}}
{{- if or .existingSecret .config .tlsSecret -}}true{{- end -}}
{{- end -}}
{{- end -}}

{{- define "sls-exporter.webSecretName" -}}
{{- default (printf "%s-web" (include "sls-exporter.fullname" .)) .Values.web.existingSecret -}}
{{- end -}}

{{- define "sls-exporter.webConfig" -}}
{{- $config := deepCopy .Values.web.config -}}
{{- if .Values.web.tlsSecret -}}
{{- $tls := default dict $config.tls_server_config -}}
{{- if not (or $tls.cert $tls.cert_file) -}}
{{- $_ := set $tls "cert_file" "tls.crt" -}}
{{- end -}}
{{- if not (or $tls.key $tls.key_file) -}}
{{- $_ := set $tls "key_file" "tls.key" -}}
{{- end -}}
{{- $_ := set $config "tls_server_config" $tls -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{- define "sls-exporter.scheme" -}}
{{- if .Values.web.scheme -}}
{{- .Values.web.scheme -}}
{{- else if or .Values.web.tlsSecret .Values.web.config.tls_server_config -}}
https
{{- else -}}
http
{{- end -}}
{{- end -}}

{{/*
A probe cannot show a client certificate, has no password unless one is given, and must not be refused for
its rate: then a connection has to do. What a Secret of your own asks for is not known here.
*/}}
{{- define "sls-exporter.probeHandler" -}}
{{- $web := .Values.web -}}
{{- $tls := default dict $web.config.tls_server_config -}}
{{- $certificate := has $tls.client_auth_type (list "RequireAnyClientCert" "RequireClientCert" "RequireAndVerifyClientCert") -}}
{{- $password := and (or $web.existingSecret $web.config.basic_auth_users) (not .Values.probes.httpHeaders) -}}
{{- if .Values.probes.handler -}}
{{- .Values.probes.handler -}}
{{- else if or $certificate $password $web.config.rate_limit -}}
tcpSocket
{{- else -}}
httpGet
{{- end -}}
{{- end -}}

{{/* Stops where values contradict each other, or where nothing is to be watched. */}}
{{- define "sls-exporter.check" -}}
{{- if and (not .Values.existingConfigMap) (not .Values.config.projects) -}}
{{- fail "there is nothing to watch: set config.projects, for example\n\nconfig:\n  projects:\n    - project: my-project\n      endpoint: cn-shanghai.log.aliyuncs.com\n      logstores:\n        - logstore: my-logstore\n          consumer_groups: [my-group]\n" -}}
{{- end -}}
{{- if and .Values.existingConfigMap .Values.config -}}
{{- fail "existingConfigMap and config exclude each other: keep one of the two" -}}
{{- end -}}
{{- if and (gt (int .Values.shards) 1) (gt (int .Values.replicas) 1) -}}
{{- fail "shards and replicas exclude each other: set only one of the two above 1" -}}
{{- end -}}
{{- with .Values.credentials -}}
{{- if and .existingSecret (or .accessKeyId .accessKeySecret .securityToken) -}}
{{- fail "credentials.existingSecret excludes accessKeyId, accessKeySecret and securityToken" -}}
{{- end -}}
{{- if ne (empty .accessKeyId) (empty .accessKeySecret) -}}
{{- fail "credentials.accessKeyId and credentials.accessKeySecret belong together: set both" -}}
{{- end -}}
{{- if and .securityToken (not .accessKeyId) -}}
{{- fail "credentials.securityToken belongs to a key: set credentials.accessKeyId and credentials.accessKeySecret too" -}}
{{- end -}}
{{- end -}}
{{- if and .Values.web.existingSecret .Values.web.config -}}
{{- fail "web.existingSecret and web.config exclude each other: keep one of the two" -}}
{{- end -}}
{{- if and .Values.serviceAccount.rrsaRoleName (not .Values.serviceAccount.create) -}}
{{- fail "serviceAccount.rrsaRoleName annotates the chart's own service account: with create false, annotate yours" -}}
{{- end -}}
{{- if and .Values.serviceMonitor.enabled .Values.podMonitor.enabled -}}
{{- fail "serviceMonitor and podMonitor would scrape every pod twice: enable only one of the two" -}}
{{- end -}}
{{- if and .Values.serviceMonitor.enabled (not .Values.service.enabled) -}}
{{- fail "serviceMonitor needs service.enabled; without a Service use podMonitor" -}}
{{- end -}}
{{- end -}}
