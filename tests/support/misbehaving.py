"""Raw servers on loopback that do what HTTP servers should not, byte by byte."""

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

Headers = Mapping[str, str]

OK = b"HTTP/1.1 200 OK\r\n"
EMPTY_LIST = OK + b"Content-Length: 2\r\n\r\n[]"


def answer(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """Return a complete response with its Content-Length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Gone(Exception):  # noqa: N818  it reports an event, not an error
    """An event: the peer has closed, or the server is closing."""


@dataclass(kw_only=True)
class Turn:
    """One request, and the ways to misbehave instead of serving it."""

    target: str
    headers: Headers
    number: int
    """The number of this request among those of all connections, from 1."""
    server: "RawServer"
    connection: socket.socket

    def send(self, data: bytes) -> None:
        """Send bytes and count those that the system accepted."""
        rest = memoryview(data)
        while rest:
            try:
                sent = self.connection.send(rest)
            except OSError:
                raise Gone from None
            self.server.count(sent)
            rest = rest[sent:]

    def drip(self, data: bytes, interval: float) -> None:
        """Send a byte each interval."""
        for at in range(len(data)):
            self.send(data[at : at + 1])
            self.wait(interval)

    def wait(self, seconds: float | None = None) -> None:
        """Wait for some seconds, or indefinitely; raise Gone if the server closes."""
        if self.server.closing.wait(seconds):
            raise Gone

    def close(self) -> None:
        """End the connection."""
        raise Gone


Behaviour = Callable[[Turn], None]
Reader = Callable[[socket.socket], str | None]


class RawServer:
    """A server that records requests without bodies and lets a function handle each one."""

    def __init__(self, behaviour: Behaviour, tls: ssl.SSLContext | None, read: Reader) -> None:
        self.closing = threading.Event()
        self.requests: list[Turn] = []
        self.connections = 0
        self.sent = 0
        self._behaviour = behaviour
        self._tls = tls
        self._read = read
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._start(self._accept)

    @property
    def endpoint(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def is_connected(self) -> bool:
        """Return whether a connection is open."""
        with self._lock:
            return bool(self._open)

    def count(self, sent: int) -> None:
        with self._lock:
            self.sent += sent

    def close(self) -> None:
        self.closing.set()
        shut(self._listener)
        self._listener.close()
        with self._lock:
            for connection in self._open:
                shut(connection)
            threads = list(self._threads)
        for thread in threads:
            thread.join(5)

    def _start(self, run: Callable[[], None]) -> None:
        thread = threading.Thread(target=run, name="raw-server", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self.closing.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                self._open.add(connection)
                self._start(partial(self._serve, connection))

    def _serve(self, connection: socket.socket) -> None:
        used = connection
        try:
            with contextlib.suppress(OSError, Gone):
                if self._tls is not None:
                    used = self._tls.wrap_socket(connection, server_side=True)
                    with self._lock:
                        self._open.add(used)
                while (head := self._read(used)) is not None:
                    self._behaviour(self._turn(used, head))
        finally:
            with self._lock:
                self._open -= {connection, used}
            used.close()
            connection.close()

    def _turn(self, connection: socket.socket, head: str) -> Turn:
        first, *lines = head.split("\r\n")
        fields = (line.partition(":") for line in lines)
        with self._lock:
            turn = Turn(
                target=first.split(" ")[1],
                headers={name.lower(): value.strip() for name, _, value in fields},
                number=len(self.requests) + 1,
                server=self,
                connection=connection,
            )
            self.requests.append(turn)
        return turn


def read_head(connection: socket.socket) -> str | None:
    """Read a request without a body; return None if the peer has disconnected."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        data = connection.recv(65536)
        if not data:
            return None
        head += data
    return head[:-4].decode("latin-1")


def leave_unread(connection: socket.socket) -> None:
    """Read nothing until the server closes."""
    poll = select.poll()
    poll.register(connection, 0)  # POLLHUP is always reported
    poll.poll()


def shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


@contextlib.contextmanager
def misbehaving(
    behaviour: Behaviour, *, tls: ssl.SSLContext | None = None, read: Reader = read_head
) -> Iterator[RawServer]:
    """Run a server until the block ends."""
    server = RawServer(behaviour, tls, read)
    try:
        yield server
    finally:
        server.close()


def always(data: bytes) -> Behaviour:
    """Respond to every request with the same bytes."""
    return lambda turn: turn.send(data)


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """Handle the first request by the first function, and so on; the last one repeats."""
    return lambda turn: behaviours[min(turn.number, len(behaviours)) - 1](turn)


@contextlib.contextmanager
def swallowing() -> Iterator[int]:
    """Yield a port that drops all packets of new connections, because its queue is full."""
    with contextlib.ExitStack() as fillers, socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        fill_queue(listener, fillers)
        yield listener.getsockname()[1]


def fill_queue(listener: socket.socket, fillers: contextlib.ExitStack) -> None:
    """Fill the queue of a listener until ``fillers`` is closed; further clients get no response."""
    listener.listen(0)
    connected = True
    while connected:
        filler = fillers.enter_context(socket.socket())
        filler.setblocking(False)  # noqa: FBT003  as socket's
        filler.connect_ex(listener.getsockname())
        _, writable, _ = select.select([], [filler], [], 0.3)
        connected = bool(writable)


@dataclass(kw_only=True)
class Proxy:
    """A proxy on loopback, with the requests it received."""

    port: int
    asked: list[str] = field(default_factory=list)
    headers: list[Headers] = field(default_factory=list)


@contextlib.contextmanager
def proxy(*, tls: ssl.SSLContext | None = None) -> Iterator[Proxy]:
    """Run an HTTP proxy, with or without TLS, which forwards requests and opens tunnels."""

    def forward(turn: Turn) -> None:
        seen.asked.append(turn.target)
        seen.headers.append(turn.headers)
        is_tunnel = turn.target.startswith("127.0.0.1:")
        place, _, path = turn.target.removeprefix("http://").partition("/")
        host, _, port = place.partition(":")
        with socket.create_connection((host, int(port)), timeout=10) as upstream:
            if is_tunnel:
                turn.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                own = {**turn.headers, "connection": "close"}
                lines = [f"GET /{path} HTTP/1.1", *(f"{name}: {own[name]}" for name in own)]
                upstream.sendall("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n")
            _splice(turn, upstream)
        turn.close()

    with misbehaving(forward, tls=tls) as server:
        seen = Proxy(port=server.port)
        yield seen


def _splice(turn: Turn, upstream: socket.socket) -> None:
    """Copy both ways until either side ends."""
    while not turn.server.closing.is_set():
        readable, _, _ = select.select([turn.connection, upstream], [], [], 0.1)
        if isinstance(turn.connection, ssl.SSLSocket) and turn.connection.pending():
            readable = [turn.connection]
        for source in readable:
            data = source.recv(65536)
            if not data:
                return
            if source is upstream:
                turn.send(data)
            else:
                upstream.sendall(data)
