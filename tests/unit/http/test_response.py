"""One response from a socket: complete and within the limits, or an error."""

from collections.abc import Callable, Iterable

import pytest

from exporter.http.failure import HttpFailure
from exporter.http.response import ReceivedResponse, read_head, read_response

MAX_BODY_BYTES = 1000
OK = b"HTTP/1.1 200 OK\r\n"
ABC = b"Content-Length: 3\r\n\r\nabc"


def received(*parts: bytes, begun: bytes = b"") -> ReceivedResponse:
    """Read a response that comes in parts, after which the connection ends."""
    return read_response(receiver(parts), max_body_bytes=MAX_BODY_BYTES, begun=begun)


def receiver(parts: Iterable[bytes]) -> Callable[[], bytes]:
    rest = iter(parts)
    return lambda: next(rest, b"")


@pytest.mark.parametrize(
    ("sent", "body", "keep_alive"),
    [
        (OK + ABC, b"abc", True),
        (OK + b"Connection: close\r\n" + ABC, b"abc", False),
        (b"HTTP/1.0 200 OK\r\n" + ABC, b"abc", False),
        (OK + b"\r\nuntil the end", b"until the end", False),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b"", True),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", b"abc", True),
        (b"HTTP/1.1 100 Continue\r\nx: y\r\n\r\n" + OK + ABC, b"abc", True),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n" * 3 + OK + ABC, b"abc", True),
        (OK + b"Content-Encoding: identity\r\n" + ABC, b"abc", True),
        # Unrequested data must not be taken for the next response.
        (OK + ABC + b"rest", b"abc", False),
        (OK + ABC + OK + ABC, b"abc", False),
    ],
)
def test_a_response_is_read_completely(sent: bytes, body: bytes, *, keep_alive: bool) -> None:
    answer = received(sent)
    assert (answer.body, answer.keep_alive) == (body, keep_alive)


def test_a_response_may_arrive_byte_by_byte() -> None:
    sent = OK + b"X-Log-RequestId:  5F \r\n" + ABC
    answer = received(*(bytes([each]) for each in sent))
    assert answer == ReceivedResponse(
        status=200,
        headers={"x-log-requestid": "5F", "content-length": "3"},
        body=b"abc",
        keep_alive=True,
    )


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (OK + b"Content-Length: 3\r\n\r\nab", "connection ended within it"),
        (OK, "connection ended within it"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", "connection ended within it"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", "chunk size"),
        (OK + b"Transfer-Encoding: chunked\r\n" + ABC, "Content-Length can't be present"),
        (OK + b"Content-Length: 4\r\n" + ABC, "Duplicate Content-Length"),
        (OK + b"Content-Length: -3\r\n\r\nabc", "Content-Length"),
        (OK + b"Content-Length: 99999999999999999999\r\n\r\n", "Content-Length overflow"),
        (OK.replace(b"\r", b"") + ABC, "CR"),
        (OK + b"x: \0\r\n" + ABC, "header value"),
        (b"no response at all", "Expected HTTP/"),
        (b"HTTP/1.1 abc\r\n\r\n", "status"),
        (
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
            "it changes the protocol",
        ),
        (OK + b"x: " + b"y" * 70_000, "its head is larger than 65536 bytes"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 5_000, "its head is larger than 65536 bytes"),
    ],
)
def test_an_incomplete_or_invalid_response_is_an_error(sent: bytes, reason: str) -> None:
    with pytest.raises(HttpFailure, match=reason) as raised:
        received(sent)
    assert raised.value.kind == "invalid_response"
    assert raised.value.status is None


def test_response_continues_after_bytes_that_were_received_before() -> None:
    response = received(b"ngth: 2\r\n\r\n[]", begun=b"HTTP/1.1 200 OK\r\nContent-Le")
    assert (response.body, response.keep_alive) == (b"[]", True)
    assert received(begun=b"HTTP/1.1 204 None\r\n\r\n").status == 204


def test_connection_that_ends_before_response_is_failure_of_connection() -> None:
    with pytest.raises(HttpFailure, match="connection ended before the response") as raised:
        received()
    assert raised.value.kind == "connection"


@pytest.mark.parametrize("after", [b"", b"Content-Length: 3\r\n"])
def test_head_is_read_without_body(after: bytes) -> None:
    tunnel = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 Connection established\r\n"
    head = read_head(receiver([tunnel + after + b"\r\n", b"unread"]))
    assert (head.status, head.body) == (200, b"")


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"Content-Encoding: gzip\r\n" + ABC, "compressed, which was not requested"),
        (b"Content-Length: 1001\r\n\r\n", "larger than 1000 bytes"),
        (b"\r\n" + b"x" * 1001, "larger than 1000 bytes"),
        (b"".join(b"x-%d: y\r\n" % each for each in range(101)) + ABC, "more than 100 headers"),
    ],
)
def test_an_unwanted_response_is_rejected_after_its_head(sent: bytes, reason: str) -> None:
    with pytest.raises(HttpFailure, match=reason) as raised:
        received(OK + b"x-log-requestid: 5F\r\n" + sent)
    assert raised.value.kind == "invalid_response"
    assert raised.value.status == 200
    assert raised.value.headers["x-log-requestid"] == "5F"
