"""One HTTP exchange over requests, bounded in time and size, and abandoned when asked to stop.

requests bounds each wait on the socket, not their sum, so an answer that drips would hold a thread
for hours. Here the sockets themselves watch the deadline of the request that their thread is on.
"""

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any, cast

import certifi
import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    NameResolutionError,
    NewConnectionError,
    ReadTimeoutError,
)

from exporter.sls.errors import Cancelled, InvalidResponse, SlsError, TimedOut, Unreachable

MAX_BODY_BYTES = 16 * 2**20
CONNECT_SECONDS = 5.0
_SLICE_SECONDS = 0.25  # how long a stop may go unnoticed
_CHUNK_BYTES = 64 * 2**10
_MAX_HOSTS = 1000  # idle connections are kept for so many hosts a thread


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole HTTP answer; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _Watch(threading.local):
    """The deadline (monotonic seconds) and the stop event of this thread's current request."""

    deadline: float = 0.0
    cancelled: threading.Event = threading.Event()

    def next_wait(self) -> float:
        remaining = self.deadline - time.monotonic()
        if remaining <= 0 or self.cancelled.is_set():
            raise TimeoutError("the deadline of the request has passed")
        return min(remaining, _SLICE_SECONDS)


_watch = _Watch()


class _WatchedSocket(socket.socket):
    def recv_into(self, *args: Any, **kwargs: Any) -> int:  # noqa: ANN401  any buffer, as socket
        while True:
            self.settimeout(_watch.next_wait())
            with contextlib.suppress(TimeoutError):
                return super().recv_into(*args, **kwargs)


class _WatchedTLSSocket(ssl.SSLSocket):
    def recv_into(self, *args: Any, **kwargs: Any) -> int:  # noqa: ANN401  any buffer, as socket
        while True:
            self.settimeout(_watch.next_wait())
            with contextlib.suppress(TimeoutError):
                return super().recv_into(*args, **kwargs)

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002  as ssl's
        self.settimeout(max(0.001, min(CONNECT_SECONDS, _watch.deadline - time.monotonic())))
        super().do_handshake(block)


class _Connection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        try:
            return _connect(self._dns_host, self.port)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, f"no connection to {self.host} in time") from error
        except OSError as error:
            raise NewConnectionError(self, str(error)) from error


class _TLSConnection(HTTPSConnection, _Connection):
    pass


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _TLSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


