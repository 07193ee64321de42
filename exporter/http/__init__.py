"""The HTTP client for both SLS and temporary credentials."""
