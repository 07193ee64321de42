"""The routes for metrics, status and health checks, as a starlette application.

Health checks run on the event loop. Scrapes, pages and reloads have separate pools of worker
threads, so a slow scrape delays neither a health check nor the status page.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from msgspec import Struct
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from exporter.status import api, page
from exporter.status.rows import StatusRows
from exporter.web.headers import PLAIN_HEADERS, html_headers
from exporter.web.scrapes import RenderScrape, Scrapes, plain_text
from exporter.web.workers import WorkerPool, Workers

_PAGE_THREADS: Final = 2

Respond = Callable[[Request], Awaitable[Response]]
OnError = Callable[[str, BaseException], None]


class Content(Struct, frozen=True, kw_only=True):
    """The functions behind the routes.

    ``scrape``, ``groups`` and ``reload`` run in worker threads. ``unhealthy`` and ``unready`` run
    on the event loop, so they must not block.
    """

    scrape: RenderScrape
    groups: Callable[[], StatusRows]
    unhealthy: Callable[[], str | None]
    """A function that returns why the health check fails, or None. ``unready`` is the same."""
    unready: Callable[[], str | None]
    reload: Callable[[], Sequence[str]] | None
    """A function that reloads and returns all errors; None if HTTP clients cannot reload."""


def create_app(
    content: Content,
    threads: Workers,
    *,
    on_error: OnError,
    telemetry_path: str = "/metrics",
    max_requests: int = 0,
) -> ASGIApp:
    """Return the application.

    At most ``max_requests`` scrapes are handled at the same time; 0 means no limit. If a callable
    raises an exception, the client gets a plain 500 response, and ``on_error`` is called with the
    path and the exception.
    """
    of_pages = threads.pool("pages", _PAGE_THREADS)
    of_reload = threads.pool("reload", 1)  # one at a time
    scrapes = Scrapes(
        content.scrape,
        threads,
        on_error=on_error,
        path=telemetry_path,
        max_requests=max_requests,
    )

    def route(path: str, respond: Respond, method: str = "GET") -> Route:
        return Route(path, _guarded(path, respond, on_error), methods=[method])

    async def status(request: Request) -> Response:
        query = dict(request.query_params)
        html = await of_pages.run(
            lambda: page.page(content.groups(), query, telemetry_path=telemetry_path)
        )
        return Response(html, headers=html_headers(html), media_type="text/html")

    async def groups(request: Request) -> Response:
        query = dict(request.query_params)
        body = await of_pages.run(lambda: api.as_json(content.groups(), query))
        headers = PLAIN_HEADERS | {"Cache-Control": "no-store"}
        return Response(body, headers=headers, media_type="application/json")

    app = Starlette(
        routes=[
            # If the telemetry path equals another path, the scrape wins because it comes first.
            Route(telemetry_path, scrapes.endpoint, methods=["GET"]),
            route("/", status),
            route("/api/v1/groups", groups),
            route("/-/healthy", _check(content.unhealthy, "healthy")),
            route("/-/ready", _check(content.unready, "ready")),
            route("/-/reload", _reload(content, of_reload), "POST"),
        ],
        exception_handlers={HTTPException: _refuse},
    )
    app.router.redirect_slashes = False
    return app


def _guarded(path: str, respond: Respond, on_error: OnError) -> Respond:
    async def guarded(request: Request) -> Response:
        try:
            return await respond(request)
        except Exception as exc:  # noqa: BLE001 - a failed page does not affect the server
            on_error(path, exc)
            return plain_text("Internal Server Error", 500)

    return guarded


def _check(check: Callable[[], str | None], state: str) -> Respond:
    async def respond(_: Request) -> Response:
        reason = check()
        if reason is None:
            return plain_text(state, 200)
        return plain_text(f"not {state}: {reason}", 503)

    return respond


def _reload(content: Content, threads: WorkerPool) -> Respond:
    async def respond(_: Request) -> Response:
        if content.reload is None:
            return plain_text("Reloading over HTTP is off; start with --web.enable-lifecycle.", 403)
        faults = await threads.run(content.reload)
        return plain_text("\n".join(faults), 500) if faults else plain_text("reloaded", 200)

    return respond


async def _refuse(_: Request, exc: Exception) -> Response:
    if not isinstance(exc, HTTPException):
        raise exc
    return plain_text(exc.detail, exc.status_code, dict(exc.headers or {}))
