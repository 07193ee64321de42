"""The part of HTTP/1.1 for the simulator: requests with Content-Length, whole responses.

It does not use http.server, so that tests can break a response at any byte.
"""

import json
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import BinaryIO
from urllib.parse import parse_qsl, unquote

from msgspec import Struct, field

from exporter.simulator.errors import ServiceError

_MAX_LINE = 64 * 1024
_MAX_HEADERS = 200
_MAX_BODY = 16 * 1024 * 1024


class Request(Struct, frozen=True, kw_only=True):
    """A request as received: path and query decoded, header names in lower case.

    received_at is monotonic time in seconds.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    received_at: float

    @property
    def keep_alive(self) -> bool:
        """True if the client wants to keep this connection open."""
        return self.headers.get("connection", "").lower() != "close"


class Response(Struct, frozen=True, kw_only=True):
    """A response with its status, its body and its headers except Content-Length."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def head(self) -> bytes:
        """Return the status line and the headers."""
        lines = [
            f"HTTP/1.1 {self.status} {_phrase(self.status)}",
            *(f"{name}: {value}" for name, value in self.headers.items()),
            f"Content-Length: {len(self.body)}",
        ]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def render(self) -> bytes:
        """Return the whole response."""
        return self.head() + self.body


def json_response(status: int, document: object, headers: Mapping[str, str]) -> Response:
    """Return a response with a JSON body."""
    return Response(
        status=status,
        body=json.dumps(document).encode(),
        headers={"Content-Type": "application/json", **headers},
    )


def read_request(stream: BinaryIO) -> Request | None:
    """Read the next request; None at the end of the stream.

    Raises ServiceError if the data is not HTTP. The stream is unusable after that.
    """
    line = _read_line(stream)
    if line is None:
        return None
    try:
        method, target, version = line.split(" ")
    except ValueError:
        raise _malformed() from None
    if not version.startswith("HTTP/1."):
        raise _malformed()
    headers = _read_headers(stream)
    length = headers.get("content-length", "0")
    if "transfer-encoding" in headers or not length.isdecimal():
        raise ServiceError(411, "MissingContentLength", "Content-Length does not exist")
    if int(length) > _MAX_BODY:
        raise ServiceError(413, "PostBodyTooLarge", "the body is too large")
    body = stream.read(int(length))
    if len(body) < int(length):
        return None
    path, _, query = target.partition("?")
    return Request(
        method=method,
        path=unquote(path),
        query=dict(parse_qsl(query, keep_blank_values=True)),
        headers=headers,
        body=body,
        received_at=time.monotonic(),
    )


def _read_headers(stream: BinaryIO) -> dict[str, str]:
    headers: dict[str, str] = {}
    for _ in range(_MAX_HEADERS):
        line = _read_line(stream)
        if not line:
            return headers
        name, colon, value = line.partition(":")
        if not colon:
            raise _malformed()
        headers[name.lower()] = value.strip()
    raise _malformed()


def _read_line(stream: BinaryIO) -> str | None:
    line = stream.readline(_MAX_LINE)
    if not line:
        return None
    if not line.endswith(b"\n"):
        raise _malformed()
    return line.decode("latin-1").rstrip("\r\n")


def _malformed() -> ServiceError:
    return ServiceError(400, "BadRequest", "the request is not HTTP/1.1")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
