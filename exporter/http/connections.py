"""Connections to servers, kept for later requests unless the network might have dropped them.

NATs, firewalls and load balancers drop connections that were idle for 60 to 350 seconds, many of
them silently. Three measures prevent failed requests over such a connection:

- Its socket sends keepalive probes, which most networks count as traffic.
- A connection that was idle for longer than ``IDLE_SECONDS`` is replaced.
- A GET that gets no response over a kept connection is sent again over a fresh one.
"""

import contextlib
import io
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any
from urllib.parse import urlsplit

import requests
from msgspec import Struct
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from exporter.http.authorities import Authorities
from exporter.http.request import encode_request
from exporter.http.response import ReceivedResponse, read_response
from exporter.http.routes import Route, find_route, open_stream
from exporter.http.sockets import Stream, Watch

IDLE_SECONDS = 50.0
"""The time after which an unused connection is replaced.

It is below 60 s, after which the strictest networks and servers drop connections. The default
interval is 60 s too, so such a server would otherwise close the connection just as the next poll
sends.
"""
_SILENT_SHARE = 0.25  # of the remaining time, for the first byte over a kept connection
_SILENT_SECONDS = 3.0  # at most
MAX_HOSTS = 1000
"""The maximum number of hosts with a kept connection, per thread."""


class _Kept(Struct, frozen=True):
    stream: Stream
    idle_since: float
    version: int
    """The version of the authorities that it was opened with."""


class Adapter(BaseAdapter):
    """A transport adapter for the requests library, for use in one thread.

    It keeps one connection per host and looks up the proxy once per host. Setting ``cancelled``
    ends every wait. A connection is replaced when ``authorities`` change. ``monotonic`` is the
    clock that measures how long connections are idle.
    """

    def __init__(
        self,
        *,
        cancelled: threading.Event,
        authorities: Authorities,
        max_body_bytes: int,
        proxy_from_environment: bool,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._watch = Watch(cancelled)
        self._authorities = authorities
        self._max_body_bytes = max_body_bytes
        self._monotonic = monotonic
        find = partial(find_route, proxy_from_environment=proxy_from_environment)
        self._route = lru_cache(maxsize=MAX_HOSTS)(find)
        # The connection of the current request is not in it, so another thread can close them all.
        self._kept: dict[str, _Kept] = {}
        weakref.finalize(self, _close_all, self._kept)

    def send(  # noqa: PLR0917  as BaseAdapter's
        self,
        request: requests.PreparedRequest,
        stream: bool = False,  # noqa: ARG002, FBT001, FBT002  always read completely
        timeout: Any = None,  # noqa: ANN401  as BaseAdapter's
        verify: Any = True,  # noqa: ANN401, ARG002, FBT002  always verified
        cert: Any = None,  # noqa: ANN401, ARG002  never sent
        proxies: Any = None,  # noqa: ANN401, ARG002  those of the environment
    ) -> requests.Response:
        """Send a request and return the response with its complete body.

        ``timeout`` is the time limit of the whole exchange in seconds. If a kept connection is
        dead, a GET is sent again, so the server can receive it twice. Raises HttpFailure, OSError
        or ValueError.
        """
        self._watch.deadline = time.monotonic() + timeout
        parts = urlsplit(request.url or "")
        base_url = f"{parts.scheme}://{parts.netloc}"
        route = self._route(base_url)
        message = _encode(request, route, base_url)
        self._authorities.refresh()
        version = self._authorities.version
        opened, begun = self._begin(base_url, route, message, repeatable=request.method == "GET")
        is_kept = False
        try:
            received = read_response(
                opened.receive, max_body_bytes=self._max_body_bytes, begun=begun
            )
            is_kept = received.keep_alive
        finally:
            if is_kept:
                self._keep(base_url, _Kept(opened, self._monotonic(), version))
            else:
                opened.close()
        return _as_response(received, request)

    def close(self) -> None:
        """Close the kept connections. Thread-safe."""
        _close_all(self._kept)

    def _begin(
        self, base_url: str, route: Route, message: bytes, *, repeatable: bool
    ) -> tuple[Stream, bytes]:
        """Send a message over the kept connection or a new one.

        Return the connection and the bytes of the response that have already been received.
        """
        self._watch.next_wait()
        kept = self._kept.pop(base_url, None)
        if kept is not None:
            is_usable = (
                repeatable
                and kept.version == self._authorities.version
                and self._monotonic() - kept.idle_since <= IDLE_SECONDS
                and not kept.stream.is_readable()
            )
            if is_usable and (begun := self._begin_kept(kept.stream, message)):
                return kept.stream, begun
            kept.stream.close()
            self._watch.next_wait()
        stream = open_stream(route, self._watch, self._authorities.context)
        try:
            stream.send(message)
        except BaseException:
            stream.close()
            raise
        return stream, b""

    def _begin_kept(self, stream: Stream, message: bytes) -> bytes:
        """Return the first bytes of the response, or none if the connection is dead.

        A connection is dead if it ends, breaks, or receives nothing for a quarter of the remaining
        time or for 3 s.
        """
        limit = self._watch.shortened(_SILENT_SHARE, at_most=_SILENT_SECONDS)
        with contextlib.suppress(OSError), limit:
            stream.send(message)
            return stream.receive()
        return b""

    def _keep(self, base_url: str, kept: _Kept) -> None:
        if len(self._kept) == MAX_HOSTS:
            _close_all(self._kept)
        self._kept[base_url] = kept


def _close_all(kept: dict[str, _Kept]) -> None:
    with contextlib.suppress(KeyError):  # of an empty dictionary
        while True:
            kept.popitem()[1].stream.close()


def _encode(request: requests.PreparedRequest, route: Route, base_url: str) -> bytes:
    target = request.path_url
    headers: Mapping[str, object] = request.headers
    if route.is_read_by_proxy:
        target, headers = base_url + target, {**headers, **route.proxy_headers}
    body = request.body or b""
    if not isinstance(body, bytes):
        raise TypeError("the body of a request must be bytes")
    return encode_request(request.method or "GET", target, headers, body)


def _as_response(
    received: ReceivedResponse, request: requests.PreparedRequest
) -> requests.Response:
    response = requests.Response()
    response.status_code = received.status
    response.headers = CaseInsensitiveDict(received.headers)
    response.raw = io.BytesIO(received.body)
    response.url = request.url or ""
    response.request = request
    return response
