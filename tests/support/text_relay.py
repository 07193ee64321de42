"""A relay that can ask for the text format, since Prometheus itself prefers OpenMetrics."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests

TEXT = "text/plain;version=0.0.4"


@dataclass
class Relay:
    """A running relay, and the pairs of Accept header and content type that passed through it."""

    port: int = 0
    passed: set[tuple[str, str]] = field(default_factory=set)

    @property
    def content_types(self) -> set[str]:
        """The content types that passed through it."""
        return {content_type for _, content_type in self.passed}


@contextmanager
def text_relay(url: str, *, accept: str | None = TEXT) -> Iterator[Relay]:
    """Relay GET requests to a URL, as a scraper that only supports the text format.

    With another ``accept``, relay as a scraper with that header. None keeps the scraper's own.
    """
    relay = Relay()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            sent = self.headers["Accept"] if accept is None else accept
            answer = requests.get(url, headers={"Accept": sent}, timeout=30)
            relay.passed.add((sent, answer.headers["Content-Type"]))
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
