"""The running exporter: its assembly, jobs, health checks and reloads."""
