"""One HTTP exchange by requests, bounded in time and size, and abandoned on a stop.

It follows no redirect, and sends again only if a kept connection is dead (``connections``).
"""

import ssl
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache, partial
from pathlib import Path

import certifi
import requests

from exporter.http.connections import MAX_HOSTS, Adapter
from exporter.http.failure import HttpFailure
from exporter.http.response import Response

# Far more than the largest regular response of SLS (500 projects). Decoded, a body of brackets only
# takes about twenty times its length.
MAX_BODY_BYTES = 4 * 2**20


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
        max_body_bytes: int = MAX_BODY_BYTES,
        user_agent: str = "sls-exporter",
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cancelled = cancelled
        self._ca_file = ca_file or Path(certifi.where())
        self._proxy_from_environment = proxy_from_environment
        self._max_body_bytes = max_body_bytes
        headers = {"User-Agent": user_agent, "Accept-Encoding": "identity", "Accept": "*/*"}
        self._monotonic = monotonic
        # Once per server, since it takes longer than everything else that an exchange does here.
        self._prepared = lru_cache(maxsize=MAX_HOSTS)(partial(_prepare, headers))
        self._local = threading.local()
        # Weak, so that one goes, with its connections, when the thread that it served ends.
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
        percent-encoded. ``headers`` include Host. The server can see a GET twice, which still
        counts as one here: if a kept connection is dead, the GET is sent again over a fresh one,
        before the same deadline. Raises HttpFailure, and nothing else.
        """
        if self._cancelled.is_set():
            raise _cancelled()
        try:
            # Targets and headers need no preparation. A target must stay as it was signed.
            request = self._prepared(method, base_url).copy()
            request.url = base_url + target
            request.headers.update(headers)
            if body is not None:
                request.prepare_body(body, None)
            timeout = deadline - time.monotonic()
            response = self._adapter().send(request, stream=True, timeout=timeout)
            received = response.raw.read()  # Unlike .content, it does not copy the body.
            return Response(status=response.status_code, headers=response.headers, body=received)
        except HttpFailure:
            raise
        except (requests.RequestException, OSError, ValueError) as error:
            raise self._failure(error) from None

    def close(self) -> None:
        """Close the idle connections of every thread."""
        with self._lock:
            adapters = list(self._adapters)
        for adapter in adapters:
            adapter.close()

    def _failure(self, error: Exception) -> HttpFailure:
        if self._cancelled.is_set():
            return _cancelled()
        # The errors of requests are also of the kind OSError.
        if isinstance(error, OSError) and not isinstance(error, requests.RequestException):
            if isinstance(error, TimeoutError):
                return HttpFailure("timeout", "no complete response in time")
            return HttpFailure("connection", f"{type(error).__name__}: {error}")
        # Its text can have the password of a proxy or a token.
        reason = "an address or a header of the request, or of its proxy, is not valid"
        return HttpFailure("connection", reason)

    def _adapter(self) -> Adapter:
        adapter: Adapter | None = getattr(self._local, "adapter", None)
        if adapter is None:
            adapter = self._local.adapter = Adapter(
                cancelled=self._cancelled,
                context=self._shared_context,
                max_body_bytes=self._max_body_bytes,
                proxy_from_environment=self._proxy_from_environment,
                monotonic=self._monotonic,
            )
            with self._lock:
                self._adapters.add(adapter)
        return adapter

    def _shared_context(self) -> ssl.SSLContext:
        """Return what all connections share; reading all authorities takes longer than a poll."""
        with self._lock:
            return self._context

    @cached_property
    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self._ca_file))
        context.set_alpn_protocols(["http/1.1"])
        return context


def _prepare(headers: Mapping[str, str], method: str, base_url: str) -> requests.PreparedRequest:
    return requests.Request(method, base_url, headers=headers).prepare()


def _cancelled() -> HttpFailure:
    return HttpFailure("cancelled", "the exporter is stopping")
