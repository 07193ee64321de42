"""Tests of the Helm chart, of the alert rules and of the dashboards."""
