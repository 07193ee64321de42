"""A typed, read-only client of the SLS API. No library error leaves this package."""
