"""Tests of ``exporter.logs``."""
