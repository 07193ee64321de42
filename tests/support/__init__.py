"""Helpers that tests share: servers that misbehave, waits with a deadline, tools."""
