"""Mutation testing: a module is changed in one place at a time to see whether a test fails."""
