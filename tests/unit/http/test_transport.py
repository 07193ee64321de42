"""One exchange with a misbehaving server: limited in size, with documented errors."""

import gzip
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.http.transport import MAX_BODY_BYTES
from exporter.model.credentials import Credentials
from exporter.sls.errors import InvalidResponse, SlsError, TimedOut, Unreachable
from tests.support.misbehaving import (
    EMPTY_LIST,
    OK,
    Behaviour,
    Turn,
    always,
    answer,
    in_turn,
    misbehaving,
)
from tests.support.sls_client import rig, without_pause

MEBIBYTE = 1024 * 1024
# Maximum size of the system's buffers on both sides, in addition to the data that the client reads.
BUFFERS = 12 * MEBIBYTE


def many_mebibytes(turn: Turn) -> None:
    for _ in range(256):
        turn.send(b" " * MEBIBYTE)


def declared_huge(turn: Turn) -> None:
    turn.send(OK + b"Content-Length: %d\r\n\r\n" % (256 * MEBIBYTE))
    many_mebibytes(turn)


def endless_chunks(turn: Turn) -> None:
    turn.send(OK + b"Transfer-Encoding: chunked\r\n\r\n")
    for _ in range(256):
        turn.send(b"%x\r\n%s\r\n" % (MEBIBYTE, b" " * MEBIBYTE))


def until_the_end(turn: Turn) -> None:
    turn.send(OK + b"\r\n")
    many_mebibytes(turn)


def declared_small_of_many_chunks(turn: Turn) -> None:
    turn.send(OK + b"Transfer-Encoding: chunked\r\n\r\n")
    turn.send(b"%x\r\n" % (256 * MEBIBYTE))
    many_mebibytes(turn)


