"""Tests of the exporter as a process, as a distribution and as an image."""
