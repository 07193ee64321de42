"""Tests of ``exporter.base``."""
