"""Tests of ``exporter.polling``."""
