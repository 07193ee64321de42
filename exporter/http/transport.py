"""HTTP exchanges with the requests library, limited in time and size, and ended on a stop.

Redirects are not followed. A GET is sent again only if a kept connection is dead (see
``connections``).
"""

import threading
import time
import weakref
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from pathlib import Path

import requests

from exporter.http.authorities import Authorities, OnCaChange, ignore_change
from exporter.http.connections import MAX_HOSTS, Adapter
from exporter.http.failure import HttpFailure
from exporter.http.response import Response

# Far more than the largest regular response of SLS (500 projects). A decoded body that consists
# only of brackets takes about twenty times its length in memory.
MAX_BODY_BYTES = 4 * 2**20

OnResponse = Callable[[str, Response], None]
"""A function that gets the target of a request and its complete response."""


class Transport:
    """A sender of requests with one adapter per thread, each with its own connection to a host.

    ``ca_file`` replaces the bundled authorities. When it changes, it is loaded again, connections
    are replaced, and ``on_ca_change`` is called. Proxies of the environment are used only if
    ``proxy_from_environment`` is true. Setting ``cancelled`` ends every current exchange.
    ``monotonic`` is the clock that decides whether a connection was idle for too long.
    ``on_response`` gets the target of each request with its complete response.
    """

    def __init__(
        self,
        *,
        cancelled: threading.Event,
        ca_file: Path | None = None,
        on_ca_change: OnCaChange = ignore_change,
        proxy_from_environment: bool = False,
        max_body_bytes: int = MAX_BODY_BYTES,
        user_agent: str = "sls-exporter",
        monotonic: Callable[[], float] = time.monotonic,
        on_response: OnResponse = lambda _target, _response: None,
    ) -> None:
        self._cancelled = cancelled
        self._authorities = Authorities(ca_file, on_change=on_ca_change)
        self._proxy_from_environment = proxy_from_environment
        self._max_body_bytes = max_body_bytes
        headers = {"User-Agent": user_agent, "Accept-Encoding": "identity", "Accept": "*/*"}
        self._monotonic = monotonic
        self._on_response = on_response
        # Prepare a request once per server, because this is the slowest step of an exchange here.
        self._prepared = lru_cache(maxsize=MAX_HOSTS)(partial(_prepare, headers))
        self._local = threading.local()
        # Weak references let an adapter and its connections be freed when its thread ends.
        self._adapters: weakref.WeakSet[Adapter] = weakref.WeakSet()
        self._lock = threading.Lock()

    def send(
        self,
        method: str,
        base_url: str,
        target: str,
        *,
        headers: Mapping[str, str],
        deadline: float,
        body: bytes | None = None,
    ) -> Response:
        """Send a request and return its response before the deadline (monotonic seconds).

        ``base_url`` is a scheme, a host and a port. ``target`` is a path with its query, both
        percent-encoded. ``headers`` include Host. If a kept connection is dead, a GET is sent again
        over a new one with the same deadline. The server can receive it twice, but it counts as one
        request here. Raises only HttpFailure.
        """
        if self._cancelled.is_set():
            raise _cancelled()
        try:
            # Targets and headers need no preparation. A signed target must not be changed.
            request = self._prepared(method, base_url).copy()
            request.url = base_url + target
            request.headers.update(headers)
            if body is not None:
                request.prepare_body(body, None)
            timeout = deadline - time.monotonic()
            response = self._adapter().send(request, stream=True, timeout=timeout)
            received = response.raw.read()  # Unlike .content, it does not copy the body.
        except HttpFailure:
            raise
        except (requests.RequestException, OSError, ValueError) as error:
            raise self._failure(error) from None
        found = Response(status=response.status_code, headers=response.headers, body=received)
        self._on_response(target, found)
        return found

    def close(self) -> None:
        """Close the idle connections of every thread."""
        with self._lock:
            adapters = list(self._adapters)
        for adapter in adapters:
            adapter.close()

    def _failure(self, error: Exception) -> HttpFailure:
        if self._cancelled.is_set():
            return _cancelled()
        # The exceptions of the requests library are subclasses of OSError.
        if isinstance(error, OSError) and not isinstance(error, requests.RequestException):
            if isinstance(error, TimeoutError):
                return HttpFailure("timeout", "no complete response in time")
            return HttpFailure("connection", f"{type(error).__name__}: {error}")
        # The text of the error can contain a token or the password of a proxy.
        reason = "an address or a header of the request, or of its proxy, is not valid"
        return HttpFailure("connection", reason)

    def _adapter(self) -> Adapter:
        adapter: Adapter | None = getattr(self._local, "adapter", None)
        if adapter is None:
            adapter = self._local.adapter = Adapter(
                cancelled=self._cancelled,
                authorities=self._authorities,
                max_body_bytes=self._max_body_bytes,
                proxy_from_environment=self._proxy_from_environment,
                monotonic=self._monotonic,
            )
            with self._lock:
                self._adapters.add(adapter)
        return adapter


def _prepare(headers: Mapping[str, str], method: str, base_url: str) -> requests.PreparedRequest:
    return requests.Request(method, base_url, headers=headers).prepare()


def _cancelled() -> HttpFailure:
    return HttpFailure("cancelled", "the exporter is stopping")
