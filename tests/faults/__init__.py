"""The fault matrix: every fault between the exporter and the service, in every phase of its life.

``python -m tests.faults`` runs all of it and writes the table in docs/reliability.md anew.
"""
