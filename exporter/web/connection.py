"""One client connection: uvicorn's HTTP/1.1 protocol with a deadline for every wait on the client.

uvicorn bounds only the time between requests. Here a request head, the reading of an answer and a
whole exchange are bounded as well, and so is the size of heads, bodies and queues, which llhttp
leaves to its user. A client's faults are answered, not logged.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Mapping
from typing import Final

from msgspec import Struct
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

Admits = Callable[[Mapping[str, object] | None], bool]
"""A test of a client's certificate, as ssl gives it."""

# uvicorn warns of every malformed request, which would let any client fill the log.
_LOGGER: Final = logging.getLogger("uvicorn.connection")
_LOGGER.setLevel(logging.ERROR)

_SLICE_BYTES: Final = 4096
_MAX_HEAD_BYTES: Final = 16 * 1024
_MAX_BODY_BYTES: Final = 64 * 1024  # of which no route takes anything
_MAX_QUEUED: Final = 16


class Limits(Struct, frozen=True, kw_only=True):
    """How long a client may take, in seconds, and how many may be connected."""

    head: float = 10.0  # from the connection, or a head's first byte, to a whole request head
    keep_alive: int = 75  # between requests; above the usual scrape intervals
    stall: float = 30.0  # without reading on while an answer waits
    exchange: float = 300.0  # from a request's head to the answer's last byte
    connections: int = 128  # a TLS connection takes 0.3 MB, so 38 MB at most


class Connection(HttpToolsProtocol):
    """A connection that knows when its client has taken too long."""

    cycle: RequestResponseCycle | None  # type: ignore[assignment]  # None before the first request
    admits: Admits | None = None  # set before the handshake

    def __init__(
        self,
        config: Config,
        state: ServerState,
        *,
        sock: socket.socket,
        limits: Limits,
        on_lost: Callable[["Connection"], None],
    ) -> None:
        super().__init__(config, state, app_state={})
        self.logger = _LOGGER
        self._sock = sock
        self._limits = limits
        self._on_lost = on_lost
        self._since = self.loop.time()
        self._connected = False
        self._waits_for_head = True
        self._in_message = False
        self._in_body = False
        self._part_bytes = 0  # of the head or body that is being read
        self._stalled_since: float | None = None

    @property
    def busy(self) -> bool:
        """Whether a request is being answered."""
        return self.cycle is not None and not self.cycle.response_complete

    def overdue(self, now: float) -> bool:
        """Whether the client has taken longer than it may; ``now`` on the event loop's clock."""
        if self._stalled_since is not None and now - self._stalled_since > self._limits.stall:
            return True
        if self.busy:
            return now - self._since > self._limits.exchange
        # Between requests uvicorn's own keep-alive timer closes the connection.
        waits = self._waits_for_head or self.transport.is_closing()
        return waits and now - self._since > self._limits.head

    def drop(self) -> None:
        """Cut the connection at once, also in the middle of a TLS handshake."""
        if self._connected:
            self.transport.abort()
        elif self._sock.fileno() >= 0:
            # The transport does not answer yet, so it has to learn from the socket.
            with contextlib.suppress(OSError):
                self._sock.shutdown(socket.SHUT_RDWR)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn declares it
        """Take the transport, which for TLS comes after the handshake."""
        self._connected = True
        super().connection_made(transport)
        if self.admits is not None and not self.admits(transport.get_extra_info("peercert")):
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        super().connection_lost(exc)
        self._on_lost(self)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, and start the clocks that the data starts."""
        # In slices, so that what is over a limit is noticed before all of it is parsed.
        for start in range(0, len(data), _SLICE_BYTES):
            if self.transport.is_closing():
                # asyncio promises no silence after a close, and an abort may have refused it.
                return
            self._take(data[start : start + _SLICE_BYTES])

    def _take(self, data: bytes) -> None:
        was_busy = self.busy
        if not was_busy and not self._waits_for_head:
            self._waits_for_head = True
            self._since = self.loop.time()
        self._part_bytes += len(data)
        super().data_received(data)
        if self.busy and not was_busy:
            self._since = self.loop.time()
        if self.transport.is_closing():
            return
        if self._in_body:
            if self._part_bytes > _MAX_BODY_BYTES:
                self.transport.close()
        elif self._part_bytes > _MAX_HEAD_BYTES:
            self.send_400_response("The head of the request is too large.")

    def on_message_begin(self) -> None:
        """Begin to read a head; line ends before it count as part of it."""
        self._in_message = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Begin to answer, and to read a body if there is one."""
        # What is raised here makes the request malformed.
        version = self.parser.get_http_version()
        hosts = sum(name == b"host" for name, _ in self.headers)
        if version not in {"1.0", "1.1"} or hosts > 1 or (not hosts and version == "1.1"):
            raise ValueError("neither HTTP/1.1 with one Host (RFC 9112, 3.2) nor HTTP/1.0")
        if len(self.pipeline) >= _MAX_QUEUED:
            raise ValueError("nobody sends so many requests ahead")
        super().on_headers_complete()
        self._in_body, self._part_bytes = True, 0
        if self.parser.should_upgrade() and self.cycle is not None:
            self.cycle.keep_alive = False  # answered as HTTP; what comes next may be anything

    def on_message_complete(self) -> None:
        """Begin to read what comes next."""
        self._in_message = self._in_body = False
        self._part_bytes = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self._since = self.loop.time()
        super().on_response_complete()
        self._waits_for_head = self._in_message  # a part of the next, or of a body, may be here

    def send_400_response(self, msg: str) -> None:
        """Answer a malformed request, unless another answer has begun already."""
        if self.pipeline or (self.busy and self.cycle is not None and self.cycle.response_started):
            self.transport.close()
            return
        if self.cycle is not None:
            self.cycle.disconnected = True  # whatever is being made ready is not sent
        super().send_400_response(msg)

    def pause_writing(self) -> None:
        """Note that the client has stopped reading."""
        self._stalled_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """Note that the client reads again."""
        self._stalled_since = None
        super().resume_writing()

    def shutdown(self) -> None:
        """Close now, or after the answer that is under way."""
        if not self._connected:
            self.drop()
        elif not self.transport.is_closing():
            super().shutdown()
