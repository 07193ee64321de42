"""Tests of one package each, by module, in one process."""
