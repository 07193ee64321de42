"""The only HTTP client, for SLS and for temporary credentials."""