class _Adapter(HTTPAdapter):
    """Give every connection our sockets and one prepared TLS context."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__(pool_connections=_MAX_HOSTS, pool_maxsize=1)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  as requests'
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:  # noqa: ANN401  as requests'
        manager = super().proxy_manager_for(proxy, ssl_context=self._context, **kwargs)
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}
        return manager

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:  # noqa: ANN401  as requests'
        """Leave verification to the context, which always demands it."""


class Transport:
    """Send requests; one session a thread, since requests does not promise thread safety.

    ``ca_file`` replaces the bundled authorities. Proxies of the environment are used only where
    ``proxy_from_environment`` says so. Setting ``cancelled`` ends every exchange under way.
    """

    def __init__(
        self,
        *,
        cancelled: threading.Event,
        ca_file: Path | None = None,
        proxy_from_environment: bool = False,
        user_agent: str = "sls-exporter",
    ) -> None:
        self._cancelled = cancelled
        self._proxied = proxy_from_environment
        self._user_agent = user_agent
        self._context = ssl.create_default_context(cafile=str(ca_file or certifi.where()))
        self._context.sslsocket_class = _WatchedTLSSocket
        self._local = threading.local()
        self._sessions: list[requests.Session] = []
        self._lock = threading.Lock()

    def get(
        self,
        url: str,
        *,
        operation: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        auth: AuthBase,
        deadline: float,
    ) -> Answer:
        """Fetch a URL before the deadline (monotonic seconds).

        Raises Unreachable, TimedOut, Cancelled or InvalidResponse, and nothing else.
        """
        if self._cancelled.is_set():
            raise Cancelled(operation=operation)
        _watch.deadline, _watch.cancelled = deadline, self._cancelled
        try:
            return self._exchange(url, operation, query, headers, auth)
        except SlsError:
            raise
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            if self._cancelled.is_set():
                raise Cancelled(operation=operation) from error
            raise _translated(error, operation) from error

    def close(self) -> None:
        """Close the idle connections of every thread."""
        with self._lock:
            sessions, self._sessions = self._sessions, []
        for session in sessions:
            session.close()

    def _exchange(
        self,
        url: str,
        operation: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        auth: AuthBase,
    ) -> Answer:
        session = self._session()
        request = requests.Request("GET", url, params=query, headers=headers, auth=auth)
        prepared = session.prepare_request(request)
        proxies = (
            session.merge_environment_settings(url, {}, None, None, None)["proxies"]
            if self._proxied
            else {}
        )
        timeout = max(0.001, _watch.deadline - time.monotonic())
        with session.send(
            prepared, stream=True, timeout=timeout, allow_redirects=False, proxies=proxies
        ) as response:
            encoding = response.headers.get("content-encoding", "identity")
            if encoding.lower() != "identity":
                raise InvalidResponse(
                    "the answer is compressed, which was not asked for",
                    operation=operation,
                    status=response.status_code,
                )
            body = _read(response.raw, operation, response.status_code)
            return Answer(
                status=response.status_code,
                headers={name.lower(): value for name, value in response.headers.items()},
                body=body,
            )

    def _session(self) -> requests.Session:
        session = getattr(self._local, "session", None)
        if session is None:
            session = requests.Session()
            session.trust_env = self._proxied
            session.headers.clear()
            session.headers.update(
                {"User-Agent": self._user_agent, "Accept-Encoding": "identity", "Accept": "*/*"}
            )
            session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
            adapter = _Adapter(self._context)
            session.mount("https://", adapter)
            session.mount("http://", adapter)
            self._local.session = session
            with self._lock:
                self._sessions.append(session)
        return cast("requests.Session", session)


def _connect(host: str, port: int) -> socket.socket:
    """Try each address of a host; all of them together within the connect and whole deadlines."""
    deadline = min(_watch.deadline, time.monotonic() + CONNECT_SECONDS)
    failure: OSError = TimeoutError("no time left to connect")
    for family, kind, protocol, _, address in socket.getaddrinfo(
        host.strip("[]"), port, type=socket.SOCK_STREAM
    ):
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            break
        sock = _WatchedSocket(family, kind, protocol)
        try:
            sock.settimeout(remaining)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.connect(address)
        except OSError as error:
            sock.close()
            failure = error
        else:
            return sock
    raise failure


def _read(raw: urllib3.BaseHTTPResponse, operation: str, status: int) -> bytes:
    """Read a body up to the bound; a larger one is given up together with its connection."""
    chunks: list[bytes] = []
    size = 0
    while chunk := raw.read(_CHUNK_BYTES, decode_content=False):
        chunks.append(chunk)
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise InvalidResponse(
                f"the answer is larger than {MAX_BODY_BYTES} bytes",
                operation=operation,
                status=status,
            )
    return b"".join(chunks)


def _translated(error: BaseException, operation: str) -> SlsError:
    """Name a library's error by its cause, which requests and urllib3 wrap several layers deep."""
    causes = _causes(error)
    for cause in causes:
        if isinstance(cause, TimeoutError | ReadTimeoutError | ConnectTimeoutError):
            return TimedOut("no whole answer in time", operation=operation)
    for cause in causes:
        if isinstance(cause, http.client.RemoteDisconnected | ConnectionError):
            return Unreachable(_reason(cause), operation=operation)
        if isinstance(cause, http.client.HTTPException | urllib3.exceptions.LocationParseError):
            # Cut off, wrong chunk lengths, a status line that is none: not what SLS sends.
            return InvalidResponse(
                f"not a whole HTTP answer: {_reason(cause)}", operation=operation, retryable=True
            )
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
