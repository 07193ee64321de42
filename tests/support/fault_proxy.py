"""A proxy in front of a service that breaks names, connections, TLS, requests and responses.

It relays HTTP requests without bodies, each over its own connection to the service, so that a
fault can cut either direction at any byte. It has one fault at a time, which ends on request.
"""

import contextlib
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

from tests.support.misbehaving import fill_queue, read_head, shut

# struct linger: on, 0 seconds. Closing then sends RST instead of FIN.
_LINGER_ZERO = struct.pack("ii", 1, 0)
_TICK_SECONDS = 0.02
_BACKLOG = 128

Connecting = Literal["accepted", "refused", "swallowed", "silent", "closed"]
Certificate = Literal["good", "expired", "another name", "unknown authority", "none"]
Certificates = Mapping[Certificate, ssl.SSLContext]


class Over(Exception):  # noqa: N818  it reports an event, not an error
    """The fault, the proxy or the connection has ended."""


class Exchange:
    """One request on its way, and the ways to corrupt it."""

    def __init__(
        self, request: bytes, client: socket.socket, service: int, turn: "_Turn", *, idle: float
    ) -> None:
        self.request = request
        self.idle = idle
        """The seconds since the previous exchange on the connection, 0 for the first one."""
        self._client = client
        self._service = service
        self._turn = turn

    def upstream(self) -> socket.socket:
        """Connect to the service."""
        return socket.create_connection(("127.0.0.1", self._service), timeout=10)

    def answer(self) -> bytes:
        """Forward the request to the service, and return the complete response."""
        with self.upstream() as upstream:
            upstream.sendall(self.request)
            return read_answer(upstream)

    def parts(self) -> tuple[bytes, bytes]:
        """Forward the request; return the response's head with its empty line, and its body."""
        head, _, body = self.answer().partition(b"\r\n\r\n")
        return head + b"\r\n\r\n", body

    def send(self, data: bytes) -> None:
        """Send bytes to the client."""
        try:
            self._client.sendall(data)
        except OSError:
            raise Over from None

    def drip(self, data: bytes, send: Callable[[bytes], None], interval: float = 0.1) -> None:
        """Send a byte each interval (seconds)."""
        for at in range(len(data)):
            send(data[at : at + 1])
            self.wait(interval)

    def wait(self, seconds: float | None = None) -> None:
        """Wait for some seconds, or without a number until the fault ends."""
        if self._turn.over.wait(seconds):
            raise Over

    def reset(self) -> None:
        """End the connection with RST."""
        self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        raise Over

    def half_close(self) -> None:
        """Close the sending direction, and keep reading until the client disconnects."""
        socket.socket.shutdown(self._client, socket.SHUT_WR)
        self.wait()

    def close(self) -> None:
        """End the connection in order, but under TLS without its notice."""
        raise Over


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A failure of connecting, of the certificate, or of each exchange."""

    connecting: Connecting = "accepted"
    certificate: Certificate = "good"
    exchange: Callable[[Exchange], None] | None = None

    @property
    def is_below_http(self) -> bool:
        """True if only new connections meet the fault."""
        return self.exchange is None


@dataclass(frozen=True, slots=True)
class _Turn:
    """A fault (or none) and the event that ends it."""

    fault: Fault
    over: threading.Event


class FaultProxy:
    """A relay to a port of 127.0.0.1; with certificates, clients must use TLS."""

    def __init__(self, service: int, certificates: Certificates | None = None) -> None:
        self._service = service
        self._certificates = certificates
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._turn = _Turn(Fault(), threading.Event())
        self._fillers = contextlib.ExitStack()
        # A port that is bound but not listened on refuses, and no other process can take it.
        self._reserved = _bound(0)
        self.port: int = self._reserved.getsockname()[1]
        self._listener: socket.socket | None = _bound(self.port)
        self._listener.listen(_BACKLOG)
        self._start(self._accept)

    @property
    def endpoint(self) -> str:
        """The URL to give to a client."""
        return f"{'https' if self._certificates else 'http'}://127.0.0.1:{self.port}"

    def begin(self, fault: Fault) -> None:
        """Apply a fault to everything from now on."""
        self._take_turn(fault)
        if fault.connecting == "refused":
            self._refuse()
        elif fault.connecting == "swallowed":
            self._swallow()
        if fault.is_below_http:
            self._reset_all()

    def end(self) -> None:
        """Relay without faults again."""
        self._take_turn(Fault())
        self._fillers.close()
        with self._lock:
            if self._listener is None:
                self._listener = _bound(self.port)
            self._listener.listen(_BACKLOG)

    def close(self) -> None:
        """End the fault and all connections."""
        self._closing.set()
        self._turn.over.set()
        self._fillers.close()
        self._reset_all()
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join(5)
        for listener in (self._listener, self._reserved):
            if listener is not None:
                listener.close()

    def _take_turn(self, fault: Fault) -> None:
        with self._lock:
            ended, self._turn = self._turn, _Turn(fault, threading.Event())
        ended.over.set()

    def _refuse(self) -> None:
        with self._lock:
            if self._listener is not None:
                self._listener.close()
                self._listener = None

    def _swallow(self) -> None:
        with self._lock:
            if self._listener is not None:
                fill_queue(self._listener, self._fillers)

    def _reset_all(self) -> None:
        with self._lock:
            for connection in self._open:
                shut(connection)

    def _start(self, run: Callable[[], None]) -> None:
        thread = threading.Thread(target=run, name="fault-proxy", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._closing.wait(_TICK_SECONDS):
            with self._lock:
                if self._listener is None or self._turn.fault.connecting == "swallowed":
                    continue
                readable, _, _ = select.select([self._listener], [], [], 0)
                if not readable:
                    continue
                connection, _ = self._listener.accept()
                self._open.add(connection)
                self._threads = [thread for thread in self._threads if thread.is_alive()]
                self._start(partial(self._serve, connection))

    def _serve(self, connection: socket.socket) -> None:
        used = connection
        try:
            with contextlib.suppress(OSError, Over):
                used = self._welcome(connection)
                served = float("inf")
                while (head := read_head(used)) is not None:
                    turn = self._turn
                    request = head.encode("latin-1") + b"\r\n\r\n"
                    idle = max(0.0, time.monotonic() - served)
                    exchange = Exchange(request, used, self._service, turn, idle=idle)
                    if turn.fault.exchange is None:
                        exchange.send(exchange.answer())
                    else:
                        turn.fault.exchange(exchange)
                    served = time.monotonic()
        finally:
            with self._lock:
                self._open.discard(connection)
            used.close()
            connection.close()

    def _welcome(self, connection: socket.socket) -> socket.socket:
        turn = self._turn
        if turn.fault.connecting == "closed":
            raise Over
        if turn.fault.connecting == "silent":
            turn.over.wait()
            raise Over
        if self._certificates is None:
            return connection
        if turn.fault.certificate == "none":
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            raise Over
        connection.settimeout(10)
        context = self._certificates[turn.fault.certificate]
        secured = context.wrap_socket(connection, server_side=True)
        with self._lock:
            self._open.discard(connection)
            self._open.add(secured)
        return secured


def _bound(port: int) -> socket.socket:
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", port))
    return bound


def read_answer(connection: socket.socket) -> bytes:
    """Read a response with a Content-Length from the service."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _received(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").lower().split("\r\n")
    lengths = [line.removeprefix("content-length:") for line in lines]
    length = next(int(text) for line, text in zip(lines, lengths, strict=True) if line != text)
    while len(body) < length:
        body += _received(connection)
    return head + b"\r\n\r\n" + body


def _received(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    if not data:
        raise Over
    return data


@contextlib.contextmanager
def fault_proxy(service: int, certificates: Certificates | None = None) -> Iterator[FaultProxy]:
    """Run a proxy until the block ends."""
    proxy = FaultProxy(service, certificates)
    try:
        yield proxy
    finally:
        proxy.close()
