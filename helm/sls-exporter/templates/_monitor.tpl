{{/* How a pod is scraped, the same for both monitors, from a dict of `root` and `monitor`. */}}
{{- define "sls-exporter.endpoint" -}}
port: metrics
path: {{ .root.Values.web.telemetryPath }}
scheme: {{ include "sls-exporter.scheme" .root }}
{{- with .monitor.interval }}
interval: {{ . }}
{{- end }}
{{- with .monitor.scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
{{- with include "sls-exporter.scraping" .monitor }}
{{ . }}
{{- end }}
{{- end -}}

{{/* Settings that have the same names in an endpoint of a monitor and in a ScrapeConfig. */}}
{{- define "sls-exporter.scraping" -}}
{{- $found := dict -}}
{{- range $key := list "honorLabels" "proxyUrl" "basicAuth" "tlsConfig" "relabelings" "metricRelabelings" -}}
{{- with index $ $key -}}
{{- $_ := set $found $key . -}}
{{- end -}}
{{- end -}}
{{- with $found -}}
{{- toYaml . -}}
{{- end -}}
{{- end -}}

{{/* Settings that have the same names in the specification of a monitor and of a ScrapeConfig. */}}
{{- define "sls-exporter.limits" -}}
{{- $found := dict -}}
{{- range $key := list "sampleLimit" "targetLimit" "labelLimit" -}}
{{- with index $ $key -}}
{{- $_ := set $found $key (int .) -}}
{{- end -}}
{{- end -}}
{{- range $key := list "scrapeProtocols" "fallbackScrapeProtocol" -}}
{{- with index $ $key -}}
{{- $_ := set $found $key . -}}
{{- end -}}
{{- end -}}
{{- with $found -}}
{{- toYaml . -}}
{{- end -}}
{{- end -}}

{{/* The specification that both monitors have in common, from a dict of `root`, `monitor` and `labels`, which select. */}}
{{- define "sls-exporter.monitor" -}}
selector:
  matchLabels:
    {{- default .labels .monitor.selectorOverride | toYaml | nindent 4 }}
namespaceSelector:
  matchNames:
    - {{ include "sls-exporter.namespace" .root | toYaml }}
{{- with .monitor.jobLabel }}
jobLabel: {{ toYaml . }}
{{- end }}
{{- with .monitor.podTargetLabels }}
podTargetLabels:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .monitor.attachMetadata }}
attachMetadata:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with include "sls-exporter.limits" .monitor }}
{{ . }}
{{- end }}
{{- end -}}
