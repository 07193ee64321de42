"""Reads one whole HTTP/1.1 answer off a socket, bounded in size.

httptools (llhttp, the parser of Node.js) takes it apart: it is as strict, and takes a tenth of the
time, which is most of what a request costs.
"""

import http.client
import socket

import httptools
from msgspec import Struct

# Far more than the largest regular answer (500 projects), and little even when it is all brackets,
# which take some twenty times their length once they are decoded.
MAX_BODY_BYTES = 4 * 2**20
CHUNK_BYTES = 64 * 2**10
"""The size of one read."""
_MAX_HEAD_BYTES = 64 * 2**10
_MAX_HEADERS = 100
_FINAL = 200  # what comes before it are notices that an answer follows


class RefusedError(http.client.HTTPException):
    """An answer that is not read: too large, or compressed; with its status and headers."""

    def __init__(self, reason: str, status: int, headers: dict[str, str]) -> None:
        super().__init__(reason)
        self.status = status
        self.headers = headers


class Response(Struct, frozen=True, kw_only=True):
    """A whole HTTP answer; header names are lower case."""

    status: int
    headers: dict[str, str]
    body: bytes
    keep_alive: bool
    """Whether the connection may be used again."""


def read_response(sock: socket.socket, begun: bytes = b"") -> Response:
    """Read the response to a GET, of which ``begun`` was received before.

    Raises RefusedError, another HTTPException if it is not a whole response, or OSError of the
    socket.
    """
    reader = _Reader()
    if begun:
        reader.feed(begun)
    while not reader.done:
        data = sock.recv(CHUNK_BYTES)
        reader.feed(data)
    return Response(
        status=reader.status,
        headers=reader.headers,
        body=b"".join(reader.body),
        keep_alive=reader.keep_alive,
    )


class _Reader:
    """What httptools calls back."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._fed = 0
        self._in_head = True
        self._size = 0
        self._ends_with_connection = False
        self.done = False
        self.keep_alive = False
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body: list[bytes] = []

    def feed(self, data: bytes) -> None:
        """Take in what was received; nothing, where the connection has ended."""
        if not data:
            self._end()
            return
        self._fed += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as error:
            raise http.client.HTTPException("it changes the protocol") from error
        except httptools.HttpParserError as error:
            if isinstance(error.__context__, RefusedError):
                raise error.__context__ from None
            if not self.done:
                raise http.client.HTTPException(str(error)) from error
        if self._in_head and self._fed > _MAX_HEAD_BYTES:
            raise http.client.HTTPException(f"its head is larger than {_MAX_HEAD_BYTES} bytes")

    def on_message_begin(self) -> None:
        """Begin an answer; one after the last was not asked for."""
        if self.done:
            self.keep_alive = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note a header."""
        if self.done:
            return
        if len(self.headers) == _MAX_HEADERS:
            raise self._refused(f"the answer has more than {_MAX_HEADERS} headers")
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1").strip()

    def on_headers_complete(self) -> None:
        """Decide by the head whether to go on."""
        if self.done:
            return
        self.status = self._parser.get_status_code()
        if self.status < _FINAL:
            return
        self._in_head = False
        self.keep_alive = self._parser.should_keep_alive()
        self._ends_with_connection = not self.headers.keys() & {
            "content-length",
            "transfer-encoding",
        }
        if self.headers.get("content-encoding", "").lower() not in {"", "identity"}:
            raise self._refused("the answer is compressed, which was not asked for")
        if int(self.headers.get("content-length", 0)) > MAX_BODY_BYTES:
            raise self._too_large()

    def on_body(self, data: bytes) -> None:
        """Take a part of the body."""
        if self.done:
            return
        self._size += len(data)
        if self._size > MAX_BODY_BYTES:
            raise self._too_large()
        self.body.append(data)

    def on_message_complete(self) -> None:
        """End the answer, but for a notice, which another one follows."""
        if self.status < _FINAL:
            self.headers = {}
        else:
            self.done = True

    def _end(self) -> None:
        if not self._fed:
            raise http.client.RemoteDisconnected("the connection ended without an answer")
        if self._in_head or not self._ends_with_connection:
            raise http.client.HTTPException("the connection ended within it")
        self.done = True

    def _too_large(self) -> RefusedError:
        return self._refused(f"the answer is larger than {MAX_BODY_BYTES} bytes")

    def _refused(self, reason: str) -> RefusedError:
        return RefusedError(reason, self._parser.get_status_code(), self.headers)
