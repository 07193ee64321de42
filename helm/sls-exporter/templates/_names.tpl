{{- define "sls-exporter.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{/* 52 characters leave room for what Kubernetes adds to the name of a StatefulSet in labels of its pods. */}}
{{- define "sls-exporter.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The namespace of the objects, unless one has a namespace of its own. */}}
{{- define "sls-exporter.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{- define "sls-exporter.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "sls-exporter.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* Here and elsewhere toYaml puts quotes around a name such as 123. */}}
{{- define "sls-exporter.selectorLabels" -}}
app.kubernetes.io/name: {{ include "sls-exporter.name" . | toYaml }}
app.kubernetes.io/instance: {{ .Release.Name | toYaml }}
{{- end -}}

{{- define "sls-exporter.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "sls-exporter.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{/*
The metadata of an object, from a dict of `root`, `name` and optionally `namespace`, `labels`, `annotations`, `fixed`:
own labels and annotations go before common ones, common ones before the chart's. Nothing replaces `fixed` labels.
*/}}
{{- define "sls-exporter.metadata" -}}
{{- $labels := fromYaml (include "sls-exporter.labels" .root) -}}
{{- $labels = mergeOverwrite $labels (deepCopy (default dict .root.Values.commonLabels)) (deepCopy (default dict .labels)) (default dict .fixed) -}}
{{- $annotations := mergeOverwrite (deepCopy (default dict .root.Values.commonAnnotations)) (deepCopy (default dict .annotations)) -}}
name: {{ toYaml .name }}
namespace: {{ default (include "sls-exporter.namespace" .root) .namespace | toYaml }}
labels:
  {{- toYaml $labels | nindent 2 }}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "sls-exporter.image" -}}
{{- $image := .Values.image.repository -}}
{{- with default .Values.image.registry (.Values.global).imageRegistry -}}
{{- $image = printf "%s/%s" (trimSuffix "/" .) $image -}}
{{- end -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $image .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* The pull secrets of all charts of the release and of this one, each once; a global one can be a bare name. */}}
{{- define "sls-exporter.imagePullSecrets" -}}
{{- $found := list -}}
{{- range concat (default list (.Values.global).imagePullSecrets) (default list .Values.imagePullSecrets) -}}
{{- $found = append $found (kindIs "string" . | ternary (dict "name" .) .) -}}
{{- end -}}
{{- with uniq $found -}}
{{- toYaml . -}}
{{- end -}}
{{- end -}}

{{/* The labels by which a Service is selected. Labels of the user cannot replace them. */}}
{{- define "sls-exporter.serviceLabels" -}}
{{ include "sls-exporter.selectorLabels" . }}
app.kubernetes.io/component: metrics
{{- end -}}
