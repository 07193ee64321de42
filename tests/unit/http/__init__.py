"""Tests of ``exporter.http``."""
