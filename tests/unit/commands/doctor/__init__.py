"""Tests of ``exporter.commands.doctor``."""
