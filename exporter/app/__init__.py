"""The running exporter: its parts, its jobs, its health and its reloads, put together."""
