"""The state of all consumer groups as rows, available as JSON and as an HTML page."""
