"""The fault matrix: every fault between the exporter and the service, in every phase of its life.

``python -m tests.faults`` runs the whole matrix and updates the table in docs/reliability.md.
"""
