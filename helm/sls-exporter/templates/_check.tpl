{{/* Stops where values contradict each other, or where nothing is to be watched. */}}
{{- define "sls-exporter.check" -}}
{{- $existing := include "sls-exporter.existingConfig" . -}}
{{- $sharded := gt (int .Values.shards) 1 -}}
{{- if not (or $existing .Values.config.projects) -}}
{{- fail "there is nothing to watch: set config.projects, for example\n\nconfig:\n  projects:\n    - project: my-project\n      endpoint: cn-shanghai.log.aliyuncs.com\n      logstores:\n        - logstore: my-logstore\n          consumer_groups: [my-group]\n" -}}
{{- end -}}
{{- if and .Values.existingConfigMap .Values.existingConfigSecret -}}
{{- fail "existingConfigMap and existingConfigSecret exclude each other: keep one of the two" -}}
{{- end -}}
{{- if and $existing .Values.config -}}
{{- fail (printf "%s and config exclude each other: keep one of the two" (empty .Values.existingConfigMap | ternary "existingConfigSecret" "existingConfigMap")) -}}
{{- end -}}
{{- if and $sharded (gt (int .Values.replicas) 1) -}}
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
{{- if and (.Values.scrapeConfig).enabled (or .Values.serviceMonitor.enabled .Values.podMonitor.enabled) -}}
{{- fail "scrapeConfig and a monitor would scrape every pod twice: enable only one of the two" -}}
{{- end -}}
{{- if and .Values.serviceMonitor.enabled (not .Values.service.enabled) -}}
{{- fail "serviceMonitor needs service.enabled; without a Service use podMonitor" -}}
{{- end -}}
{{- include "sls-exporter.checkListening" . -}}
{{- include "sls-exporter.checkUpdate" . -}}
{{- include "sls-exporter.checkService" . -}}
{{- end -}}

{{/* Settings of a Service depend on its type, and routes need a Service. */}}
{{- define "sls-exporter.checkService" -}}
{{- with .Values.service -}}
{{- if and .nodePort (eq .type "ClusterIP") -}}
{{- fail "service.nodePort needs service.type NodePort or LoadBalancer" -}}
{{- end -}}
{{- if and .loadBalancerSourceRanges (ne .type "LoadBalancer") -}}
{{- fail "service.loadBalancerSourceRanges needs service.type LoadBalancer" -}}
{{- end -}}
{{- if and (eq (default "" .clusterIP) "None") (ne .type "ClusterIP") -}}
{{- fail "service.clusterIP None needs service.type ClusterIP" -}}
{{- end -}}
{{- end -}}
{{- range list "ingress" "httpRoute" -}}
{{- if and (index $.Values . | default dict).enabled (not $.Values.service.enabled) -}}
{{- fail (printf "%s needs service.enabled" .) -}}
{{- end -}}
{{- end -}}
{{- if and (.Values.ingress).enabled (not .Values.ingress.hosts) -}}
{{- fail "ingress.enabled needs ingress.hosts" -}}
{{- end -}}
{{- if and (.Values.httpRoute).enabled (not .Values.httpRoute.parentRefs) -}}
{{- fail "httpRoute.enabled needs httpRoute.parentRefs, which name the gateway" -}}
{{- end -}}
{{- end -}}

{{/* The Service and the probes of the kubelet have to reach what the exporter listens on. */}}
{{- define "sls-exporter.checkListening" -}}
{{- range .Values.extraArgs -}}
{{- if hasPrefix "--web.listen-address" . -}}
{{- fail "extraArgs cannot contain --web.listen-address, because the chart sets this flag: use web.listenAddresses" -}}
{{- end -}}
{{- end -}}
{{- $addresses := default list .Values.web.listenAddresses -}}
{{- $port := printf ":%d" (int .Values.web.port) -}}
{{- $onPort := list -}}
{{- $reachable := list -}}
{{- range $addresses -}}
{{- if hasSuffix $port . -}}
{{- $onPort = append $onPort . -}}
{{- if not (regexMatch "^(127[.]|localhost:|\\[::1\\]:)" .) -}}
{{- $reachable = append $reachable . -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and $addresses (not $onPort) -}}
{{- fail (printf "web.listenAddresses has no address with the port %s: add one, or change web.port" $port) -}}
{{- end -}}
{{- $probes := or .Values.probes.startup.enabled .Values.probes.liveness.enabled .Values.probes.readiness.enabled -}}
{{- if and $addresses $probes (not $reachable) -}}
{{- fail "web.listenAddresses has only loopback addresses, which probes cannot reach: set probes.startup.enabled, probes.liveness.enabled and probes.readiness.enabled to false" -}}
{{- end -}}
{{- end -}}

{{/* A Deployment and a StatefulSet have different strategies. */}}
{{- define "sls-exporter.checkUpdate" -}}
{{- $strategy := default dict .Values.updateStrategy -}}
{{- $rolling := default dict $strategy.rollingUpdate -}}
{{- if gt (int .Values.shards) 1 -}}
{{- if eq $strategy.type "Recreate" -}}
{{- fail "updateStrategy.type Recreate is for a Deployment: with shards above 1, use RollingUpdate or OnDelete" -}}
{{- end -}}
{{- if hasKey $rolling "maxSurge" -}}
{{- fail "updateStrategy.rollingUpdate.maxSurge is for a Deployment: remove it, or set shards to 1" -}}
{{- end -}}
{{- else -}}
{{- if eq $strategy.type "OnDelete" -}}
{{- fail "updateStrategy.type OnDelete is for a StatefulSet: with 1 shard, use RollingUpdate or Recreate" -}}
{{- end -}}
{{- if hasKey $rolling "partition" -}}
{{- fail "updateStrategy.rollingUpdate.partition is for a StatefulSet: remove it, or set shards above 1" -}}
{{- end -}}
{{- end -}}
{{- if and $rolling (has $strategy.type (list "Recreate" "OnDelete")) -}}
{{- fail (printf "updateStrategy.rollingUpdate and the type %s exclude each other: keep one of the two" $strategy.type) -}}
{{- end -}}
{{- end -}}
