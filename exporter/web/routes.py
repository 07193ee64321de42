"""The routes as a starlette application over the callables of Pages.

Health checks are answered on the event loop, everything else by worker threads of its own kind,
so a slow scrape delays neither a health check nor the status page.
"""

import functools
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Final

from anyio import CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from exporter.web.headers import PLAIN_HEADERS, html_headers
from exporter.web.pages import MetricsAnswer, MetricsRequest, Pages

_METRICS_THREADS: Final = 4
_PAGE_THREADS: Final = 2
_PIECE: Final = 256 * 1024
_RETRY_AFTER: Final = "1"
_PLAIN_PATH: Final = re.compile(r"/[A-Za-z0-9._~/-]*")

Respond = Callable[[Request], Awaitable[Response]]
OnError = Callable[[str, BaseException], None]


def create_app(
    pages: Pages,
    *,
    on_error: OnError,
    telemetry_path: str = "/metrics",
    max_requests: int = 0,
) -> ASGIApp:
    """Return the application; ``max_requests`` scrapes are answered at once, 0 means no limit.

    An exception in a callable is answered with a plain 500 and told to ``on_error`` with the path.
    Raises ValueError for a telemetry path that is not a plain absolute path.
    """
    if not _PLAIN_PATH.fullmatch(telemetry_path):
        raise ValueError("the telemetry path must begin with / and be a plain path")
    threads = CapacityLimiter(_PAGE_THREADS)
    scrapes = _Scrapes(pages, on_error, telemetry_path, max_requests)

    def route(path: str, respond: Respond, method: str = "GET") -> Route:
        return Route(path, _guarded(path, respond, on_error), methods=[method])

    async def status(request: Request) -> Response:
        query = dict(request.query_params)
        page = await to_thread.run_sync(pages.status, query, limiter=threads)
        return Response(page, headers=html_headers(page), media_type="text/html")

    async def groups(request: Request) -> Response:
        query = dict(request.query_params)
        body = await to_thread.run_sync(pages.groups, query, limiter=threads)
        headers = PLAIN_HEADERS | {"Cache-Control": "no-store"}
        return Response(body, headers=headers, media_type="application/json")

    app = Starlette(
        routes=[
            # The order decides where the telemetry path is one of the others: the scrape wins.
            Route(telemetry_path, scrapes.endpoint, methods=["GET"]),
            route("/", status),
            route("/api/v1/groups", groups),
            route("/-/healthy", _check(pages.healthy, "healthy")),
            route("/-/ready", _check(pages.ready, "ready")),
            route("/-/reload", _reload(pages), "POST"),
        ],
        exception_handlers={HTTPException: _refuse},
    )
    app.router.redirect_slashes = False
    return app


def _guarded(path: str, respond: Respond, on_error: OnError) -> Respond:
    async def guarded(request: Request) -> Response:
        try:
            return await respond(request)
        except Exception as exc:  # noqa: BLE001 - a page's fault is its own, not the server's
            on_error(path, exc)
            return _text("Internal Server Error", 500)

    return guarded


def _check(check: Callable[[], str | None], state: str) -> Respond:
    async def respond(_: Request) -> Response:
        reason = check()
        return _text(f"{state}", 200) if reason is None else _text(f"not {state}: {reason}", 503)

    return respond


def _reload(pages: Pages) -> Respond:
    one_at_a_time = CapacityLimiter(1)

    async def respond(_: Request) -> Response:
        if pages.reload is None:
            return _text("Reloading over HTTP is off; start with --web.enable-lifecycle.", 403)
        faults = await to_thread.run_sync(pages.reload, limiter=one_at_a_time)
        return _text("\n".join(faults), 500) if faults else _text("reloaded", 200)

    return respond


class _Scrapes:
    """The telemetry route: counts scrapes in flight and streams their bodies."""

    def __init__(self, pages: Pages, on_error: OnError, path: str, max_requests: int) -> None:
        self._pages = pages
        self._on_error = on_error
        self._path = path
        self._max_requests = max_requests
        self._in_flight = 0
        self._threads = CapacityLimiter(_METRICS_THREADS)

    async def endpoint(self, request: Request) -> Response:
        if self._max_requests and self._in_flight >= self._max_requests:
            text = f"{self._max_requests} scrapes are being answered already, try again later."
            return _text(text, 503, {"Retry-After": _RETRY_AFTER})
        # Counted from here to the last byte sent; the response counts down.
        self._in_flight += 1
        return _Scrape(self._answer, request, self._done)

    def _done(self, fault: BaseException | None) -> None:
        self._in_flight -= 1
        if fault is not None:
            self._on_error(self._path, fault)

    async def _answer(self, request: Request) -> Response:
        asked = MetricsRequest(
            accept=", ".join(request.headers.getlist("accept")),
            accept_encoding=", ".join(request.headers.getlist("accept-encoding")),
        )
        answer = await to_thread.run_sync(self._pages.metrics, asked, limiter=self._threads)
        headers = PLAIN_HEADERS | {
            "Content-Type": answer.content_type,
            "Vary": "Accept, Accept-Encoding",
        }
        if answer.content_encoding is not None:
            headers["Content-Encoding"] = answer.content_encoding
        if isinstance(answer.body, bytes):
            headers["Content-Length"] = str(len(answer.body))
        return StreamingResponse(self._pieces(answer), headers=headers)

    async def _pieces(self, answer: MetricsAnswer) -> AsyncIterator[bytes | memoryview]:
        if isinstance(answer.body, bytes):
            whole = memoryview(answer.body)
            for start in range(0, len(whole), _PIECE):
                yield whole[start : start + _PIECE]
            return
        rest = iter(answer.body)
        take = functools.partial(_take, rest)
        while piece := await to_thread.run_sync(take, limiter=self._threads):
            yield piece


class _Scrape(Response):
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
            await _text("Internal Server Error", 500)(scope, receive, send)
        # A body that broke off half-way is left incomplete: the server cuts the connection, so the
        # scraper sees a failed scrape and never takes a part for the whole.


def _take(rest: Iterator[bytes]) -> bytes:
    """Join pieces up to a size that is worth the way to another thread and back."""
    parts: list[bytes] = []
    size = 0
    for part in rest:
        parts.append(part)
        size += len(part)
        if size >= _PIECE:
            break
    return b"".join(parts)


async def _refuse(_: Request, exc: Exception) -> Response:
    if not isinstance(exc, HTTPException):
        raise exc
    return _text(exc.detail, exc.status_code, dict(exc.headers or {}))


def _text(text: str, status: int, headers: dict[str, str] | None = None) -> Response:
    return PlainTextResponse(f"{text}\n", status, headers=PLAIN_HEADERS | (headers or {}))
