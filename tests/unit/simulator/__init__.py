"""Tests of ``exporter.simulator``."""