def redirect_with_endless_body(turn: Turn) -> None:
    turn.send(b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n")
    many_mebibytes(turn)


def endless_headers(turn: Turn) -> None:
    turn.send(OK)
    for _ in range(256):
        turn.send(b"x: %s\r\n" % (b"y" * 60_000))


def endless_header(turn: Turn) -> None:
    turn.send(OK + b"x: ")
    many_mebibytes(turn)


@pytest.mark.parametrize(
    "behaviour",
    [
        declared_huge,
        endless_chunks,
        until_the_end,
        declared_small_of_many_chunks,
        redirect_with_endless_body,
        endless_headers,
        endless_header,
    ],
)
def test_reading_stops_at_the_maximum_size_of_a_response(behaviour: Behaviour) -> None:
    with (
        misbehaving(behaviour) as server,
        rig(server.endpoint, uniform=lambda _, high: high * 1000) as made,
        pytest.raises(InvalidResponse),
    ):
        made.client.list_shards("orders")
    assert server.sent < MAX_BODY_BYTES + BUFFERS


def test_a_response_that_is_declared_too_large_is_not_read() -> None:
    def declare_and_hang(turn: Turn) -> None:
        turn.send(OK + b"Content-Length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1))
        turn.wait()

    with (
        misbehaving(declare_and_hang) as server,
        rig(server.endpoint) as made,
        pytest.raises(InvalidResponse) as raised,
    ):
        made.client.list_shards("orders")
    assert str(raised.value) == (
        "ListShards: 200 invalid_response: response is larger than 4194304 bytes"
    )


def test_a_response_of_the_maximum_size_is_read() -> None:
    body = b"[" + b" " * (MAX_BODY_BYTES - 2) + b"]"
    with misbehaving(always(answer(body))) as server, rig(server.endpoint) as made:
        assert made.client.list_shards("orders").entries == ()


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "GZIP", "identity, gzip"])
def test_a_compressed_response_is_rejected_unread(encoding: str) -> None:
    body = gzip.compress(b"[]")
    data = answer(body, f"Content-Encoding: {encoding}", "x-log-requestid: 5F1E")
    with (
        misbehaving(always(data)) as server,
        rig(server.endpoint) as made,
        pytest.raises(InvalidResponse) as raised,
    ):
        made.client.list_shards("orders")
    assert str(raised.value) == (
        "ListShards: 200 invalid_response: response is compressed, which was not requested"
        " (request id 5F1E)"
    )
    assert server.requests[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("encoding", ["identity", ""])
def test_a_response_that_is_declared_uncompressed_is_read(encoding: str) -> None:
    data = answer(b"[]", f"Content-Encoding: {encoding}")
    with misbehaving(always(data)) as server, rig(server.endpoint) as made:
        assert made.client.list_shards("orders").entries == ()


HOSTILE = {
    "nothing": b"",
    "not HTTP": b"\x16\x03\x01 not HTTP at all\r\n\r\n",
    "an old protocol": b"[]",
    "half a status line": b"HTTP/1.1 2",
    "a status of letters": b"HTTP/1.1 abc OK\r\n\r\n",
    "a status of five digits": b"HTTP/1.1 20000 OK\r\n\r\n",
    "an odd status": b"HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n",
    "a header without a colon": OK + b"garbage\r\nContent-Length: 2\r\n\r\n{}",
    "a header of all bytes": OK + b"x: " + bytes(range(14, 256)) + b"\r\n\r\n{}",
    "two lengths": OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
    "a negative length": OK + b"Content-Length: -5\r\n\r\n{}",
    "a length of letters": OK + b"Content-Length: many\r\n\r\n{}",
    "a long length": OK + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n{}",
    "a chunk without a size": OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "a chunk of a negative size": OK + b"Transfer-Encoding: chunked\r\n\r\n-5\r\n{}\r\n0\r\n\r\n",
    "a chunk that is cut off": OK + b"Transfer-Encoding: chunked\r\n\r\nff\r\n{}",
    "a long chunk size": OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 9000 + b"\r\n{}",
    "a redirect to nowhere": answer(b"", "Location: http://[::1", status="302 Found"),
    "a redirect in bytes": b"HTTP/1.1 302 F\r\nLocation: \xff\xfe\r\nContent-Length: 0\r\n\r\n",
    "a cookie of garbage": OK + b"Set-Cookie: =;;=\xff; expires=x\r\nContent-Length: 2\r\n\r\n{}",
    "bytes that are not UTF-8": answer(b'{"a": "\xff\xfe"}'),
    "another protocol": b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "a body of brackets": answer(b"[" * 1_000_000),
    "a number without an end": answer(b"1" * 1_000_000),
    "a request id of garbage": answer(b"{}", "x-log-requestid: " + "\x0b\x1b[31m" * 1000),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=list(HOSTILE))
def test_any_received_data_raises_a_documented_error(data: bytes) -> None:
    def send_and_close(turn: Turn) -> None:
        turn.send(data)
        turn.close()

    with (
        misbehaving(send_and_close) as server,
        rig(server.endpoint, uniform=without_pause) as made,
        pytest.raises(SlsError) as raised,
    ):
        made.client.list_shards("orders")
    assert isinstance(raised.value, InvalidResponse | Unreachable)
    text = str(raised.value)
    assert text.startswith("ListShards: ")
    assert text.isprintable()
    assert len(text) < 400


def test_random_bytes_are_an_error_of_the_documented_tree() -> None:
    data = b""

    def send_and_close(turn: Turn) -> None:
        turn.send(data)
        turn.close()

    starts = st.sampled_from([b"", b"HTTP/1.1 ", OK, OK + b"Transfer-Encoding: chunked\r\n\r\n"])

    with misbehaving(send_and_close) as server, rig(server.endpoint, uniform=without_pause) as made:

        @settings(max_examples=100, deadline=None)
        @given(starts, st.binary(max_size=100))
        def check(start: bytes, rest: bytes) -> None:
            nonlocal data
            data = start + rest
            with pytest.raises((InvalidResponse, Unreachable)):
                made.client.list_shards("orders")

        check()


def test_a_redirect_is_not_followed() -> None:
    with misbehaving(always(EMPTY_LIST)) as target:
        location = f"Location: {target.endpoint}/logstores/orders/shards"
        redirect = always(answer(b"", location, status="302 Found"))
        with (
            misbehaving(redirect) as server,
            rig(server.endpoint) as made,
            pytest.raises(InvalidResponse, match="ListShards: 302 invalid_response"),
        ):
            made.client.list_shards("orders")
        assert target.connections == 0
    assert len(server.requests) == 1


def test_cookies_are_not_kept() -> None:
    data = answer(b"[]", "Set-Cookie: session=1; Path=/")
    with misbehaving(always(data)) as server, rig(server.endpoint) as made:
        for _ in range(2):
            made.client.list_shards("orders")
    assert [request.headers.get("cookie") for request in server.requests] == [None, None]


def test_calls_one_after_the_other_use_one_connection() -> None:
    bodies = [
        answer(b"[]"),
        OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n\r\n",
        answer(b'{"errorCode":"Odd","errorMessage":""}', status="400 Bad Request"),
        answer(b"", status="404 Not Found"),
    ]
    with (
        misbehaving(in_turn(*map(always, bodies * 5))) as server,
        rig(server.endpoint) as made,
    ):
        for number in range(20):
            if number % 4 < 2:
                made.client.list_shards("orders")
            else:
                with pytest.raises(SlsError):
                    made.client.list_shards("orders")
    assert (len(server.requests), server.connections) == (20, 1)


def test_each_thread_has_one_connection_to_a_host() -> None:
    start = threading.Barrier(4)

    with misbehaving(always(EMPTY_LIST)) as server, rig(server.endpoint) as made:

        def call() -> None:
            start.wait()
            for _ in range(5):
                made.client.list_shards("orders")

        threads = [threading.Thread(target=call) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (len(server.requests), server.connections) == (20, 4)


def test_a_connection_that_the_server_closed_is_opened_again() -> None:
    def answer_and_close(turn: Turn) -> None:
        turn.send(EMPTY_LIST)
        turn.close()

    with (
        misbehaving(answer_and_close) as server,
        rig(server.endpoint, uniform=without_pause) as made,
    ):
        for _ in range(3):
            made.client.list_shards("orders")
    assert server.connections >= 3


@pytest.mark.parametrize(
    ("project", "host"), [("shop", "shop.127.0.0.1:{port}"), (None, "127.0.0.1:{port}")]
)
def test_the_host_header_names_the_project(project: str | None, host: str) -> None:
    with (
        misbehaving(always(answer(b'{"total":0,"projects":[]}'))) as server,
        rig(server.endpoint, project=project) as made,
    ):
        made.client.list_projects()
    assert server.requests[0].headers["host"] == host.format(port=server.port)
    assert server.requests[0].target == "/?offset=0&size=500"


def test_names_are_quoted_in_the_path() -> None:
    with misbehaving(always(EMPTY_LIST)) as server, rig(server.endpoint) as made:
        made.client.get_checkpoints("a/b?c#d %é", "组~")
    assert server.requests[0].target == (
        "/logstores/a%2Fb%3Fc%23d%20%25%C3%A9/consumergroups/%E7%BB%84~"
    )


@pytest.mark.parametrize(
    ("endpoint", "project"),
    [
        ("http://nowhere.invalid", "shop"),
        ("http://a..b.invalid", "shop"),
        (f"http://{'a' * 64}.invalid", "shop"),
        ("http://nowhere.invalid", "p" * 64),
    ],
)
def test_a_name_that_does_not_resolve_is_unreachable(endpoint: str, project: str) -> None:
    with (
        rig(endpoint, project=project, uniform=without_pause) as made,
        pytest.raises(Unreachable) as raised,
    ):
        made.client.list_shards("orders")
    assert raised.value.code == "connection"


@pytest.mark.parametrize(
    "credentials",
    [
        Credentials(access_key_id="line\nbreak", access_key_secret="x"),
        Credentials(access_key_id="日志", access_key_secret="x"),
        Credentials(access_key_id="id", access_key_secret="x", security_token="TOKEN\r\nX: y"),
        Credentials(access_key_id="id", access_key_secret="x", security_token="TOKEN日志"),
    ],
)
def test_a_key_that_no_header_can_contain_is_an_error_that_does_not_show_it(
    credentials: Credentials,
) -> None:
    with (
        misbehaving(always(EMPTY_LIST)) as server,
        rig(server.endpoint, uniform=without_pause, credentials=lambda: credentials) as made,
        pytest.raises(Unreachable) as raised,
    ):
        made.client.list_shards("orders")
    assert str(raised.value) == (
        "ListShards: connection: an address or a header of the request, or of its proxy,"
        " is not valid"
    )
    assert server.requests == []


def test_a_name_that_cannot_be_encoded_does_not_affect_later_requests() -> None:
    with (
        misbehaving(always(EMPTY_LIST)) as server,
        rig(server.endpoint, uniform=without_pause) as made,
    ):
        made.client.list_shards("\ud800")
        with pytest.raises(InvalidResponse):
            made.client.get_cursor_time("orders", 0, "\ud800")
    assert [request.target for request in server.requests] == [
        "/logstores/%3F/shards",
        "/logstores/orders/shards/0?type=cursor_time&cursor=%3F",
    ]


def test_an_unread_response_does_not_block_the_next_request() -> None:
    behaviour = in_turn(always(answer(b"[]", "Content-Encoding: gzip")), always(EMPTY_LIST))
    with misbehaving(behaviour) as server, rig(server.endpoint) as made:
        with pytest.raises(InvalidResponse):
            made.client.list_shards("orders")
        assert made.client.list_shards("orders").entries == ()
    assert server.connections == 2


def test_a_deadline_that_has_passed_is_a_timeout() -> None:
    with (
        misbehaving(always(EMPTY_LIST)) as server,
        rig(server.endpoint, timeout=1e-9) as made,
        pytest.raises(TimedOut),
    ):
        made.client.list_shards("orders")
