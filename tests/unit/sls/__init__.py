"""Tests of ``exporter.sls``."""
