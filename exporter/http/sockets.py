"""Sockets that observe the deadline of a request and a stop of the process.

A timeout of Python's sockets limits each wait, not the sum of the waits, so a response that is sent
slowly would occupy a thread for hours. Here every wait is split into short slices, so that the
deadline limits their sum. Only name resolution has no limit, because the system's resolver does
not offer one.
"""

import contextlib
import errno
import os
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

CONNECT_SECONDS = 5.0
"""The time limit for connecting to a server. The TLS handshake has the same limit again."""
_CHUNK_BYTES = 64 * 2**10
_SLICE_SECONDS = 0.25  # the maximum delay until a stop is noticed
_KEEPALIVE_SECONDS = 30  # half of 60 s, the shortest idle time of common NATs and firewalls
_KEEPALIVE_PROBES = 3

T = TypeVar("T")


class Watch:
    """The deadline (monotonic seconds) of the current request, and an event that ends it."""

    def __init__(self, cancelled: threading.Event) -> None:
        self.deadline = 0.0
        self._cancelled = cancelled

    def next_wait(self) -> float:
        """Return the duration of the next wait in seconds.

        Raises TimeoutError if no time is left or the process stops.
        """
        remaining = self.deadline - time.monotonic()
        if remaining <= 0 or self._cancelled.is_set():
            raise TimeoutError("the deadline of the request has passed")
        return min(remaining, _SLICE_SECONDS)

    @contextlib.contextmanager
    def shortened(self, share: float = 1.0, *, at_most: float = float("inf")) -> Iterator[None]:
        """Limit the block to a share of the remaining time and to ``at_most`` seconds."""
        deadline, now = self.deadline, time.monotonic()
        self.deadline = now + min(share * (deadline - now), at_most)
        try:
            yield
        finally:
            self.deadline = deadline


class SocketStream:
    """A stream over a socket, with or without TLS. A wait past the deadline raises an OSError."""

    def __init__(self, sock: socket.socket, watch: Watch) -> None:
        self._sock = sock
        self._watch = watch

    def start_tls(self, context: ssl.SSLContext, host: str) -> None:
        """Perform the TLS handshake with a host and verify its certificate."""
        sock = context.wrap_socket(self._sock, server_hostname=host, do_handshake_on_connect=False)
        self._sock = sock
        with self._watch.shortened(at_most=CONNECT_SECONDS):
            self._in_slices(sock.do_handshake)

    def receive(self) -> bytes:
        """Return the next bytes, or none if the connection has ended."""
        return self._in_slices(lambda: self._sock.recv(_CHUNK_BYTES))

    def send(self, data: bytes) -> None:
        """Send all bytes."""
        rest = memoryview(data)
        while rest:
            rest = rest[self._in_slices(lambda: self._sock.send(rest)) :]  # noqa: B023  called here

    @property
    def tls(self) -> ssl.SSLSocket | None:
        """The TLS layer with the certificate of the server; None without TLS."""
        return self._sock if isinstance(self._sock, ssl.SSLSocket) else None

    def is_readable(self) -> bool:
        """Return whether bytes or the end of the connection have arrived."""
        if isinstance(self._sock, ssl.SSLSocket) and self._sock.pending():
            return True
        poll = select.poll()
        poll.register(self._sock, select.POLLIN)
        return bool(poll.poll(0))

    def close(self) -> None:
        """Close the socket."""
        self._sock.close()

    def _in_slices(self, call: Callable[[], T]) -> T:
        """Repeat a call that waits for the socket until it succeeds."""
        while True:
            seconds = self._watch.next_wait()
            # Skip the system call if the timeout is the same, which is usually the case.
            if self._sock.gettimeout() != seconds:
                self._sock.settimeout(seconds)
            with contextlib.suppress(TimeoutError):
                return call()


class NestedTLS:
    """A TLS stream inside another TLS stream, for a proxy that itself uses TLS."""

    def __init__(self, outer: SocketStream, context: ssl.SSLContext, host: str) -> None:
        self._outer = outer
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self._run(self._tls.do_handshake)

    def receive(self) -> bytes:
        """Return the next bytes, or none if the connection has ended."""
        return self._run(lambda: self._tls.read(_CHUNK_BYTES))

    def send(self, data: bytes) -> None:
        """Send all bytes."""
        rest = memoryview(data)
        while rest:
            rest = rest[self._run(lambda: self._tls.write(rest)) :]  # noqa: B023  called here

    @property
    def tls(self) -> ssl.SSLObject:
        """The inner TLS layer with the certificate of the server."""
        return self._tls

    def is_readable(self) -> bool:
        """Return whether bytes or the end of the connection have arrived."""
        return bool(self._tls.pending() or self._incoming.pending) or self._outer.is_readable()

    def close(self) -> None:
        """Close the outer stream."""
        self._outer.close()

    def _run(self, call: Callable[[], T]) -> T:
        """Repeat a call until it needs no more received data, and return its result."""
        while True:
            try:
                result = call()
            except ssl.SSLWantReadError:
                self._flush()
                if data := self._outer.receive():
                    self._incoming.write(data)
                else:
                    self._incoming.write_eof()
            else:
                self._flush()
                return result

    def _flush(self) -> None:
        if data := self._outgoing.read():
            self._outer.send(data)


Stream = SocketStream | NestedTLS


def connect(host: str, port: int, watch: Watch) -> socket.socket:
    """Return a connected socket to the first address of a host that accepts a connection.

    An address that drops packets uses only its share of the time, which leaves time for the others.
    """
    with watch.shortened(at_most=CONNECT_SECONDS):
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        failure: OSError = TimeoutError("no time left to connect")
        for number, (family, kind, protocol, _, address) in enumerate(found):
            sock = socket.socket(family, kind, protocol)
            try:
                with watch.shortened(1 / (len(found) - number)):
                    _open(sock, address, watch)
            except OSError as error:
                sock.close()
                failure = error
            else:
                return sock
        raise failure


def _open(sock: socket.socket, address: Any, watch: Watch) -> None:  # noqa: ANN401  as socket's
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEPALIVE_SECONDS)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _KEEPALIVE_SECONDS)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _KEEPALIVE_PROBES)
    sock.setblocking(False)  # noqa: FBT003  as socket's
    code = sock.connect_ex(address)
    if code == errno.EINPROGRESS:
        poll = select.poll()
        poll.register(sock, select.POLLOUT)
        while not poll.poll(1000 * watch.next_wait()):
            pass
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise OSError(code, os.strerror(code))
    sock.settimeout(watch.next_wait())
