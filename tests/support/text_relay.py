"""A relay that asks for the text format, since Prometheus itself prefers OpenMetrics."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests


@dataclass
class Relay:
    """A running relay, and the content types that passed through it."""

    port: int = 0
    content_types: set[str] = field(default_factory=set)


@contextmanager
def text_relay(url: str) -> Iterator[Relay]:
    """Relay GET requests to a URL, as a scraper that only supports the text format."""
    relay = Relay()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = requests.get(url, headers={"Accept": "text/plain;version=0.0.4"}, timeout=5)
            relay.content_types.add(answer.headers["Content-Type"])
            self.send_response(answer.status_code)
            self.send_header("Content-Type", answer.headers["Content-Type"])
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, *_: object) -> None:
            """Write no log line."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    relay.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield relay
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
