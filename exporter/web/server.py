"""The web server: uvicorn's protocol on the exporter's own sockets, in a background thread.

uvicorn's Server is not used, because it handles signals itself, cannot change the TLS context after
its start and waits for slow connections when it stops.
"""

import asyncio
import contextlib
import functools
import resource
import socket
import threading
from collections.abc import Callable, Sequence
from email.utils import formatdate
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.server import ServerState

from exporter.base.clock import SYSTEM_CLOCK, Clock
from exporter.web.acceptor import Acceptor, OnHandshakeError
from exporter.web.connection import Connection, Limits
from exporter.web.listen import ListenAddress, Listener, ListenError, bind_all
from exporter.web.workers import Workers

if TYPE_CHECKING:  # most servers run without it
    from exporter.web.config_file import WatchedWebConfig

_MAX_HEAD_BYTES: Final = 16 * 1024
_DATE_SECONDS: Final = 1.0
_STOP_SECONDS: Final = 0.9  # for the thread to end after the grace time


class WebServer:
    """A server of an ASGI application on one or more addresses.

    ``make_app`` creates the application, with worker threads that end with the server.
    ``web_config_file`` configures TLS, users, headers and a rate limit; an invalid file raises
    ConfigError. ``on_error`` is called for failures that are not caused by a client, with the
    component and the exception. ``on_handshake_error`` is called for failed TLS handshakes.
    """

    def __init__(
        self,
        make_app: Callable[[Workers], ASGIApp],
        addresses: Sequence[Listener],
        *,
        on_error: Callable[[str, BaseException], None],
        on_handshake_error: OnHandshakeError,
        web_config_file: Path | None = None,
        limits: Limits | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._threads = Workers()
        self._app = make_app(self._threads)
        self._web_config: WatchedWebConfig | None = None
        if web_config_file is not None:
            self._app, self._web_config = _secured(
                self._app, web_config_file, on_error, clock, self._threads
            )
        self._asked = tuple(addresses)
        self._on_error = on_error
        self._on_handshake_error = on_handshake_error
        self._limits = _within_descriptors(limits or Limits(), has_tls=self.scheme == "https")
        self._addresses: tuple[ListenAddress, ...] = ()
        self._thread: threading.Thread | None = None
        self._request_stop: Callable[[], object] = lambda: None
        self._serving = threading.Event()
        self._fault: Exception | None = None
        self._grace = 0.0

    @property
    def addresses(self) -> tuple[ListenAddress, ...]:
        """The addresses the server listens on, with their actual ports; empty before the start."""
        return self._addresses

    @property
    def scheme(self) -> str:
        """The scheme of the server's URLs, ``https`` or ``http``."""
        return "https" if self._web_config is not None and self._web_config.has_tls else "http"

    @property
    def users(self) -> int:
        """The number of users who may log in; 0 if no password is needed."""
        return 0 if self._web_config is None else self._web_config.users

    @property
    def warnings(self) -> Sequence[str]:
        """The warnings about the web configuration."""
        return () if self._web_config is None else self._web_config.warnings

    def start(self) -> None:
        """Bind the addresses, and serve in a background thread.

        Raises ListenError if the server cannot listen on an address, or lacks a thread or a file
        descriptor.
        """
        with bind_all(self._asked) as sockets:
            self._addresses = tuple(
                asked.bound_to(sock) for asked, sock in zip(self._asked, sockets, strict=True)
            )
            thread = threading.Thread(target=self._run, args=(sockets,), name="web", daemon=True)
            try:
                thread.start()
            except RuntimeError as exc:  # at a limit of the system
                raise ListenError(f"cannot start the web server: {exc}") from exc
            self._serving.wait()
            if self._fault is not None:
                raise ListenError(f"cannot start the web server: {_why(self._fault)}")
            self._thread = thread

    def stop(self, grace: float) -> None:
        """Stop accepting, and cut the connections that are still open after ``grace`` seconds.

        Returns at most about one second later, even if the callable of a page hangs. In that case
        its thread keeps running. Stopping twice, or before the start, has no effect.
        """
        if self._thread is None:
            return
        self._grace = grace
        with contextlib.suppress(RuntimeError):  # the loop is closed already
            self._request_stop()
        self._thread.join(grace + _STOP_SECONDS)
        self._threads.end()

    def _run(self, sockets: list[socket.socket]) -> None:
        try:
            with asyncio.Runner() as runner:
                runner.run(self._serve(sockets))
        except Exception as exc:  # noqa: BLE001 - a thread has no caller to raise to
            if self._serving.is_set() or not isinstance(exc, OSError):
                self._on_error("web server", exc)
            self._fault = exc.with_traceback(None)
        finally:
            self._serving.set()

    async def _serve(self, sockets: list[socket.socket]) -> None:
        loop, stopping = asyncio.get_running_loop(), asyncio.Event()
        loop.set_exception_handler(self._report)
        self._request_stop = functools.partial(loop.call_soon_threadsafe, stopping.set)
        state = ServerState()
        config = self._config()
        acceptor = Acceptor(
            sockets,
            lambda sock, on_lost: Connection(
                config, state, sock=sock, limits=self._limits, on_lost=on_lost
            ),
            tls=lambda: None if self._web_config is None else self._web_config.tls(),
            limits=self._limits,
            on_error=self._on_error,
            on_handshake_error=self._on_handshake_error,
        )
        background = [
            asyncio.create_task(acceptor.sweep()),
            asyncio.create_task(_keep_date(state)),
        ]
        acceptor.start()
        self._serving.set()
        await stopping.wait()
        await acceptor.stop(self._grace)
        for task in [*background, *state.tasks]:
            task.cancel()

    def _config(self) -> Config:
        config = Config(
            self._guarded,
            http=Connection,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            workers=1,
            timeout_keep_alive=self._limits.keep_alive,
            h11_max_incomplete_event_size=_MAX_HEAD_BYTES,
        )
        config.load()
        return config

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Report exceptions of the application, because uvicorn would log long tracebacks."""
        try:
            await self._app(_in_origin_form(scope), receive, send)
        except Exception as exc:  # noqa: BLE001 - reported, and the connection is cut
            self._on_error("web application", exc)
        except asyncio.CancelledError:
            pass  # the server is stopping

    def _report(self, _: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        fault = context.get("exception")
        if not isinstance(fault, BaseException):
            fault = RuntimeError(str(context.get("message")))
        self._on_error("event loop", fault)


def _why(fault: Exception) -> str:
    text = fault.strerror if isinstance(fault, OSError) else None
    return (text or str(fault)).lower()


def _in_origin_form(scope: Scope) -> Scope:
    """Return a scope whose path has no scheme and no host, as in ``GET http://host/metrics``.

    Proxies send this absolute form, which every server has to accept (RFC 9112, section 3.2.2).
    """
    scheme, separator, rest = scope["path"].partition("://")
    if not separator or scheme.lower() not in {"http", "https"}:
        return scope
    path = f"/{rest.partition('/')[2]}"
    return {**scope, "path": path, "raw_path": path.encode()}


async def _keep_date(state: ServerState) -> None:
    while True:
        state.default_headers = [(b"date", formatdate(usegmt=True).encode())]
        await asyncio.sleep(_DATE_SECONDS)


def _secured(
    app: ASGIApp,
    file: Path,
    on_error: Callable[[str, BaseException], None],
    clock: Clock,
    threads: Workers,
) -> "tuple[ASGIApp, WatchedWebConfig]":
    """Wrap an application with the access control of a web configuration."""
    from exporter.web.config_file import WatchedWebConfig  # noqa: PLC0415  most run without it
    from exporter.web.middleware import AccessMiddleware  # noqa: PLC0415  the same

    web_config = WatchedWebConfig(file, on_error)
    return AccessMiddleware(app, web_config.current, clock, threads), web_config


def _within_descriptors(limits: Limits, *, has_tls: bool) -> Limits:
    """Return limits that leave at least half of the file descriptors for other uses.

    A connection has two of them during a TLS handshake.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = soft // (4 if has_tls else 2)
    if soft == resource.RLIM_INFINITY or most >= limits.connections:
        return limits
    return replace(limits, connections=max(most, 1))
