"""Targets and their polls: which logstores are polled, when, and what a poll finds."""
