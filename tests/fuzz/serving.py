"""Target: bytes that a client sends to the exporter's own HTTP server."""

import base64
import contextlib
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.fuzz.checks import require
from tests.fuzz.reader import TEXTS, Reader
from tests.fuzz.running import keep
from tests.support.status_views import document_of, varied
from tests.support.web_server import Faults, content, fetch
from tests.support.web_server import serving as serving_pages
from tests.support.web_tls import hashed

_SECONDS = 20.0
_RIGHT = "Basic " + base64.b64encode(b"alice:right").decode()
_MOST = 2**20
_PIECES: tuple[bytes, ...] = (
    *(b"GET ", b"POST ", b"HEAD ", b"CONNECT h:1 "),
    *(b"/metrics", b"/", b"/api/v1/groups", b"/-/healthy", b"/-/ready", b"/-/reload", b"//", b"*"),
    *(b"?", b"q=", b"&sort=-", b"&limit=", b"&offset=9", b"&state=", b"&page=", b"%ff", b"%00"),
    *(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", b" HTTP/9.9\r\n", b"\r\n", b"\n", b"\r", b"\0"),
    *(b"Host: x\r\n", b"Host: x\r\nHost: y\r\n", b"Connection: close\r\n"),
    *(b"Content-Length: 5\r\n", b"Content-Length: -1\r\n", b"Expect: 100-continue\r\n"),
    b"Content-Length: " + b"9" * 30 + b"\r\n",
    *(b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: chunked, chunked\r\n"),
    *(b"5\r\nhello\r\n", b"0\r\n\r\n", b"ffffffffffffffff\r\n"),
    b"Upgrade: websocket\r\nConnection: Upgrade\r\n",
    *(b"Accept: application/openmetrics-text\r\n", b"Accept-Encoding: gzip;q=\r\n"),
    b"Accept: " + b"," * 9000,
    f"Authorization: {_RIGHT}\r\n".encode(),
    *(b"Authorization: Basic ", b"Authorization: Basic OjpcMDo=\r\n", b"A: b\r\n" * 3000),
    *(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"),
    *(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01\xff\xff\x01"),
    *(each.encode(errors="surrogatepass")[:20_000] for each in TEXTS),
)


@dataclass(kw_only=True)
class _Served:
    """Two servers, the second with a password, and the errors that they reported."""

    open: int
    guarded: int
    faults: Faults


@contextlib.contextmanager
def _serving() -> Iterator[_Served]:
    found = document_of(varied())
    shown = content(groups=lambda: found, reload=list)
    faults = Faults()
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "web.yml")
        file.write_text(f"basic_auth_users: {{alice: '{hashed('right')}'}}")
        with (
            serving_pages(shown, faults=faults) as open_port,
            serving_pages(shown, faults=faults, web_config_file=file) as guarded_port,
        ):
            yield _Served(open=open_port, guarded=guarded_port, faults=faults)


@cache
def _servers() -> _Served:
    return keep(_serving())


def requests(data: bytes) -> None:
    """Send any bytes in any parts; the server responds in HTTP or hangs up, and keeps running."""
    reader = Reader(data)
    served = _servers()
    is_guarded = reader.below(2) == 1
    port = served.guarded if is_guarded else served.open
    is_abrupt = reader.below(8) == 7
    sent = b""
    with socket.create_connection(("127.0.0.1", port), timeout=_SECONDS) as client:
        with contextlib.suppress(OSError):  # the server may have hung up
            while not reader.is_empty:
                part = reader.chunk() if reader.below(4) == 3 else reader.pick(_PIECES)
                client.sendall(part)
                sent += part
            client.shutdown(socket.SHUT_WR)
        answer = b"" if is_abrupt else _read(client)
    require(answer[:9] in {b"", b"HTTP/1.1 "}, f"not HTTP: {answer[:100]!r}")
    if is_guarded and _RIGHT.encode() not in sent:
        require(b"HTTP/1.1 200" not in answer, "let in without a password")
    healthy = fetch(port, "/-/healthy", headers={"Authorization": _RIGHT}, timeout=_SECONDS)
    require(healthy.status == 200, "not healthy any more")
    require(not served.faults.seen, f"reported: {served.faults.seen}")


def _read(client: socket.socket) -> bytes:
    found = b""
    with contextlib.suppress(ConnectionError):
        while len(found) < _MOST and (part := client.recv(65536)):
            found += part
    return found
