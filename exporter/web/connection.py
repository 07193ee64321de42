"""One client connection: uvicorn's HTTP/1.1 protocol with a deadline for every wait on the client.

uvicorn limits only the time between requests. This module also limits the time for sending a
request head, for reading a response and for a complete exchange. A client that sends a malformed
request gets an error response, but nothing is logged.
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
"""A test of a client certificate, in the format of the ssl module."""

# uvicorn logs a warning for every malformed request, so any client could fill the log.
_LOGGER: Final = logging.getLogger("uvicorn.connection")
_LOGGER.setLevel(logging.ERROR)

_SLICE_BYTES: Final = 4096
_MAX_BODY_BYTES: Final = 64 * 1024
_RESET: Final = struct.pack("ii", 1, 0)  # struct linger: on, 0 seconds


class Limits(Struct, frozen=True, kw_only=True):
    """The maximum times for a client, in seconds, and the maximum number of connections."""

    head: float = 10.0  # from the connection or the first byte to a complete request head
    keep_alive: int = 75  # between requests; longer than the usual scrape intervals
    stall: float = 30.0  # without reading while a response waits to be sent
    exchange: float = 300.0  # from the request head to the last byte of the response
    connections: int = 128  # a TLS connection takes 0.3 MB, so 38 MB at most


class Connection(H11Protocol):
    """A client connection that detects when its client exceeds a time limit."""

    cycle: RequestResponseCycle | None  # type: ignore[assignment]  # None before the first request
    admits: Admits | None = None  # set before the handshake
    on_not_admitted: Callable[[], None] | None = None  # likewise

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
        self._cut = False  # before a response was sent completely
        self._head_begun = True
        self._stalled_since: float | None = None
        self._body_of: RequestResponseCycle | None = None
        self._body_bytes = 0

    @property
    def busy(self) -> bool:
        """True while a request is being handled."""
        return self.cycle is not None and not self.cycle.response_complete

    def overdue(self, now: float) -> bool:
        """Return whether the client exceeds a time limit; ``now`` is a time of the event loop."""
        if self._stalled_since is not None and now - self._stalled_since > self._limits.stall:
            return True
        if self.busy:
            return now - self._since > self._limits.exchange
        # Between requests uvicorn's own keep-alive timer closes the connection.
        waits_for_head = self._head_begun or self.transport.is_closing()
        return waits_for_head and now - self._since > self._limits.head

    def drop(self) -> None:
        """Cut the connection immediately, even during a TLS handshake."""
        if self._connected:
            self._cut = self.transport.get_write_buffer_size() > 0
            self.transport.abort()
        elif self._sock.fileno() >= 0:
            # asyncio has not handed over the transport yet, so shut down the socket below it.
            with contextlib.suppress(OSError):
                self._sock.shutdown(socket.SHUT_RDWR)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn declares it
        """Start using the transport, and check the client certificate after a TLS handshake."""
        self._connected = True
        super().connection_made(transport)
        if self.admits is not None and not self.admits(transport.get_extra_info("peercert")):
            transport.abort()
            if self.on_not_admitted is not None:
                self.on_not_admitted()

    def connection_lost(self, exc: Exception | None) -> None:
        """Release the connection, with a reset if the response is incomplete."""
        # uvicorn does not stop this timer, which would keep the connection in memory.
        self._unset_keepalive_if_required()
        if self._breaks_off():
            with contextlib.suppress(OSError):  # with TLS the socket is closed already
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        super().connection_lost(exc)
        self._on_lost(self)

    def _breaks_off(self) -> bool:
        """Return whether an HTTP/1.0 client would regard an incomplete body as complete.

        In HTTP/1.0 the body ends when the connection is closed. Only a reset signals an error.
        """
        if self.cycle is None or self.cycle.scope["http_version"] != "1.0":
            return False
        return self._cut or (self.cycle.response_started and self.busy)

    def data_received(self, data: bytes) -> None:
        """Pass the data to the parser, and note when a request head begins and ends."""
        # In slices, because the parser takes 100 times as long for a body of tiny chunks as for a
        # request head.
        for start in range(0, len(data), _SLICE_BYTES):
            if self.transport.is_closing():
                # asyncio can deliver data after a close, even from a rejected client.
                return
            self._take(data[start : start + _SLICE_BYTES])

    def _take(self, data: bytes) -> None:
        if self.cycle is not self._body_of:
            self._body_of, self._body_bytes = self.cycle, 0
        if self.conn.their_state is h11.SEND_BODY:
            self._body_bytes += len(data)
            if self._body_bytes > _MAX_BODY_BYTES:
                self.transport.close()  # no route accepts a body
                return
        was_busy = self.busy
        if not was_busy and not self._head_begun:
            self._head_begun = True
            self._since = self.loop.time()
        super().data_received(data)
        if self.busy and not was_busy:
            self._since = self.loop.time()

    def on_response_complete(self) -> None:
        """Start waiting for the next request."""
        self._since = self.loop.time()
        super().on_response_complete()
        self._head_begun = bool(self.conn.trailing_data[0])  # part of the next one can be here

    def send_400_response(self, msg: str) -> None:
        """Reject a malformed request, or close the connection if a response has begun."""
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            if self.cycle is not None:
                self.cycle.disconnected = True  # do not send the response in preparation
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
        """Close the connection now, or after the response in progress."""
        if not self._connected:
            self.drop()
        elif not self.transport.is_closing():
            super().shutdown()
