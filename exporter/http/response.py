"""A reader for complete HTTP/1.1 responses of limited size.

The parser is httptools (llhttp, the parser of Node.js). It is strict, and takes a tenth of the time
of http.client.
"""

from collections.abc import Callable, Mapping

import httptools
from msgspec import Struct

from exporter.http.failure import HttpFailure

_MAX_HEAD_BYTES = 64 * 2**10
_MAX_HEADERS = 100
_FINAL = 200  # a response with a lower status is followed by another one


class Response(Struct, frozen=True, kw_only=True):
    """A complete HTTP response."""

    status: int
    headers: Mapping[str, str]
    """Lookups ignore case."""
    body: bytes


class ReceivedResponse(Struct, frozen=True, kw_only=True):
    """A response as it was received. Header names are lower case."""

    status: int
    headers: dict[str, str]
    body: bytes
    keep_alive: bool
    """Whether the connection can be used again."""


def read_response(
    receive: Callable[[], bytes], *, max_body_bytes: int, begun: bytes = b""
) -> ReceivedResponse:
    """Read the response to a request other than HEAD.

    ``begun`` contains the first bytes of the response. ``receive`` returns further bytes, or none
    if the connection has ended. Raises HttpFailure, and the exceptions of ``receive``.
    """
    return _read(_Reader(max_body_bytes), receive, begun)


def read_head(receive: Callable[[], bytes]) -> ReceivedResponse:
    """Read the head of the response to a CONNECT, after which a tunnel begins."""
    return _read(_Reader(max_body_bytes=None), receive, b"")


def _read(reader: "_Reader", receive: Callable[[], bytes], begun: bytes) -> ReceivedResponse:
    if begun:
        reader.feed(begun)
    while not reader.done:
        reader.feed(receive())
    return ReceivedResponse(
        status=reader.status,
        headers=reader.headers,
        body=b"".join(reader.body),
        keep_alive=reader.keep_alive,
    )


class _Reader:
    """The callbacks for httptools. They never raise, because httptools would wrap exceptions."""

    def __init__(self, max_body_bytes: int | None) -> None:
        """Create the parser. If ``max_body_bytes`` is None, the response ends after its head."""
        self._max_body_bytes = max_body_bytes
        self._parser = httptools.HttpResponseParser(self)
        self._fed = 0
        self._in_head = True
        self._size = 0
        self._ends_with_connection = False
        self._refusal = ""
        self.done = False
        self.keep_alive = False
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body: list[bytes] = []

    def feed(self, data: bytes) -> None:
        """Parse received bytes, which are empty if the connection has ended."""
        if not data:
            self._end()
            return
        self._fed += len(data)
        error: Exception | None = None
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as found:
            error = found
        if self._refusal:
            raise HttpFailure(
                "invalid_response", self._refusal, status=self.status or None, headers=self.headers
            )
        if self.done:
            return
        if isinstance(error, httptools.HttpParserUpgrade):
            raise _incomplete("it changes the protocol")
        if error is not None:
            raise _incomplete(str(error)) from error
        if self._in_head and self._fed > _MAX_HEAD_BYTES:
            raise _incomplete(f"its head is larger than {_MAX_HEAD_BYTES} bytes")

    def on_message_begin(self) -> None:
        """Begin a response. After an unexpected second one, the connection cannot be used again."""
        if self.done:
            self.keep_alive = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Store a header."""
        if self.done or self._refusal:
            return
        if len(self.headers) == _MAX_HEADERS:
            self.status = self._parser.get_status_code()
            self._refusal = f"response has more than {_MAX_HEADERS} headers"
        else:
            self.headers[name.decode("latin-1").lower()] = value.decode("latin-1").strip()

    def on_headers_complete(self) -> None:
        """Check the head and decide whether to read the body."""
        if self.done or self._refusal:
            return
        self.status = self._parser.get_status_code()
        if self.status < _FINAL:
            return
        self._in_head = False
        if self._max_body_bytes is None:
            self.done = True
            return
        self.keep_alive = self._parser.should_keep_alive()
        self._ends_with_connection = not self.headers.keys() & {
            "content-length",
            "transfer-encoding",
        }
        if self.headers.get("content-encoding", "").lower() not in {"", "identity"}:
            self._refusal = "response is compressed, which was not requested"
        else:
            self._bound(int(self.headers.get("content-length", 0)))

    def on_body(self, data: bytes) -> None:
        """Store a part of the body."""
        if self.done or self._refusal:
            return
        self._size += len(data)
        self.body.append(data)
        self._bound(self._size)

    def on_message_complete(self) -> None:
        """End the response if it is the final one."""
        if self.status < _FINAL:
            self.headers = {}
        else:
            self.done = True

    def _bound(self, size: int) -> None:
        if self._max_body_bytes is not None and size > self._max_body_bytes:
            self._refusal = f"response is larger than {self._max_body_bytes} bytes"

    def _end(self) -> None:
        if not self._fed:
            raise HttpFailure("connection", "connection ended before the response")
        if self._in_head or not self._ends_with_connection:
            raise _incomplete("connection ended within it")
        self.done = True


def _incomplete(reason: str) -> HttpFailure:
    return HttpFailure("invalid_response", f"no complete HTTP response: {reason}")
