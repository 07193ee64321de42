"""Injected faults of a single response, from a wrong status to bytes that are not HTTP.

Each is a ``Fault`` of ``exchange``.
"""

import json
import threading
from collections.abc import Callable, Mapping
from email.utils import formatdate
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from exporter.simulator.wire import Response, json_response
from tests.support.exchange import Exchange


class ErrorAnswer(Struct, frozen=True, kw_only=True):
    """An error of SLS: any status with an errorCode and an errorMessage."""

    status: int
    code: str
    message: str = "a simulated error"

    def apply(self, exchange: Exchange) -> None:
        """Respond with the error."""
        document = {"errorCode": self.code, "errorMessage": self.message}
        exchange.respond(json_response(self.status, document, {}))


class Echo(Struct, frozen=True, kw_only=True):
    """A response with the headers of the request, which have lower-case names."""

    make: Callable[[Mapping[str, str]], Response]

    def apply(self, exchange: Exchange) -> None:
        """Respond with the result of ``make``."""
        exchange.respond(self.make(exchange.request.headers))


class Html(Struct, frozen=True, kw_only=True):
    """A page of HTML, as front proxies send it, even with status 200."""

    status: int = 502

    def apply(self, exchange: Exchange) -> None:
        """Respond with the page."""
        body = b"<html><head><title>Bad Gateway</title></head><body>nginx</body></html>"
        exchange.respond(
            Response(status=self.status, body=body, headers={"Content-Type": "text/html"})
        )


class Body(Struct, frozen=True, kw_only=True):
    """Any body with any status: empty, not JSON, or JSON of an unexpected shape."""

    text: str = ""
    status: int = 200

    def apply(self, exchange: Exchange) -> None:
        """Respond with the body."""
        headers = {"Content-Type": "application/json"}
        exchange.respond(Response(status=self.status, body=self.text.encode(), headers=headers))


class Changed(Struct, frozen=True, kw_only=True):
    """The regular response with another body, and without some headers."""

    change: Callable[[Any], object] = lambda document: document
    """A function of the decoded body."""
    without: tuple[str, ...] = ()
    status: int | None = None

    def apply(self, exchange: Exchange) -> None:
        """Respond with the changed response."""
        response = exchange.answer()
        kept = {name: text for name, text in response.headers.items() if name not in self.without}
        document = self.change(json.loads(response.body))
        exchange.respond(json_response(self.status or response.status, document, kept))


class Redirect(Struct, frozen=True, kw_only=True):
    """A redirect to an URL."""

    location: str
    status: int = 302

    def apply(self, exchange: Exchange) -> None:
        """Respond with the redirect."""
        exchange.respond(Response(status=self.status, headers={"Location": self.location}))


class WrongTime(Struct, frozen=True, kw_only=True):
    """The regular response with a server time that is some seconds ahead."""

    ahead: float

    def apply(self, exchange: Exchange) -> None:
        """Respond with the wrong time in x-log-time and Date."""
        response = exchange.answer()
        time = float(response.headers["x-log-time"]) + self.ahead
        headers = {"x-log-time": f"{time:.0f}", "Date": formatdate(time, usegmt=True)}
        exchange.respond(replace(response, headers={**response.headers, **headers}))


class Delay(Struct, frozen=True, kw_only=True):
    """The regular response, some seconds late."""

    seconds: float

    def apply(self, exchange: Exchange) -> None:
        """Respond after the delay."""
        response = exchange.answer()
        exchange.note(response.status)
        exchange.wait(self.seconds)
        exchange.send(response.render())


class DelayUntil(Struct, frozen=True, kw_only=True):
    """The regular response as soon as an event is set."""

    event: threading.Event

    def apply(self, exchange: Exchange) -> None:
        """Respond after the event."""
        response = exchange.answer()
        exchange.note(response.status)
        # A thread cannot wait for two events at the same time.
        while not self.event.wait(0.02) and not exchange.released.is_set():
            pass
        exchange.send(response.render())


class Hang(Struct, frozen=True, kw_only=True):
    """No response until the fault is removed; then the regular one."""

    def apply(self, exchange: Exchange) -> None:
        """Wait, then respond."""
        exchange.note(0)
        exchange.wait()
        exchange.send(exchange.answer().render())


class Truncated(Struct, frozen=True, kw_only=True):
    """Half of the body that Content-Length declares, then the end of the connection."""

    def apply(self, exchange: Exchange) -> None:
        """Send half of the response."""
        response = exchange.answer()
        exchange.note(response.status)
        exchange.send(response.head() + response.body[: len(response.body) // 2])
        exchange.close()


class Reset(Struct, frozen=True, kw_only=True):
    """A reset of the connection (RST) without a response."""

    def apply(self, exchange: Exchange) -> None:
        """Reset."""
        exchange.note(0)
        exchange.reset()


class Close(Struct, frozen=True, kw_only=True):
    """A regular end of the connection (FIN) without a response."""

    def apply(self, exchange: Exchange) -> None:
        """Close."""
        exchange.note(0)
        exchange.close()


class GarbledChunks(Struct, frozen=True, kw_only=True):
    """A chunked body whose chunk sizes are not numbers."""

    def apply(self, exchange: Exchange) -> None:
        """Respond with garbage."""
        exchange.note(200)
        exchange.send(_CHUNKED + b"zz\r\n[]\r\n0\r\n\r\n")
        exchange.close()


class GarbageStatusLine(Struct, frozen=True, kw_only=True):
    """Bytes that are not HTTP where the status line should be."""

    def apply(self, exchange: Exchange) -> None:
        """Respond with garbage."""
        exchange.note(0)
        exchange.send(b"\x16\x03\x01 not HTTP at all\r\n\r\n")
        exchange.close()


_CHUNKED = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
)
