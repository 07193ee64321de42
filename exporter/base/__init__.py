"""Helpers for time, text and durations. They know nothing of SLS or Prometheus."""
