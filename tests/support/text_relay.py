"""A relay that can ask for the text format, since Prometheus itself prefers OpenMetrics."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import requests

from tests.support.http_server import Handler, serving

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

    class Relaying(Handler):
        def respond(self) -> None:
            sent = self.headers["Accept"] if accept is None else accept
            answer = requests.get(url, headers={"Accept": sent}, timeout=30)
            content_type = answer.headers["Content-Type"]
            relay.passed.add((sent, content_type))
            headers = {"Content-Type": content_type}
            self.reply(answer.content, status=answer.status_code, headers=headers)

    with serving(Relaying) as relay.port:
        yield relay
