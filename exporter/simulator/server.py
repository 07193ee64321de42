"""The HTTP server in front of a world: virtual hosts by project, signatures and records.

It runs one daemon thread per connection. It is only meant for tests and demonstrations.
"""

import contextlib
import itertools
import re
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import BinaryIO, Self

from msgspec import Struct, structs

from exporter.model.credentials import Credentials
from exporter.simulator.authority import Authority
from exporter.simulator.calls import Call, identify
from exporter.simulator.errors import ServiceError
from exporter.simulator.metadata_cache import MetadataCache
from exporter.simulator.operations import perform
from exporter.simulator.quotas import NO_QUOTAS, QuotaCounter, Quotas
from exporter.simulator.wire import Request, Response, json_response, read_request
from exporter.simulator.world import World

DEFAULT_CREDENTIALS = Credentials(
    access_key_id="simulator-key",
    access_key_secret="simulator-secret",  # noqa: S106  # opens only a simulator
)
_MAX_RECORDS = 100_000
_BACKLOG = 1024
_JOIN_SECONDS = 5.0
_PUBLIC_ENDPOINT = re.compile(r"(.*?)\.?((?:[a-z0-9-]+\.(?:log|sls)|log-global)\.aliyuncs\.com)")


class RequestRecord(Struct, frozen=True, kw_only=True):
    """A request that the server received; its status is 0 if no status was sent.

    cursor is the parameter cursor or from. received_at is monotonic time in seconds.
    """

    operation: str
    project: str | None
    logstore: str | None
    consumer_group: str | None
    shard: int | None
    cursor: str | None
    received_at: float
    status: int


