"""The Grafana dashboards as code, the source of the JSON files in the Helm chart."""
