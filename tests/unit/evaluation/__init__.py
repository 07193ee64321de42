"""Tests of ``exporter.evaluation``."""
