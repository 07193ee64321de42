"""The HTTP server: listening, routes, TLS and access. What it serves is handed in as callables."""
