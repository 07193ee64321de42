"""The interface between a request and an injected fault, which sends bytes and waits."""

import socket
import struct
import threading
from collections.abc import Callable
from typing import Protocol

from exporter.simulator.wire import Request, Response

# struct linger: on, 0 seconds. Closing then sends RST instead of FIN.
_LINGER_ZERO = struct.pack("ii", 1, 0)


class Exchange:
    """A request with its connection; released is set when a wait must end.

    Each way to respond starts with note(status), 0 for none, so that the request is recorded before
    the client can see the response.
    """

    def __init__(
        self,
        *,
        request: Request,
        connection: socket.socket,
        released: threading.Event,
        answer: Callable[[], Response],
        note: Callable[[int], None],
    ) -> None:
        self.request = request
        self.keep_alive = request.keep_alive
        self.released = released
        self.answer = answer
        self.note = note
        self._connection = connection

    def respond(self, response: Response) -> None:
        """Send a complete, regular response."""
        self.note(response.status)
        self.send(response.render())

    def send(self, data: bytes) -> None:
        """Send bytes as they are. Raises OSError if the client has disconnected."""
        self._connection.sendall(data)

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for some seconds, or indefinitely; return whether the wait was cut short."""
        return self.released.wait(seconds)

    def reset(self) -> None:
        """Let the connection end with RST."""
        self.keep_alive = False
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)

    def close(self) -> None:
        """Let the connection end after the bytes sent so far."""
        self.keep_alive = False


class Fault(Protocol):
    """An injected fault, which replaces the regular response."""

    def apply(self, exchange: Exchange) -> None:
        """Respond to the request, or not. Raises OSError if the client has disconnected."""
        ...
