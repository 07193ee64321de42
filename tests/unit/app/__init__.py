"""Tests of ``exporter.app``."""
