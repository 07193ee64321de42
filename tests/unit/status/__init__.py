"""Tests of ``exporter.status``."""
