"""Tests of ``exporter.web``."""
