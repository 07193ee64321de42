"""Tests of ``exporter.config``."""
