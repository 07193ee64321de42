"""One HTTP exchange over requests, bounded in time and size, and abandoned when asked to stop.

It does not follow redirects, and sends again only if a kept connection is dead (``connections``).
The module ``sockets`` watches the time.
"""

import http.client
import socket
import ssl
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from urllib.parse import quote, unquote, urlencode

import certifi
import requests
import urllib3

from exporter.sls.connections import Adapter
from exporter.sls.errors import (
    Cancelled,
    InvalidResponse,
    SlsError,
    TimedOut,
    Unreachable,
    is_passing,
)
from exporter.sls.reading import RefusedError, Response
from exporter.sls.signing import RequestParts, V1Auth, V4Auth
from exporter.sls.sockets import watch


class Transport:
    """A sender of requests with one adapter per thread, each with its own connection to a host.

    ``ca_file`` replaces the bundled authorities. Proxies of the environment are used only if
    ``proxy_from_environment`` is true. Setting ``cancelled`` ends every exchange under way.
    ``monotonic`` is the clock that decides whether a connection was idle for too long.
    """

    def __init__(
        self,
        *,
        cancelled: threading.Event,
        ca_file: Path | None = None,
        proxy_from_environment: bool = False,
        user_agent: str = "sls-exporter",
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cancelled = cancelled
        self._proxied = proxy_from_environment
        self._headers = {"User-Agent": user_agent, "Accept-Encoding": "identity", "Accept": "*/*"}
        self._monotonic = monotonic
        self._ca_file = ca_file or Path(certifi.where())
        self._local = threading.local()
        # Weak, so that one goes, with its connections, when the thread that it served ends.
        self._adapters: weakref.WeakSet[Adapter] = weakref.WeakSet()
        self._lock = threading.Lock()

    def get(
        self,
        base_url: str,
        path: str,
        *,
        operation: str,
        query: Mapping[str, str],
        host: str,
        auth: V1Auth | V4Auth,
        deadline: float,
    ) -> Response:
        """Fetch what is at a path (percent-encoded) before the deadline (monotonic seconds).

        ``base_url`` is a scheme, a host and a port. ``host`` is the value of the Host header.
        The service may see the request twice, which still counts as one here: if a kept connection
        is dead, the request is sent once more over a fresh one, before the same deadline.
        Raises Unreachable, TimedOut, Cancelled or InvalidResponse, and nothing else.
        """
        if self._cancelled.is_set():
            raise Cancelled(operation=operation)
        watch.deadline, watch.cancelled = deadline, self._cancelled
        try:
            return self._exchange(base_url, path, query, host, auth)
        except SlsError:
            raise
        except (
            requests.RequestException,
            urllib3.exceptions.HTTPError,
            http.client.HTTPException,
            OSError,
            ValueError,  # of http.client for headers, of codecs and urllib.parse for addresses
            TypeError,  # of requests for the address of a proxy that is a user without a host
        ) as error:
            if self._cancelled.is_set():
                raise Cancelled(operation=operation) from error
            raise _translated(error, operation) from error

    def close(self) -> None:
        """Close the idle connections of every thread."""
        with self._lock:
            adapters = list(self._adapters)
        for adapter in adapters:
            adapter.close()

    def _exchange(
        self, base_url: str, path: str, query: Mapping[str, str], host: str, auth: V1Auth | V4Auth
    ) -> Response:
        # Not by a session: its cookies, redirects and settings are not wanted, and merging them
        # takes longer than all of our own work on a request.
        headers = {"Host": host}
        parts = RequestParts(method="GET", path=unquote(path), query=query, headers=headers)
        route = self._adapter().route(base_url, proxied=self._proxied)
        target = f"{path}?{urlencode(query, quote_via=quote)}" if query else path
        return route.get(target, {**headers, **self._headers, **auth.sign(parts)})

    def _adapter(self) -> Adapter:
        adapter: Adapter | None = getattr(self._local, "adapter", None)
        if adapter is None:
            with self._lock:
                adapter = Adapter(self._context, monotonic=self._monotonic)
                self._local.adapter = adapter
                self._adapters.add(adapter)
        return adapter

    @cached_property
    def _context(self) -> ssl.SSLContext:
        """What all connections share; to read all authorities takes longer than the first poll."""
        return ssl.create_default_context(cafile=str(self._ca_file))


def _translated(error: BaseException, operation: str) -> SlsError:
    """Name a library's error by its cause, which requests and urllib3 wrap several layers deep."""
    causes = _causes(error)
    for cause in causes:
        if isinstance(cause, RefusedError):
            return InvalidResponse(
                str(cause),
                operation=operation,
                status=cause.status,
                request_id=cause.headers.get("x-log-requestid", ""),
                retryable=is_passing(cause.status),
            )
        # Not urllib3's ConnectTimeoutError: a refused connection is one of its kind as well.
        if isinstance(cause, TimeoutError):
            return TimedOut("no whole answer in time", operation=operation)
    for cause in causes:
        if isinstance(cause, ConnectionError | socket.gaierror | ssl.SSLError):
            return Unreachable(_reason(cause), operation=operation)
        if isinstance(cause, http.client.HTTPException | urllib3.exceptions.InvalidHeader):
            # Cut off, wrong chunk lengths, a status line that is none: not what SLS sends.
            return InvalidResponse(
                f"not a whole HTTP answer: {_reason(cause)}", operation=operation, retryable=True
            )
    for cause in causes:
        # Last, since some of the errors above come wrapped in one of requests that is a ValueError.
        if isinstance(cause, ValueError | TypeError):
            # Its text may hold the password of a proxy or a token.
            message = "an address or a header of the request, or of its proxy, is not valid"
            return Unreachable(message, operation=operation)
    return Unreachable(_reason(causes[-1]), operation=operation)


def _causes(error: BaseException) -> list[BaseException]:
    """List an error, what it wraps and what caused it, outermost first."""
    found: list[BaseException] = []
    queue: list[object] = [error]
    while queue:
        item = queue.pop(0)
        if isinstance(item, BaseException) and not any(item is known for known in found):
            found.append(item)
            queue += [*item.args, getattr(item, "reason", None), item.__cause__, item.__context__]
    return found


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
