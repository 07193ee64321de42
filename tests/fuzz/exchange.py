"""Targets: bytes received on the socket of a request to SLS or to a source of credentials."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from exporter.credentials.fetcher import Fetcher
from exporter.credentials.sources import CredentialsUri, EcsRole, Source
from exporter.credentials.temporary import FetchError
from exporter.model.endpoint import Endpoint
from exporter.sls.errors import SlsError
from tests.fuzz.checks import require, require_showable
from tests.fuzz.credentials import require_temporary
from tests.fuzz.reader import Reader
from tests.fuzz.running import keep
from tests.support.misbehaving import RawServer, Turn, misbehaving
from tests.support.sls_client import Rig, rig

_HEADS = (
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n",
    b"HTTP/1.1 500 \xff\xfe\r\n",
    b"HTTP/1.0 200\r\n",
    b"HTTP/9.9 200 OK\r\n",
    b"HTTP/1.1 099 Low\r\n",
    b"HTTP/1.1 999 High\r\n",
    b"HTTP/1.1 -200 OK\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Negotiate\r\n",
    b"HTTP/1.1 407 Proxy\r\nProxy-Authenticate: Basic\r\n",
    b"HTTP/1.1 206 Part\r\nContent-Range: bytes 0-1/2\r\n",
    b"HTTP/1.1 204 None\r\n",
    b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n",
    b"HTTP/1.1 304 Same\r\n",
)
_LINES = (
    b"x-log-requestid: " + b"\x1b[31m" * 50 + b"\r\n",
    b"x-log-time: 99999999999999999999\r\n",
    b"x-log-time: nan\r\n",
    b"x-log-time: \xd9\xa1\xd9\xa2\r\n",
    b"Content-Length: 99999999999999999999\r\n",
    b"Content-Length: -5\r\n",
    b"Content-Length: +2\r\n",
    b"Content-Length: 2\r\n",
    b"Content-Length: 2, 2\r\n",
    b"Content-Encoding: br\r\n",
    b"Content-Encoding: gzip\r\n",
    b"Set-Cookie: a=b; Domain=.com; Expires=never\r\n",
    b"Connection: upgrade\r\nUpgrade: h2c\r\n",
    b"no colon\r\n",
    b": no name\r\n",
    b" folded\r\n",
    b"\xff\xfe: \xff\r\n",
    b"A" * 70_000 + b": a\r\n",
    b"A: a\r\n" * 200,
)
_BODIES = (b"", b"[]", b"{}", b"null", b"2\r\n[]\r\n0\r\n\r\n", b"ffffffffffffffff\r\n", b"-1\r\n")


@dataclass(kw_only=True)
class _Garbling:
    """A server that responds to every request with the current bytes, and its client."""

    server: RawServer
    made: Rig
    said: list[bytes]


@contextlib.contextmanager
def _garbling() -> Iterator[_Garbling]:
    said = [b""]

    def spoil(turn: Turn) -> None:
        turn.send(said[0])
        turn.close()

    with (
        misbehaving(spoil) as server,
        rig(server.endpoint, timeout=20.0, uniform=lambda _low, _high: 0.0) as made,
    ):
        yield _Garbling(server=server, made=made, said=said)


@cache
def _rig() -> _Garbling:
    return keep(_garbling())


def _answer(data: bytes) -> bytes:
    reader = Reader(data)
    if reader.below(2):
        return reader.rest()
    head = reader.pick(_HEADS)
    between = b"".join(reader.pick(_LINES) for _ in range(reader.below(5)))
    body = reader.rest() if reader.below(3) == 1 else reader.pick(_BODIES)
    return head + between + b"\r\n" + body


def exchange(data: bytes) -> None:
    """Call the API, whose response is any bytes."""
    held = _rig()
    held.said[0] = _answer(data)
    held.server.requests.clear()
    try:
        held.made.client.get_checkpoints("orders", "billing")
    except SlsError as error:
        # The codes of the service's own refusals need a complete response.
        require(error.code.isascii() and len(error.code) <= 64, "a code unfit for a label")
        require_showable(str(error), 600)
    skews = held.made.notes.skews
    require(all(abs(seconds) < 4e9 for _, seconds in skews), "an absurd skew")
    skews.clear()
    held.made.notes.ended.clear()
    held.made.notes.retried.clear()


def key_exchange(data: bytes) -> None:
    """Call a source of credentials, whose response is any bytes."""
    held = _rig()
    reader = Reader(data)
    place = Endpoint.parse(held.server.endpoint)
    sources: tuple[Source, ...] = (
        CredentialsUri(endpoint=place, target="/"),
        EcsRole(metadata=place, role="role", allow_v1=reader.below(2) == 1),
    )
    source = reader.pick(sources)
    held.said[0] = _answer(reader.rest())
    held.server.requests.clear()
    try:
        found = source.fetch(
            Fetcher(cancelled=threading.Event(), seconds=20.0), now=1_700_000_000.0
        )
    except FetchError as error:
        require_showable(str(error), 1500)
    else:
        require_temporary(found)
