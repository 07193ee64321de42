"""Sockets that watch the deadline and the stop event of the request that their thread is on.

requests bounds each wait on a socket, not their sum, so an answer that drips would hold a thread
for hours. Here every wait is cut into slices, and the sum of them ends in time. Only the name
resolution is not bounded: the system's resolver does not offer it.
"""

import contextlib
import errno
import os
import select
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from typing import Any, cast

import requests
import urllib3
from msgspec import Struct
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from exporter.sls.reading import Response, read_response

CONNECT_SECONDS = 5.0
"""The limit of a connection, and again of its TLS handshake."""
_SLICE_SECONDS = 0.25  # how long a stop may go unnoticed
_MAX_HOSTS = 1000  # idle connections are kept for so many hosts a thread


class Watch(threading.local):
    """The deadline (monotonic seconds) and the stop event of this thread's current request."""

    deadline: float = 0.0
    cancelled: threading.Event = threading.Event()

    def next_wait(self, *, before: float = float("inf")) -> float:
        """Return the seconds to wait before looking again; TimeoutError if there are none."""
        remaining = min(self.deadline, before) - time.monotonic()
        if remaining <= 0 or self.cancelled.is_set():
            raise TimeoutError("the deadline of the request has passed")
        return min(remaining, _SLICE_SECONDS)


watch = Watch()


class Route(Struct, frozen=True, kw_only=True):
    """How a host is reached: its connections, and what stands before a path in a request."""

    pool: "_Pool"
    prefix: str

    def get(self, target: str, headers: Mapping[str, str]) -> Response:
        """Send a GET for a path with its query, both percent-encoded, and return the answer."""
        return self.pool.exchange(self.prefix + target, headers)


class Adapter(HTTPAdapter):
    """Give every connection watched sockets and one prepared TLS context."""

    def __init__(self, context: ssl.SSLContext) -> None:
        context.sslsocket_class = _TLSSocket
        self._context = context
        self._routes: dict[str, Route] = {}
        super().__init__(pool_connections=_MAX_HOSTS, pool_maxsize=1)

    def route(self, base_url: str, *, proxied: bool) -> Route:
        """Return how to reach a host, found once, by the proxies of the environment if wanted."""
        route = self._routes.get(base_url)
        if route is None:
            if len(self._routes) == _MAX_HOSTS:
                self._routes.clear()
                self.close()
            request = requests.PreparedRequest()
            request.method, request.url = "GET", f"{base_url}/"
            proxies = get_environ_proxies(request.url) if proxied else {}
            pool = self.get_connection_with_tls_context(request, verify=True, proxies=proxies)
            is_whole = self.request_url(request, proxies) == request.url
            prefix = base_url if is_whole else ""
            route = Route(pool=cast("_Pool", pool), prefix=prefix)  # by the classes given below
            self._routes[base_url] = route
        return route

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  as requests'
        """Pool connections of our own kind."""
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:  # noqa: ANN401  as requests'
        """Pool connections of our own kind through a proxy as well."""
        manager = super().proxy_manager_for(
            proxy, ssl_context=self._context, proxy_ssl_context=self._context, **kwargs
        )
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}
        return manager

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:  # noqa: ANN401  as requests'
        """Leave verification to the context, which always demands it."""


class _Watched(socket.socket):
    """Waits in slices, until the request that its thread is on has no time left."""

    def recv(self, *args: Any) -> bytes:  # noqa: ANN401  a size and flags, as socket
        while True:
            self._wait_at_most(watch.next_wait())
            with contextlib.suppress(TimeoutError):
                return super().recv(*args)

    def recv_into(self, *args: Any, **kwargs: Any) -> int:  # noqa: ANN401  any buffer, as socket
        while True:
            self._wait_at_most(watch.next_wait())
            with contextlib.suppress(TimeoutError):
                return super().recv_into(*args, **kwargs)

    def sendall(self, data: Any, flags: int = 0) -> None:  # noqa: ANN401  any buffer, as socket
        rest = memoryview(data)
        while rest:
            self._wait_at_most(watch.next_wait())
            with contextlib.suppress(TimeoutError):
                rest = rest[self.send(rest, flags) :]

    def _wait_at_most(self, seconds: float) -> None:
        # Mostly it is a slice again, and to set that would be a call of the system.
        if self.gettimeout() != seconds:
            self.settimeout(seconds)


