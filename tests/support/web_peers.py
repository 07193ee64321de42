"""Badly behaved clients of a web server: idle, slow, and senders of garbage."""

import contextlib
import selectors
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Final

_TRICKLED: Final = b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: " + b"y" * 4096


def connect(port: int, *, timeout: float = 10.0) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=timeout)


def read_to_end(sock: socket.socket) -> bytes:
    """Read until the server closes; a reset ends it as well."""
    parts: list[bytes] = []
    with contextlib.suppress(ConnectionError):
        while part := sock.recv(65536):
            parts.append(part)
    return b"".join(parts)


def read_until(sock: socket.socket, end: bytes) -> bytes:
    """Read until the data ends with the given bytes."""
    text = b""
    while not text.endswith(end):
        if not (part := sock.recv(65536)):
            raise AssertionError(f"closed after {text!r}")
        text += part
    return text


def closed_by_server(socks: Sequence[socket.socket]) -> int:
    """Count the sockets that the server has closed or written to."""
    with selectors.DefaultSelector() as selector:
        for sock in socks:
            selector.register(sock, selectors.EVENT_READ)
        return len(selector.select(0))


@contextlib.contextmanager
def silent(port: int, count: int) -> Iterator[list[socket.socket]]:
    """Connect and send nothing."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(connect(port)) for _ in range(count)]


@contextlib.contextmanager
def trickling(
    port: int, count: int, *, text: bytes = _TRICKLED, period: float = 1.0
) -> Iterator[list[socket.socket]]:
    """Connect and send one byte per connection and period."""

    def send(turn: int) -> None:
        for sock in socks:
            with contextlib.suppress(OSError):
                sock.send(text[turn : turn + 1])

    with silent(port, count) as socks, _every(period, send):
        yield socks


@contextlib.contextmanager
def garbage(port: int, count: int, samples: Sequence[bytes]) -> Iterator[None]:
    """Send garbage on ``count`` connections, and once per second on as many new ones."""

    def send(turn: int) -> None:
        with contextlib.ExitStack() as stack:
            for number in range(count):
                with contextlib.suppress(OSError):
                    sock = stack.enter_context(connect(port))
                    sock.sendall(samples[(turn + number) % len(samples)])

    with _every(1.0, send):
        yield


@contextlib.contextmanager
def _every(period: float, send: Callable[[int], None]) -> Iterator[None]:
    stop = threading.Event()

    def run() -> None:
        turn = 0
        while True:
            send(turn)
            turn += 1
            if stop.wait(period):
                return

    thread = threading.Thread(target=run, name="peers")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
