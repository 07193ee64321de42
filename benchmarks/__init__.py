"""Benchmarks of the exporter, compared with alternatives; ``python -m benchmarks.NAME``.

Both sides are measured in one run, in turn, so that a busy machine slows both. Only their ratio is
meaningful. With ``--quick``, a benchmark only shows within seconds that it works.
"""
