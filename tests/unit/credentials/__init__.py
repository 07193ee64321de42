"""Tests of ``exporter.credentials``."""
