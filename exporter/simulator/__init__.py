"""A simulated SLS: a world of projects and consumers, and an HTTP server that speaks its API."""
