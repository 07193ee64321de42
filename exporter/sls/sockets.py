"""Sockets that watch the deadline and the stop event of the request that their thread is on.

requests bounds each wait on a socket, not their sum, so a response that is sent slowly would hold a
thread for hours. Here every wait is cut into slices, and the sum of them ends in time. Only the
name resolution is not bounded: the system's resolver does not offer it.
"""

import contextlib
import errno
import os
import select
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from typing import Any

CONNECT_SECONDS = 5.0
"""The limit of a connection, and again of its TLS handshake."""
_SLICE_SECONDS = 0.25  # how long a stop may go unnoticed
_KEEPALIVE_SECONDS = 30  # half of 60 s, the shortest idle time of common NATs and firewalls
_KEEPALIVE_PROBES = 3


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

    @contextlib.contextmanager
    def shortened(self, share: float, *, at_most: float) -> Iterator[None]:
        """Leave the block a share of the remaining time, up to a number of seconds."""
        deadline, now = self.deadline, time.monotonic()
        self.deadline = now + min(share * (deadline - now), at_most)
        try:
            yield
        finally:
            self.deadline = deadline


watch = Watch()


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


class TLSSocket(_Watched, ssl.SSLSocket):
    """A watched socket with TLS."""

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002  as ssl's
        """Shake hands before the deadline of a connection."""
        deadline = time.monotonic() + CONNECT_SECONDS
        while True:
            self.settimeout(watch.next_wait(before=deadline))
            # A handshake that was interrupted goes on where it was.
            with contextlib.suppress(TimeoutError):
                return super().do_handshake(block)


def connect(host: str, port: int) -> socket.socket:
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
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEPALIVE_SECONDS)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _KEEPALIVE_SECONDS)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _KEEPALIVE_PROBES)
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
