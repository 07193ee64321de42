"""The metrics: their definitions, counters of the exporter, polled values, and formats."""
