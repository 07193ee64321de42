"""The fault matrix: every fault between the exporter and the service, in every phase of its life.

``python -m tests.simulation.faults`` runs the whole matrix and updates docs/reliability.md.
"""
