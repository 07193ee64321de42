"""Logs of the process, all in one format. docs/logging.md describes it for operators."""
