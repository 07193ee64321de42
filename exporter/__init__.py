"""Prometheus exporter for the checkpoints of Alibaba Cloud SLS consumer groups."""

__version__ = "0.1.0"
