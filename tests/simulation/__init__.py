"""Simulated accounts, and the series of the exporter that they should have."""
