{{/* What the values mean together. */}}

{{/* The name of the user's object with the configuration, empty where the chart creates the object. */}}
{{- define "sls-exporter.existingConfig" -}}
{{- default (default "" .Values.existingConfigMap) .Values.existingConfigSecret -}}
{{- end -}}

{{/* The kind of the object with the configuration. */}}
{{- define "sls-exporter.configKind" -}}
{{- if or .Values.existingConfigSecret (and .Values.configInSecret (not .Values.existingConfigMap)) -}}
Secret
{{- else -}}
ConfigMap
{{- end -}}
{{- end -}}

{{- define "sls-exporter.configName" -}}
{{- $name := include "sls-exporter.fullname" . -}}
{{- $own := eq (include "sls-exporter.configKind" .) "Secret" | ternary (printf "%s-config" $name) $name -}}
{{- default $own (include "sls-exporter.existingConfig" .) -}}
{{- end -}}

{{/* Not empty where the configuration contains a secret in clear text, which is one that no variable replaces. */}}
{{- define "sls-exporter.clearSecrets" -}}
{{- $sections := list .Values.config.credentials -}}
{{- range .Values.config.projects -}}
{{- $sections = append $sections .credentials -}}
{{- end -}}
{{- range compact $sections -}}
{{- range list .access_key_secret .security_token -}}
{{- if not (regexMatch "^([$][{][^}]+[}])?$" (default "" .)) -}}true{{- end -}}
{{- end -}}
{{- end -}}
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
{{- $config := deepCopy (default dict .Values.web.config) -}}
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
{{- else if or .Values.web.tlsSecret (.Values.web.config).tls_server_config -}}
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
{{- $config := default dict $web.config -}}
{{- $tls := default dict $config.tls_server_config -}}
{{- $certificate := has $tls.client_auth_type (list "RequireAnyClientCert" "RequireClientCert" "RequireAndVerifyClientCert") -}}
{{- $password := and (or $web.existingSecret $config.basic_auth_users) (not .Values.probes.httpHeaders) -}}
{{- if .Values.probes.handler -}}
{{- .Values.probes.handler -}}
{{- else if or $certificate $password $config.rate_limit -}}
tcpSocket
{{- else -}}
httpGet
{{- end -}}
{{- end -}}
