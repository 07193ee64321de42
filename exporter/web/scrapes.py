"""The telemetry route: scrapes rendered in worker threads, streamed, and limited in number.

Concurrent scrapes with the same headers share one rendering. A pair of Prometheus servers
therefore costs hardly more than one server.
"""

import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Final, NamedTuple, Protocol

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from exporter.metrics.exposition import Scrape
from exporter.web.headers import PLAIN_HEADERS
from exporter.web.workers import Workers

_METRICS_THREADS: Final = 4
# The first piece is small, so that the first byte is sent soon. Later pieces are larger, because
# each piece costs two thread switches.
_FIRST_PIECE: Final = 64 * 1024
_DOUBLINGS: Final = 4
_RETRY_AFTER: Final = "1"
_SHARED_SECONDS: Final = 0.25  # maximum age of a rendering that a request can join


class RenderScrape(Protocol):
    """A function that renders a scrape for two request headers, which are empty if absent."""

    def __call__(self, *, accept: str, accept_encoding: str) -> Scrape:
        """Return the scrape. Its body is generated while it is read."""
        ...


class Scrapes:
    """The handler of the telemetry route, which counts scrapes in flight and streams their bodies.

    If ``max_requests`` scrapes are in flight, others are rejected; 0 means no limit. If a scrape
    fails, ``on_error`` is called with the path and the exception.
    """

    def __init__(
        self,
        render: RenderScrape,
        threads: Workers,
        *,
        on_error: Callable[[str, BaseException], None],
        path: str,
        max_requests: int,
    ) -> None:
        self._render = render
        self._on_error = on_error
        self._path = path
        self._max_requests = max_requests
        self._in_flight = 0
        self._threads = threads.pool("scrapes", _METRICS_THREADS)
        self._lock = threading.Lock()
        self._newest: dict[tuple[str, str], _Rendering] = {}

    async def endpoint(self, request: Request) -> Response:
        """Return the response to one scrape, or 503 if too many are in flight."""
        if self._max_requests and self._in_flight >= self._max_requests:
            text = f"{self._max_requests} scrapes are already being served, try again later."
            return plain_text(text, 503, {"Retry-After": _RETRY_AFTER})
        # A scrape counts until its last byte is sent. The response then calls ``_done``.
        self._in_flight += 1
        return _Exchange(self._answer, request, self._done)

    def _done(self, fault: BaseException | None) -> None:
        self._in_flight -= 1
        with self._lock:
            self._forget_ended()
        if fault is not None:
            self._on_error(self._path, fault)

    async def _answer(self, request: Request) -> Response:
        accept = ", ".join(request.headers.getlist("accept"))
        accept_encoding = ", ".join(request.headers.getlist("accept-encoding"))
        rendering, first = await self._threads.run(self._begin, accept, accept_encoding)
        scrape = rendering.scrape
        headers = PLAIN_HEADERS | {
            "Content-Type": scrape.content_type,
            "Vary": "Accept, Accept-Encoding",
        }
        if scrape.content_encoding is not None:
            headers["Content-Encoding"] = scrape.content_encoding
        if first.is_last:
            return Response(first.data, headers=headers)
        return StreamingResponse(self._pieces(rendering, first), headers=headers)

    def _begin(self, accept: str, accept_encoding: str) -> "tuple[_Rendering, _Piece]":
        """Render the scrape up to its first piece, or join a rendering that has just begun."""
        scrape = self._render(accept=accept, accept_encoding=accept_encoding)
        rendering = _Rendering(scrape)
        # An uncompressed body is too large to be kept until its last reader has read it.
        if scrape.content_encoding is not None:
            asked = accept, accept_encoding
            with self._lock:
                newest = self._newest.get(asked)
                if newest is not None and newest.can_be_joined():
                    rendering = newest
                else:
                    self._forget_ended()
                    self._newest[asked] = rendering
        return rendering, rendering.piece(0)

    def _forget_ended(self) -> None:
        self._newest = {key: each for key, each in self._newest.items() if each.can_be_joined()}

    async def _pieces(self, rendering: "_Rendering", first: "_Piece") -> AsyncIterator[bytes]:
        number, piece = 0, first
        yield piece.data
        while not piece.is_last:
            number += 1
            piece = await self._threads.run(rendering.piece, number)
            yield piece.data


class _Piece(NamedTuple):
    """A part of a body."""

    data: bytes
    is_last: bool


class _Rendering:
    """A body that is generated once, piece by piece, when its fastest reader needs the next piece.

    A compressed body keeps its pieces for slower readers. An uncompressed body has one reader.
    """

    def __init__(self, scrape: Scrape) -> None:
        self.scrape = scrape
        self._rest = iter(scrape.body)
        self._pieces: list[_Piece] = []
        self._fault: Exception | None = None
        self._lock = threading.Lock()
        self._began = time.monotonic()

    def can_be_joined(self) -> bool:
        """Return whether another request can join: it has just begun and has not ended."""
        ended = self._fault is not None or (bool(self._pieces) and self._pieces[-1].is_last)
        return not ended and time.monotonic() - self._began < _SHARED_SECONDS

    def piece(self, number: int) -> _Piece:
        """Return a piece, and generate it for its first reader. Readers take pieces in order."""
        if self.scrape.content_encoding is None:
            return _take(self._rest, number)
        # A slower reader does not wait for the lock while the newest piece is generated.
        if number == len(self._pieces):
            with self._lock:
                if number == len(self._pieces):
                    self._write()
        return self._pieces[number]

    def _write(self) -> None:
        if self._fault is not None:
            raise self._fault
        try:
            self._pieces.append(_take(self._rest, len(self._pieces)))
        except Exception as fault:
            self._fault = fault
            raise


class _Exchange(Response):
    """A response that renders and sends one scrape, and calls ``done`` when it ends or fails."""

    def __init__(
        self,
        answer: Callable[[Request], Awaitable[Response]],
        request: Request,
        done: Callable[[BaseException | None], None],
    ) -> None:
        super().__init__()
        self._answer = answer
        self._request = request
        self._done = done

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        fault: BaseException | None = None
        started = False

        async def send_and_note(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            response = await self._answer(self._request)
            await response(scope, receive, send_and_note)
        except Exception as exc:  # noqa: BLE001 - a failed scrape does not affect the server
            fault = exc
        finally:
            self._done(fault)
        if fault is not None and not started:
            await plain_text("Internal Server Error", 500)(scope, receive, send)
        # If the body fails halfway, it stays incomplete. The server then cuts the connection, so
        # the scrape fails in Prometheus instead of succeeding with a part of the series.


def _take(rest: Iterator[bytes], number: int) -> _Piece:
    """Join parts until they have the size of the piece with this number."""
    enough = _FIRST_PIECE << min(number, _DOUBLINGS)
    parts: list[bytes] = []
    size = 0
    for part in rest:
        parts.append(part)
        size += len(part)
        if size >= enough:
            return _Piece(b"".join(parts), is_last=False)
    return _Piece(b"".join(parts), is_last=True)


def plain_text(text: str, status: int, headers: Mapping[str, str] | None = None) -> Response:
    """Return a response with one line of text."""
    return PlainTextResponse(f"{text}\n", status, headers={**PLAIN_HEADERS, **(headers or {})})
