"""Tests of ``exporter.model``."""
