"""Software of others, unchanged, against the simulator and the exporter; run by itself."""
