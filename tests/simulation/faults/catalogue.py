"""Every fault of the matrix: its effect and the error code that failed polls must have."""

import gzip
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from tests.support.fault_proxy import Certificate, Connecting, Exchange, Fault

_CHUNK = 64 * 1024
_BOMB_MEGABYTES = 256
_FORGOTTEN_SECONDS = 0.2  # well below the interval of the polls
_METADATA = b"http://100.100.100.200/latest/meta-data/ram/security-credentials/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A fault with its name, the codes it may be counted under, and what it needs.

    No codes: the fault must not cause an error.
    """

    name: str
    codes: frozenset[str]
    fault: Fault
    secure: bool = False
    """Whether the exporter speaks TLS to the proxy."""
    resolves: bool = True
    """Whether the name of the endpoint can be resolved."""
    listing: str | None = None
    """The logstore whose groups cannot be listed, "" for the listing of logstores.

    None if the fault affects all requests.
    """


# Responses


def late(exchange: Exchange) -> None:
    """Respond after the exporter's timeout."""
    answer = exchange.answer()
    exchange.wait(3.0)
    exchange.send(answer)


def dripping(exchange: Exchange) -> None:
    exchange.drip(exchange.answer(), exchange.send)


def dripping_body(exchange: Exchange) -> None:
    head, body = exchange.parts()
    exchange.send(head)
    exchange.drip(body, exchange.send)


def reset_after(part: Callable[[bytes, bytes], bytes]) -> Callable[[Exchange], None]:
    """Reset the connection after a part of the response. The parts of head and body are given."""

    def spoil(exchange: Exchange) -> None:
        exchange.send(part(*exchange.parts()))
        # RST overtakes what was not read yet.
        exchange.wait(0.05)
        exchange.reset()

    return spoil


