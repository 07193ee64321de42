"""The truth table: simulated hours of consumer groups, and the results of four judges for each.

``python -m tests.simulation.truth`` runs it and updates the table in docs/truth.md.
"""
