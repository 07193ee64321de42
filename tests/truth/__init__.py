"""The truth table: simulated hours of consumer groups, and what four judges say of each.

``python -m tests.truth`` runs it and updates the table in docs/truth.md.
"""