class Simulator:
    """A server of a world, and a context manager. Operations have names as in the reference.

    With ``cache_seconds``, lists and settings are up to so old.
    """

    def __init__(
        self,
        world: World,
        *,
        credentials: Sequence[Credentials] = (DEFAULT_CREDENTIALS,),
        address: tuple[str, int] = ("127.0.0.1", 0),
        tls: ssl.SSLContext | None = None,
        check_signatures: bool = True,
        check_clock: bool = True,
        quotas: Quotas = NO_QUOTAS,
        cache_seconds: float = 0.0,
    ) -> None:
        self.world = world
        self._quotas = QuotaCounter(quotas)
        self._cache = MetadataCache(cache_seconds)
        self._authority = Authority(
            credentials, check_signatures=check_signatures, check_clock=check_clock
        )
        self._address = address
        self._tls = tls
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self._open: dict[socket.socket, threading.Thread] = {}
        self._accepted = 0
        self._records: deque[RequestRecord] = deque(maxlen=_MAX_RECORDS)
        self._request_ids = itertools.count(1)

    def start(self) -> None:
        """Listen, and serve requests in new threads."""
        listener = socket.create_server(self._address, backlog=_BACKLOG)
        self._listener = listener
        threading.Thread(
            target=self._accept, args=(listener,), name="simulator", daemon=True
        ).start()

    def close(self) -> None:
        """Stop listening and end all connections, even if threads use them."""
        with self._lock:
            listener, self._listener = self._listener, None
            connections = dict(self._open)
        if listener is not None:
            _shut_down(listener)
            listener.close()
        for connection in connections:
            _shut_down(connection)
        deadline = time.monotonic() + _JOIN_SECONDS
        for thread in connections.values():
            thread.join(max(0.0, deadline - time.monotonic()))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def endpoint(self) -> str:
        """The URL to give to a client as its endpoint."""
        if self._listener is None:
            raise RuntimeError("the simulator is not running")
        host, port = self._listener.getsockname()[:2]
        return f"{'https' if self._tls else 'http'}://{host}:{port}"

    @property
    def requests(self) -> list[RequestRecord]:
        """A copy of the newest requests, oldest first."""
        with self._lock:
            return list(self._records)

    @property
    def connections(self) -> int:
        """Number of connections accepted so far."""
        with self._lock:
            return self._accepted

    def forget_requests(self) -> None:
        """Empty the list of requests."""
        with self._lock:
            self._records.clear()

    def accept_credentials(self, credentials: Sequence[Credentials]) -> None:
        """Accept only these keys from now on."""
        self._authority.accept(credentials)

    def deny(self, operation: str) -> None:
        """Respond 401 Unauthorized to an operation, as if the account had no permission for it."""
        self._authority.deny(operation)

    def allow(self, operation: str) -> None:
        """Undo a denial."""
        self._authority.allow(operation)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            try:
                connection = self._prepare(connection)
            except OSError:
                connection.close()
                continue
            thread = threading.Thread(
                target=self._serve, args=(connection,), name="simulator-connection", daemon=True
            )
            with self._lock:
                self._accepted += 1
                if self._listener is None:
                    connection.close()
                    return
                self._open[connection] = thread
                thread.start()

    def _prepare(self, connection: socket.socket) -> socket.socket:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls is None:
            return connection
        # The handshake waits for the peer, so it runs in the thread of the connection.
        return self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, connection.makefile("rb") as stream:
                if isinstance(connection, ssl.SSLSocket):
                    connection.do_handshake()
                while self._answer_next(connection, stream):
                    pass
        except OSError:
            pass  # The peer has disconnected, or the server closes.
        finally:
            with self._lock:
                self._open.pop(connection, None)

    def _answer_next(self, connection: socket.socket, stream: BinaryIO) -> bool:
        """Respond to one request; return whether the connection stays open."""
        try:
            request = read_request(stream)
        except ServiceError as error:
            connection.sendall(self._error(error).render())
            return False
        if request is None:
            return False
        call = identify(request, self._project(request.headers.get("host", "")))
        return self.respond(call, request, connection)

    def respond(self, call: Call, request: Request, connection: socket.socket) -> bool:
        """Send the response to a request; return whether the connection stays open.

        A subclass can send something else instead. Raises OSError if the client has disconnected.
        """
        response = self.response_to(call, request)
        self.record(call, request, response.status)
        connection.sendall(response.render())
        return request.keep_alive

    def response_to(self, call: Call, request: Request) -> Response:
        """Return the regular response to a request."""
        try:
            now = self.world.now()
            self._authority.check(request, call.operation, now)
            self._quotas.check(call, now)
            document = self._cache.get(
                call, request, now, lambda: perform(self.world, call, request)
            )
        except ServiceError as error:
            return self._error(error)
        if document is None:
            return Response(status=200, headers=self._headers())
        if isinstance(document, Response):
            return structs.replace(document, headers={**self._headers(), **document.headers})
        return json_response(200, document, self._headers())

    def record(self, call: Call, request: Request, status: int) -> None:
        """Record a request before its response can arrive. Without a response, the status is 0."""
        record = RequestRecord(
            operation=call.operation,
            project=call.project or None,
            logstore=call.logstore or None,
            consumer_group=call.consumer_group or None,
            shard=call.shard,
            cursor=call.cursor,
            received_at=request.received_at,
            status=status,
        )
        with self._lock:
            self._records.append(record)

    def _error(self, error: ServiceError) -> Response:
        document = {"errorCode": error.code, "errorMessage": error.message}
        return json_response(error.status, document, self._headers())

    def _headers(self) -> dict[str, str]:
        return {
            "Server": "AliyunSLS",
            "x-log-requestid": f"{next(self._request_ids):024X}",
            "x-log-time": str(int(self.world.now())),
        }

    def _project(self, host: str) -> str:
        """Return the project that a Host header names, "" for the endpoint alone."""
        name = host.partition(":")[0].lower()
        if match := _PUBLIC_ENDPOINT.fullmatch(name):
            return match[1]
        for own in (self._address[0], "localhost"):
            if name == own:
                return ""
        return name.partition(".")[0]


def _shut_down(connection: socket.socket) -> None:
    """End both directions, which wakes up a thread that waits for either."""
    with contextlib.suppress(OSError):  # It has ended already.
        # SSLSocket.shutdown() would remove the TLS layer while the other thread uses it.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
