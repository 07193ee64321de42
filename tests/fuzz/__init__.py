"""Fuzz targets: one function per kind of untrusted input, which raises only on a real error.

``python -m tests.fuzz TARGET`` runs one of them for a while; ``test_targets`` replays the corpus.
"""
