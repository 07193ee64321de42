"""The telemetry route: renders scrapes in worker threads, streams them, bounds their number.

Scrapes of one kind that come together share one rendering: two Prometheus servers of a pair cost
hardly more than one.
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
# Pieces begin small, so that the first byte comes soon, and grow, as each changes threads twice.
_FIRST_PIECE: Final = 64 * 1024
_DOUBLINGS: Final = 4
_RETRY_AFTER: Final = "1"
_SHARED_SECONDS: Final = 0.25  # by so much may a shared scrape be older than its request


class RenderScrape(Protocol):
    """A function that renders a scrape for two request headers, which are empty if not sent."""

    def __call__(self, *, accept: str, accept_encoding: str) -> Scrape:
        """Return the scrape; its body is written when it is read."""
        ...


class Scrapes:
    """Counts scrapes in flight and streams their bodies.

    More than ``max_requests`` at once are refused, 0 means no limit. A fault is told to
    ``on_error`` with the path.
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
        """Answer one scrape."""
        if self._max_requests and self._in_flight >= self._max_requests:
            text = f"{self._max_requests} scrapes are being answered already, try again later."
            return plain_text(text, 503, {"Retry-After": _RETRY_AFTER})
        # Counted from here to the last byte sent; the response counts down.
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
        """Render up to the first piece, or join who is about to."""
        scrape = self._render(accept=accept, accept_encoding=accept_encoding)
        rendering = _Rendering(scrape)
        # One that is not compressed is too large to be kept until its last reader has it.
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
    """A body that is written once, piece by piece, as its fastest reader comes to each.

    A compressed one keeps its pieces for the readers behind; another has one reader.
    """

    def __init__(self, scrape: Scrape) -> None:
        self.scrape = scrape
        self._rest = iter(scrape.body)
        self._pieces: list[_Piece] = []
        self._fault: Exception | None = None
        self._lock = threading.Lock()
        self._began = time.monotonic()

    def can_be_joined(self) -> bool:
        """Tell whether it is under way and as good as new."""
        ended = self._fault is not None or (bool(self._pieces) and self._pieces[-1].is_last)
        return not ended and time.monotonic() - self._began < _SHARED_SECONDS

    def piece(self, number: int) -> _Piece:
        """Return a piece, written now if nobody had it yet; each reader takes them in order."""
        if self.scrape.content_encoding is None:
            return _take(self._rest, number)
        # Who is behind need not wait for the piece that is being written.
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
    """Renders and sends one scrape, and says when that is over, however it ended."""

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
        except Exception as exc:  # noqa: BLE001 - a page's fault is its own, not the server's
            fault = exc
        finally:
            self._done(fault)
        if fault is not None and not started:
            await plain_text("Internal Server Error", 500)(scope, receive, send)
        # A body that broke off half-way is left incomplete: the server cuts the connection, so the
        # scraper sees a failed scrape and never takes a part for the whole.


def _take(rest: Iterator[bytes], number: int) -> _Piece:
    """Join parts up to the size of the piece of a number."""
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
    """Answer with a line of text."""
    return PlainTextResponse(f"{text}\n", status, headers={**PLAIN_HEADERS, **(headers or {})})
