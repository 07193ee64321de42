"""One client connection: uvicorn's HTTP/1.1 protocol with a deadline for every wait on the client.

uvicorn bounds only the time between requests. Here a request head, the reading of an answer and a
whole exchange are bounded as well. A client's faults are answered, not logged.
"""

import asyncio
import contextlib
import logging
import socket
import struct
from collections.abc import Callable, Mapping
from typing import Final

import h11
from msgspec import Struct
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState

Admits = Callable[[Mapping[str, object] | None], bool]
"""A test of a client's certificate, as ssl gives it."""

# uvicorn warns of every malformed request, which would let any client fill the log.
_LOGGER: Final = logging.getLogger("uvicorn.connection")
_LOGGER.setLevel(logging.ERROR)

_SLICE_BYTES: Final = 4096
_MAX_BODY_BYTES: Final = 64 * 1024
_RESET: Final = struct.pack("ii", 1, 0)  # struct linger: on, for no time


class Limits(Struct, frozen=True, kw_only=True):
    """How long a client may take, in seconds, and how many may be connected."""

    head: float = 10.0  # from the connection, or a head's first byte, to a whole request head
    keep_alive: int = 75  # between requests; above the usual scrape intervals
    stall: float = 30.0  # without reading on while an answer waits
    exchange: float = 300.0  # from a request's head to the answer's last byte
    connections: int = 128  # a TLS connection takes 0.3 MB, so 38 MB at most


class Connection(H11Protocol):
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
        self._cut = False  # before all of an answer was sent
        self._head_begun = True
        self._stalled_since: float | None = None
        self._body_of: RequestResponseCycle | None = None
        self._body_bytes = 0

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
        waits_for_head = self._head_begun or self.transport.is_closing()
        return waits_for_head and now - self._since > self._limits.head

    def drop(self) -> None:
        """Cut the connection at once, also in the middle of a TLS handshake."""
        if self._connected:
            self._cut = self.transport.get_write_buffer_size() > 0
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
        self._unset_keepalive_if_required()  # uvicorn leaves it, and so the connection, to run out
        if self._breaks_off():
            with contextlib.suppress(OSError):  # with TLS the socket is closed already
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        super().connection_lost(exc)
        self._on_lost(self)

    def _breaks_off(self) -> bool:
        """Whether a client of HTTP/1.0 would take a part of the body for the whole.

        For it a usual end of the connection is that of the body, which only a reset is not.
        """
        if self.cycle is None or self.cycle.scope["http_version"] != "1.0":
            return False
        return self._cut or (self.cycle.response_started and self.busy)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, and start the clocks that the data starts."""
        # In slices: a body of tiny chunks takes the parser a hundred times longer than its head.
        for start in range(0, len(data), _SLICE_BYTES):
            if self.transport.is_closing():
                # asyncio promises no silence after a close, and an abort may have refused it.
                return
            self._take(data[start : start + _SLICE_BYTES])

    def _take(self, data: bytes) -> None:
        if self.cycle is not self._body_of:
            self._body_of, self._body_bytes = self.cycle, 0
        if self.conn.their_state is h11.SEND_BODY:
            self._body_bytes += len(data)
            if self._body_bytes > _MAX_BODY_BYTES:
                self.transport.close()  # no route takes a body
                return
        was_busy = self.busy
        if not was_busy and not self._head_begun:
            self._head_begun = True
            self._since = self.loop.time()
        super().data_received(data)
        if self.busy and not was_busy:
            self._since = self.loop.time()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self._since = self.loop.time()
        super().on_response_complete()
        self._head_begun = bool(self.conn.trailing_data[0])  # a part of the next may be here

    def send_400_response(self, msg: str) -> None:
        """Answer a malformed request, unless another answer has begun already."""
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            if self.cycle is not None:
                self.cycle.disconnected = True  # whatever is being made ready is not sent
            super().send_400_response(msg)
        else:
            self.transport.close()

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
