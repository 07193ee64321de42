"""Tests of sls-exporter."""
