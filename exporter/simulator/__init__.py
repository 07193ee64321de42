"""A simulated SLS: a world of projects and consumers, and an HTTP server with its API."""
