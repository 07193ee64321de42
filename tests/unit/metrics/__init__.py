"""Tests of ``exporter.metrics``."""
