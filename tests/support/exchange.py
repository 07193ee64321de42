"""One request being answered, as a fault sees it: what it may send, and how long it may wait."""

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

    Each way to answer starts with note(status), 0 for none, so that the request is recorded before
    the client can see the answer.
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
        """Send a whole, regular answer."""
        self.note(response.status)
        self.send(response.render())

    def send(self, data: bytes) -> None:
        """Send bytes as they are; OSError where the client has gone."""
        self._connection.sendall(data)

    def wait(self, seconds: float | None = None) -> bool:
        """Wait some seconds, or without a number for ever; tell whether the wait was cut short."""
        return self.released.wait(seconds)

    def reset(self) -> None:
        """Let the connection end with RST."""
        self.keep_alive = False
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)

    def close(self) -> None:
        """Let the connection end after what was sent so far."""
        self.keep_alive = False


class Fault(Protocol):
    """A fault takes the place of the regular answer."""

    def apply(self, exchange: Exchange) -> None:
        """Answer the request, or do not; OSError where the client has gone."""
        ...
