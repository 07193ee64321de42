"""The HTTP server: listening, routes, TLS and access control. Callables provide its content."""
