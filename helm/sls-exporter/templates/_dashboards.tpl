{{/* The paths of the dashboards that the values include, as keys. */}}
{{- define "sls-exporter.dashboards" -}}
{{- $found := dict -}}
{{- range $path, $_ := .Files.Glob "dashboards/*.json" -}}
{{- if or (empty $.Values.dashboards.include) (has (base $path | trimSuffix ".json") $.Values.dashboards.include) -}}
{{- $_ := set $found $path true -}}
{{- end -}}
{{- end -}}
{{- toYaml $found -}}
{{- end -}}

{{/* The name of the object of a dashboard, from a dict of `root` and `file`. */}}
{{- define "sls-exporter.dashboardName" -}}
{{- printf "%s-dashboard-%s" (include "sls-exporter.fullname" .root) (trimSuffix ".json" .file | lower | replace "_" "-") -}}
{{- end -}}
