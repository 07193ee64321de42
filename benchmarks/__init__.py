"""What the exporter costs, beside what others take for the same; ``python -m benchmarks.NAME``.

Both sides are measured in one run, turn by turn, so that a busy machine slows both; only their
ratio is of worth. With ``--quick`` a benchmark shows in seconds that it works, not how fast.
"""