class _Socket(_Watched):
    pass


class _TLSSocket(_Watched, ssl.SSLSocket):
    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002  as ssl's
        deadline = time.monotonic() + CONNECT_SECONDS
        while True:
            self.settimeout(watch.next_wait(before=deadline))
            # A handshake that was interrupted goes on where it was.
            with contextlib.suppress(TimeoutError):
                return super().do_handshake(block)


class _Connection(HTTPConnection):
    """Sends requests and reads answers whole, without the detours of http.client."""

    def get(self, target: str, headers: Mapping[str, str]) -> Response:
        """Send a GET in one piece and read the whole answer, which may end the connection.

        Raises ValueError for what would be more than one request.
        """
        lines = [f"GET {target} HTTP/1.1", *map("%s: %s".__mod__, headers.items()), "", ""]
        text = "\r\n".join(lines)
        breaks = len(lines) - 1
        if " " in target or "\0" in text or {text.count("\r"), text.count("\n")} != {breaks}:
            raise ValueError("a request that would not be one")
        if self.sock is None:
            self.connect()
        self.sock.sendall(text.encode("latin-1"))
        answer = read_response(self.sock)
        if not answer.keep_alive:
            self.close()
        return answer

    def _new_conn(self) -> socket.socket:
        try:
            return _connect(self._dns_host, self.port)
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
    """Keeps a connection; exchanges go without the detours of ``urlopen``.

    Those are for retries, redirects and answers that are read bit by bit.
    """

    ConnectionCls = _Connection

    def exchange(self, target: str, headers: Mapping[str, str]) -> Response:
        """Send a GET and return the answer; raises what the layers below do, as it is.

        Where the target is a whole address, the proxy reads the request itself, and what is for it
        is among the headers. Else it is told beforehand, and hands on what it cannot read.
        """
        watch.next_wait()
        is_read_by_proxy = not target.startswith("/")
        connection = cast("_Connection", self._get_conn())  # none that has ended meanwhile
        try:
            if is_read_by_proxy:
                return connection.get(target, {**headers, **self.proxy_headers})
            if self.proxy is not None and connection.is_closed:
                self._prepare_proxy(connection)
            return connection.get(target, headers)
        except BaseException:
            connection.close()
            raise
        finally:
            self._put_conn(connection)


class _TLSPool(urllib3.HTTPSConnectionPool, _Pool):
    ConnectionCls = _TLSConnection


def _connect(host: str, port: int) -> socket.socket:
    """Try each address of a host; an address that swallows packets leaves time for the others."""
    deadline = min(watch.deadline, time.monotonic() + CONNECT_SECONDS)
    found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    failure: OSError = TimeoutError("no time left to connect")
    for number, (family, kind, protocol, _, address) in enumerate(found):
        now = time.monotonic()
        sock = _Socket(family, kind, protocol)
        try:
            _open(sock, address, now + (deadline - now) / (len(found) - number))
        except OSError as error:
            sock.close()
            failure = error
        else:
            return sock
    raise failure


def _open(sock: socket.socket, address: Any, deadline: float) -> None:  # noqa: ANN401  as socket's
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setblocking(False)  # noqa: FBT003  as socket's
    code = sock.connect_ex(address)
    if code == errno.EINPROGRESS:
        poll = select.poll()
        poll.register(sock, select.POLLOUT)
        while not poll.poll(1000 * watch.next_wait(before=deadline)):
            pass
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise OSError(code, os.strerror(code))
    sock.settimeout(watch.next_wait())
