"""Tests of ``exporter.commands``."""
