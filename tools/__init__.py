"""What makes files of this project; no part of the exporter."""
