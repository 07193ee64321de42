"""Connections to hosts, kept for the next request unless the network may have dropped them.

NATs, firewalls and load balancers drop a connection that was idle for 60 to 350 seconds, many of
them silently. Three measures keep such a connection from failing a request:

- Its socket sends keepalive probes, which most networks count as traffic.
- A connection that was idle for longer than ``IDLE_SECONDS`` is replaced.
- A request that gets no response over a kept connection is sent again over a fresh one.
"""

import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from typing import Any, cast

import requests
import urllib3
from msgspec import Struct
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from exporter.sls.reading import CHUNK_BYTES, Response, read_response
from exporter.sls.sockets import TLSSocket, connect, watch

IDLE_SECONDS = 50.0
"""The time after which an unused connection is replaced.

It is below the 60 s after which the strictest networks and servers drop one. With the default
interval of 60 s, a server that does so would otherwise close just as the next poll sends.
"""
_SILENT_SHARE = 0.25  # of the remaining time, for the first byte over a kept connection
_SILENT_SECONDS = 3.0  # at most
_MAX_HOSTS = 1000  # with kept connections, per thread


class Route(Struct, frozen=True, kw_only=True):
    """The way to a host: its connections, and the prefix of each path in a request."""

    pool: "_Pool"
    prefix: str

    def get(self, target: str, headers: Mapping[str, str]) -> Response:
        """Send a GET for a path with its query, both percent-encoded; return the response.

        The service may see the request twice if a kept connection turns out to be dead.
        """
        return self.pool.exchange(self.prefix + target, headers)


class Adapter(HTTPAdapter):
    """Pools of connections with watched sockets and one prepared TLS context.

    ``monotonic`` is the clock by which connections are idle.
    """

    def __init__(
        self, context: ssl.SSLContext, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        context.sslsocket_class = TLSSocket
        self._context = context
        self._monotonic = monotonic
        self._routes: dict[str, Route] = {}
        super().__init__(pool_connections=_MAX_HOSTS, pool_maxsize=1)

    def route(self, base_url: str, *, proxied: bool) -> Route:
        """Return the way to a host, through the proxies of the environment if wanted."""
        route = self._routes.get(base_url)
        if route is None:
            if len(self._routes) == _MAX_HOSTS:
                self.close()
            request = requests.PreparedRequest()
            request.method, request.url = "GET", f"{base_url}/"
            proxies = get_environ_proxies(request.url) if proxied else {}
            pool = cast(  # by the classes given below
                "_Pool",
                self.get_connection_with_tls_context(request, verify=True, proxies=proxies),
            )
            pool.monotonic = self._monotonic
            is_whole = self.request_url(request, proxies) == request.url
            prefix = base_url if is_whole else ""
            route = Route(pool=pool, prefix=prefix)
            self._routes[base_url] = route
        return route

    def close(self) -> None:
        """Close the idle connections to every host."""
        self._routes.clear()  # A pool closes its connections when nothing refers to it.
        super().close()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  as requests'
        """Pool watched connections."""
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:  # noqa: ANN401  as requests'
        """Pool watched connections through a proxy as well."""
        manager = super().proxy_manager_for(
            proxy, ssl_context=self._context, proxy_ssl_context=self._context, **kwargs
        )
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}
        return manager

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:  # noqa: ANN401  as requests'
        """Leave verification to the context, which always demands it."""


class _Connection(HTTPConnection):
    """A connection that sends and reads whole messages, without the detours of http.client."""

    idle_since = 0.0
    """The end of its last response, by the clock of its pool."""

    def ask_kept(self, request: bytes) -> bytes:
        """Send a request over a kept connection and return the first bytes of the response.

        Close a dead connection and return no bytes. A connection is dead if it ends, breaks, or
        stays silent for a quarter of the remaining time, at most 3 s.
        """
        limit = watch.shortened(_SILENT_SHARE, at_most=_SILENT_SECONDS)
        with contextlib.suppress(OSError), limit:
            self.sock.sendall(request)
            if begun := self.sock.recv(CHUNK_BYTES):
                return begun
        self.close()
        return b""

    def ask(self, request: bytes) -> None:
        """Send a request over a fresh connection."""
        if self.sock is None:
            self.connect()
        self.sock.sendall(request)

    def read(self, begun: bytes) -> Response:
        """Read the rest of a response, which may end the connection."""
        response = read_response(self.sock, begun)
        if not response.keep_alive:
            self.close()
        return response

    def _new_conn(self) -> socket.socket:
        try:
            return connect(self._dns_host, self.port)
        # A name with an empty or a long label is not even looked up.
        except (socket.gaierror, UnicodeError) as error:
            unresolved = socket.gaierror(socket.EAI_NONAME, str(error))
            raise NameResolutionError(self.host, self, unresolved) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, f"no connection to {self.host} in time") from error
        except OSError as error:
            raise NewConnectionError(self, str(error)) from error


class _TLSConnection(HTTPSConnection, _Connection):
    pass


class _Pool(urllib3.HTTPConnectionPool):
    """A pool that keeps a connection and does without the detours of ``urlopen``.

    Those are for retries, redirects and responses that are read in parts.
    """

    ConnectionCls = _Connection
    monotonic: Callable[[], float] = staticmethod(time.monotonic)

    def exchange(self, target: str, headers: Mapping[str, str]) -> Response:
        """Send a GET and return the response. Raises the errors of the layers below as they are.

        If a kept connection is dead, the request is sent once more over a fresh one. The service
        may therefore see it twice, which does no harm to a GET.

        If the target is a whole address, the proxy reads the request itself, and the headers
        include those for the proxy. Otherwise the proxy gets a request for a tunnel first.
        """
        is_read_by_proxy = not target.startswith("/")
        if is_read_by_proxy:
            headers = {**headers, **self.proxy_headers}
        request = _encode(target, headers)
        watch.next_wait()
        connection = cast("_Connection", self._get_conn())  # closed if it has ended meanwhile
        try:
            if self.monotonic() - connection.idle_since > IDLE_SECONDS:
                connection.close()
            begun = b"" if connection.is_closed else connection.ask_kept(request)
            if not begun:
                watch.next_wait()
                if self.proxy is not None and not is_read_by_proxy:
                    self._prepare_proxy(connection)
                connection.ask(request)
            response = connection.read(begun)
            connection.idle_since = self.monotonic()
        except BaseException:
            connection.close()
            raise
        else:
            return response
        finally:
            self._put_conn(connection)


class _TLSPool(urllib3.HTTPSConnectionPool, _Pool):
    ConnectionCls = _TLSConnection


def _encode(target: str, headers: Mapping[str, str]) -> bytes:
    """Return a GET in one piece. Raises ValueError if it would be more than one request."""
    lines = [f"GET {target} HTTP/1.1", *map("%s: %s".__mod__, headers.items()), "", ""]
    text = "\r\n".join(lines)
    breaks = len(lines) - 1
    if " " in target or "\0" in text or {text.count("\r"), text.count("\n")} != {breaks}:
        raise ValueError("request contains a space, NUL or line break where it is not allowed")
    return text.encode("latin-1")
