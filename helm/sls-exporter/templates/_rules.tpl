{{/* The label matchers of `prometheusRule.selector`, with its templates rendered. */}}
{{- define "sls-exporter.ruleSelector" -}}
{{- $selector := tpl (default "" .Values.prometheusRule.selector) . | trim -}}
{{- $matcher := `[a-zA-Z_][a-zA-Z0-9_]*\s*(=|!=|=~|!~)\s*"([^"\\{}]|\\[^{}])*"` -}}
{{- if and $selector (not (regexMatch (printf `^%s(\s*,\s*%s)*$` $matcher $matcher) $selector)) -}}
{{- fail (printf "prometheusRule.selector is not a list of label matchers such as job=\"sls-exporter\",namespace=\"monitoring\": %s" $selector) -}}
{{- end -}}
{{- $selector -}}
{{- end -}}

{{/* An expression of the rules with label matchers in each selector, from a dict of `expr` and `selector`. */}}
{{- define "sls-exporter.selected" -}}
{{- $name := `\b((?:sls_(?:consumer_group|exporter|logstore)_\w+|up)\b)` -}}
{{- /* PromQL allows a comma before the closing brace, but it is removed. */ -}}
{{- $selected := regexReplaceAll (printf `%s(?:\{([^}]*)\})?` $name) .expr (printf "${1}{%s,${2}}" (replace "$" "$$" .selector)) -}}
{{- $selected | replace ",}" "}" -}}
{{- end -}}
