"""The state of every consumer group as rows: JSON for programs, HTML for people."""
