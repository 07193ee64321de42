"""The fault matrix: every fault between the exporter and the service, in every phase of its life.

``python -m tools.generate docs/reliability.md`` runs it and writes the table.
"""
