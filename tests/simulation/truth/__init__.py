"""The truth table: simulated hours of consumer groups, and the results of four judges for each.

``python -m tools.generate docs/truth.md`` runs it and writes the table.
"""
