"""Helpers for time, files, text and durations, independent of SLS and Prometheus."""