def closed_in_body(exchange: Exchange) -> None:
    head, body = exchange.parts()
    exchange.send(head + body[: len(body) // 2])
    exchange.close()


def closed_after_answer(exchange: Exchange) -> None:
    """Respond without announcing an end, then close the connection, which should stay open."""
    exchange.send(exchange.answer())
    exchange.close()


def answered_twice(exchange: Exchange) -> None:
    """Leave a response on the connection that the next request must not take for its own."""
    exchange.send(exchange.answer() * 2)


def half_closed_in_body(exchange: Exchange) -> None:
    head, body = exchange.parts()
    exchange.send(head + body[: len(body) // 2])
    exchange.half_close()


def half_closed_before_answer(exchange: Exchange) -> None:
    exchange.half_close()


def with_length(change: Callable[[int], str]) -> Callable[[Exchange], None]:
    """Declare a length that differs from that of the body."""

    def spoil(exchange: Exchange) -> None:
        head, body = exchange.parts()
        true = f"Content-Length: {len(body)}".encode()
        exchange.send(head.replace(true, f"Content-Length: {change(len(body))}".encode()) + body)

    return spoil


def two_lengths(exchange: Exchange) -> None:
    head, body = exchange.parts()
    exchange.send(head.replace(b"\r\n\r\n", b"\r\nContent-Length: 1\r\n\r\n") + body)


def packed(pack: Callable[[bytes], bytes]) -> Callable[[Exchange], None]:
    """Declare gzip, and send the result of ``pack``."""

    def spoil(exchange: Exchange) -> None:
        _, body = exchange.parts()
        data = pack(body)
        exchange.send(_head(b"Content-Encoding: gzip", length=len(data)) + data)

    return spoil


def corrupt(body: bytes) -> bytes:
    data = bytearray(gzip.compress(body))
    data[len(data) // 2] ^= 0xFF
    return bytes(data)


def bomb(_: bytes) -> bytes:
    """Compress many spaces, by repeating one compressed block."""
    return _bomb()


@cache
def _bomb() -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(b" " * 2**20) + packer.flush(zlib.Z_FULL_FLUSH)
    return b"\x1f\x8b\x08" + bytes(6) + b"\x03" + block * _BOMB_MEGABYTES + b"\x03\x00" + bytes(8)


def chunks(*parts: bytes) -> Callable[[Exchange], None]:
    """Declare chunked encoding, and send the given bytes as its chunks."""

    def spoil(exchange: Exchange) -> None:
        exchange.answer()
        exchange.send(_head(b"Transfer-Encoding: chunked"))
        for part in parts:
            exchange.send(part)
        exchange.close()

    return spoil


def endless_chunks(exchange: Exchange) -> None:
    exchange.send(_head(b"Transfer-Encoding: chunked"))
    while True:
        exchange.send(b"%x\r\n%s\r\n" % (_CHUNK, b" " * _CHUNK))


def endless_headers(exchange: Exchange) -> None:
    exchange.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        exchange.send(b"".join(b"X-Header-%d: %s\r\n" % (at, b"x" * 100) for at in range(100)))


def continued(exchange: Exchange) -> None:
    exchange.send(b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + exchange.answer())


def endlessly_continued(exchange: Exchange) -> None:
    while True:
        exchange.send(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)
        exchange.wait(0.01)


def early_hints(exchange: Exchange) -> None:
    exchange.send(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n" + exchange.answer())


def switching_protocols(exchange: Exchange) -> None:
    exchange.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n")
    exchange.wait()


def redirect(status: bytes) -> Callable[[Exchange], None]:
    """Redirect to an address that issues credentials."""
    return lambda exchange: exchange.send(
        b"HTTP/1.1 %s\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % (status, _METADATA)
    )


def page(status: bytes) -> Callable[[Exchange], None]:
    """Respond like a front proxy whose service is unavailable."""
    body = b"<html><title>Bad Gateway</title></html>"
    return lambda exchange: exchange.send(_head(status=status, length=len(body)) + body)


def banner(exchange: Exchange) -> None:
    exchange.send(b"SSH-2.0-OpenSSH_9.2\r\n")
    exchange.wait()


def empty(exchange: Exchange) -> None:
    exchange.send(_head(length=0))


# Requests


def request_late(exchange: Exchange) -> None:
    exchange.wait(3.0)
    exchange.send(exchange.answer())


def request_dripping(exchange: Exchange) -> None:
    with exchange.upstream() as upstream:
        exchange.drip(exchange.request, upstream.sendall)


def request_cut(exchange: Exchange) -> None:
    """Forward half of the request to the service, then break the connections on both sides."""
    with exchange.upstream() as upstream:
        upstream.sendall(exchange.request[: len(exchange.request) // 2])
    exchange.reset()


def request_swallowed(exchange: Exchange) -> None:
    exchange.wait()


def forgotten_when_idle(exchange: Exchange) -> None:
    """Drop every packet of a connection that was idle, like a NAT that has forgotten it."""
    if exchange.idle > _FORGOTTEN_SECONDS:
        exchange.wait()
    exchange.send(exchange.answer())


def to_listing(request: bytes, response: bytes) -> Callable[[Exchange], None]:
    """Respond to requests that begin with some bytes, and forward all others."""

    def spoil(exchange: Exchange) -> None:
        is_listing = exchange.request.startswith(request)
        exchange.send(response if is_listing else exchange.answer())

    return spoil


def error(status: bytes, code: str) -> bytes:
    """Return a response with an error of SLS."""
    body = b'{"errorCode": "%b", "errorMessage": "no"}' % code.encode()
    return _head(b"Content-Type: application/json", status=status, length=len(body)) + body


def _head(*headers: bytes, status: bytes = b"200 OK", length: int | None = None) -> bytes:
    lines = [b"HTTP/1.1 " + status, *headers]
    if length is not None:
        lines.append(b"Content-Length: %d" % length)
    return b"\r\n".join(lines) + b"\r\n\r\n"


def _exchange(
    name: str, code: str, spoil: Callable[[Exchange], None], *, secure: bool = False
) -> Case:
    codes = frozenset(code.split())
    return Case(name=name, codes=codes, fault=Fault(exchange=spoil), secure=secure)


def _listing(name: str, status: bytes, code: str, *, logstore: str = "") -> Case:
    groups = f"/{logstore}/consumergroups " if logstore else "?"
    spoil = to_listing(f"GET /logstores{groups}".encode(), error(status, code))
    return Case(name=name, codes=frozenset({code}), fault=Fault(exchange=spoil), listing=logstore)


def _connecting(name: str, code: str, how: Connecting, *, secure: bool = False) -> Case:
    fault = Fault(connecting=how)
    return Case(name=name, codes=frozenset({code}), fault=fault, secure=secure)


def _certificate(name: str, which: Certificate) -> Case:
    fault = Fault(certificate=which)
    return Case(name=name, codes=frozenset({"connection"}), fault=fault, secure=True)


CASES = (
    Case(
        name="name does not resolve",
        codes=frozenset({"connection"}),
        fault=Fault(connecting="closed"),
        resolves=False,
    ),
    _connecting("connection refused", "connection", "refused"),
    _connecting("address drops packets", "timeout", "swallowed"),
    _connecting("accepts and sends nothing", "timeout", "silent"),
    _connecting("accepts and closes", "connection", "closed"),
    _connecting("TLS handshake stalled", "timeout", "silent", secure=True),
    _connecting("TLS handshake cut off", "connection", "closed", secure=True),
    _certificate("certificate expired", "expired"),
    _certificate("certificate for another name", "another name"),
    _certificate("certificate of an unknown authority", "unknown authority"),
    _certificate("no TLS where it is expected", "none"),
    _exchange("request arrives late", "timeout", request_late),
    _exchange("request sent slowly", "timeout", request_dripping),
    _exchange("request cut in half", "connection", request_cut),
    _exchange("request dropped", "timeout", request_swallowed),
    _exchange("network forgets idle connections", "", forgotten_when_idle),
    _exchange("network forgets idle connections, under TLS", "", forgotten_when_idle, secure=True),
    _exchange("late response", "timeout", late),
    _exchange("response sent slowly", "timeout", dripping),
    _exchange("body sent slowly", "timeout", dripping_body),
    _exchange("reset before the response", "connection", reset_after(lambda _head, _body: b"")),
    _exchange("reset after a byte", "connection", reset_after(lambda head, _body: head[:1])),
    _exchange(
        "reset in the head", "connection", reset_after(lambda head, _body: head[: len(head) // 2])
    ),
    _exchange("reset after the head", "connection", reset_after(lambda head, _body: head)),
    _exchange(
        "reset in the body",
        "connection",
        reset_after(lambda head, body: head + body[: len(body) // 2]),
    ),
    _exchange(
        "reset before the last byte", "connection", reset_after(lambda head, body: head + body[:-1])
    ),
    _exchange("half-closed before the response", "connection", half_closed_before_answer),
    _exchange("half-closed in the body", "invalid_response", half_closed_in_body),
    _exchange("closed in the body", "invalid_response", closed_in_body),
    # TLS distinguishes an announced end of the connection from an unannounced one.
    _exchange(
        "closed in the body, under TLS", "connection invalid_response", closed_in_body, secure=True
    ),
    _exchange("closed after each response", "", closed_after_answer),
    _exchange("each response comes twice", "", answered_twice),
    _exchange("each response comes twice, under TLS", "", answered_twice, secure=True),
    _exchange("length too large", "timeout", with_length(lambda length: str(length + 10))),
    _exchange("length too small", "invalid_response", with_length(lambda length: str(length - 10))),
    _exchange("length not a number", "invalid_response", with_length(lambda _: "ten")),
    _exchange("length negative", "invalid_response", with_length(lambda _: "-1")),
    _exchange("two lengths", "invalid_response", two_lengths),
    _exchange("unrequested gzip", "invalid_response", packed(gzip.compress)),
    _exchange("gzip corrupt", "invalid_response", packed(corrupt)),
    _exchange("gzip bomb of 256 MB", "invalid_response", packed(bomb)),
    _exchange("chunk sizes not numbers", "invalid_response", chunks(b"zz\r\n[]\r\n0\r\n\r\n")),
    _exchange("chunks end early", "invalid_response", chunks(b"ffff\r\n[]\r\n")),
    _exchange("endless chunks", "invalid_response", endless_chunks),
    _exchange("endless headers", "invalid_response", endless_headers),
    _exchange("100 before the response", "", continued),
    _exchange("endless 100", "timeout invalid_response", endlessly_continued),
    _exchange("103 before the response", "", early_hints),
    _exchange("101 instead of the response", "invalid_response timeout", switching_protocols),
    _exchange("302 to the metadata address", "invalid_response", redirect(b"302 Found")),
    _exchange(
        "308 to the metadata address", "invalid_response", redirect(b"308 Permanent Redirect")
    ),
    _exchange("HTML with status 200", "invalid_response", page(b"200 OK")),
    _exchange("HTML with status 502", "invalid_response", page(b"502 Bad Gateway")),
    _exchange("empty with status 200", "invalid_response", empty),
    _exchange("not HTTP", "invalid_response", banner),
    _listing("listing of logstores refused", b"401 Unauthorized", "Unauthorized"),
    _listing("listing of logstores fails", b"500 Internal Server Error", "InternalServerError"),
    _listing("listing of groups refused", b"401 Unauthorized", "Unauthorized", logstore="app-1"),
    _listing(
        "listing of groups fails",
        b"500 Internal Server Error",
        "InternalServerError",
        logstore="app-1",
    ),
)
