"""The client's time limits: a whole operation ends in time, and a stop ends it sooner."""

import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import trustme

from exporter.http.failure import HttpFailure
from exporter.http.response import Response
from exporter.http.transport import Transport
from exporter.sls.client import TRIES
from exporter.sls.errors import Cancelled, SlsError, TimedOut
from exporter.sls.request_rate import RequestRate
from tests.support.certificates import authority_file, loopback_tls
from tests.support.misbehaving import (
    EMPTY_LIST,
    OK,
    Behaviour,
    RawServer,
    Reader,
    Turn,
    always,
    answer,
    in_turn,
    leave_unread,
    misbehaving,
    read_head,
    swallowing,
)
from tests.support.sls_client import Rig, rig
from tests.support.wait import wait_for

TIMEOUT = 0.5
LATEST = 1.5


def hang(turn: Turn) -> None:
    turn.wait()


def hang_in_the_headers(turn: Turn) -> None:
    turn.send(OK + b"Content-Le")
    turn.wait()


def hang_after_the_headers(turn: Turn) -> None:
    turn.send(EMPTY_LIST[:-2])
    turn.wait()


def drip_from_the_start(turn: Turn) -> None:
    turn.drip(answer(b"[" + b" " * 1000 + b"]"), 0.05)


def drip_the_body(turn: Turn) -> None:
    turn.send(OK + b"Content-Length: 1000\r\n\r\n")
    turn.drip(b" " * 1000, 0.05)


def drip_chunks(turn: Turn) -> None:
    turn.send(OK + b"Transfer-Encoding: chunked\r\n\r\n")
    for _ in range(1000):
        turn.send(b"1\r\n \r\n")
        turn.wait(0.05)


def go_on_with_interim_answers(turn: Turn) -> None:
    while True:
        turn.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        turn.wait(0.01)


def go_on_with_trailers(turn: Turn) -> None:
    turn.send(OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n")
    while True:
        turn.send(b"x: y\r\n")
        turn.wait(0.01)


def fail_slowly(turn: Turn) -> None:
    turn.wait(0.2)
    turn.send(answer(b"", status="502 Bad Gateway"))


SLOW = [
    hang,
    hang_in_the_headers,
    hang_after_the_headers,
    drip_from_the_start,
    drip_the_body,
    drip_chunks,
    go_on_with_interim_answers,
    go_on_with_trailers,
]
by_name = pytest.mark.parametrize("behaviour", SLOW, ids=[each.__name__ for each in SLOW])


def elapsed_until_error(rig: Rig) -> tuple[SlsError, float]:
    started = time.monotonic()
    with pytest.raises(SlsError) as raised:
        rig.client.list_shards("orders")
    return raised.value, time.monotonic() - started


@by_name
def test_a_call_ends_in_time_for_every_slow_step(behaviour: Behaviour) -> None:
    with misbehaving(behaviour) as server, rig(server.endpoint, timeout=TIMEOUT) as made:
        error, seconds = elapsed_until_error(made)
    assert isinstance(error, TimedOut)
    assert TIMEOUT - 0.05 <= seconds < LATEST
    assert str(error) == "ListShards: timeout: no complete response in time"
    assert made.notes.ended == [("ListShards", "timeout")]


def test_a_call_ends_in_time_if_no_connection_is_established() -> None:
    with swallowing() as port, rig(f"http://127.0.0.1:{port}", timeout=TIMEOUT) as made:
        error, seconds = elapsed_until_error(made)
    assert isinstance(error, TimedOut)
    assert TIMEOUT - 0.05 <= seconds < LATEST


def test_a_call_ends_in_time_if_the_tls_handshake_hangs() -> None:
    with (
        misbehaving(hang) as server,
        rig(f"https://127.0.0.1:{server.port}", timeout=TIMEOUT) as made,
    ):
        error, seconds = elapsed_until_error(made)
    assert isinstance(error, TimedOut)
    assert TIMEOUT - 0.05 <= seconds < LATEST


def test_all_attempts_together_end_in_time() -> None:
    with misbehaving(fail_slowly) as server, rig(server.endpoint, timeout=TIMEOUT) as made:
        _, seconds = elapsed_until_error(made)
    assert seconds < LATEST
    assert 1 <= len(made.notes.ended) <= TRIES
    # Each attempt after the first has a kept connection, and may send again over a new one.
    assert len(server.requests) <= 2 * TRIES - 1


def test_call_ends_in_time_if_kept_and_fresh_connection_are_silent() -> None:
    with (
        misbehaving(in_turn(always(EMPTY_LIST), hang)) as server,
        rig(server.endpoint, timeout=TIMEOUT) as made,
    ):
        made.client.list_shards("orders")
        error, seconds = elapsed_until_error(made)
    assert isinstance(error, TimedOut)
    assert TIMEOUT - 0.05 <= seconds < LATEST
    assert (len(server.requests), server.connections) == (3, 2)
    assert made.notes.ended == [("ListShards", None), ("ListShards", "timeout")]


def test_another_call_on_the_thread_is_not_harmed_by_one_that_timed_out() -> None:
    def answer_late_once(turn: Turn) -> None:
        if turn.number == 1:
            turn.wait()
        turn.send(EMPTY_LIST)

    with misbehaving(answer_late_once) as server, rig(server.endpoint, timeout=TIMEOUT) as made:
        elapsed_until_error(made)
        assert made.client.list_shards("orders").entries == ()
    assert server.connections == 2


# Requests that are not read

LARGE = b"a" * 16_000_000 + b"\r\n\r\n"  # far more than a connection takes in unread
over_both = pytest.mark.parametrize("scheme", ["http", "https"])


@contextmanager
def uploading(
    scheme: str, *, read: Reader, cancelled: threading.Event, seconds: float
) -> Iterator[tuple[RawServer, Callable[[], Response]]]:
    """Yield a server that responds, and a function that sends it a large request."""
    with TemporaryDirectory() as place, ExitStack() as stack:
        tls, ca_file = None, None
        if scheme == "https":
            authority = trustme.CA()
            tls, ca_file = loopback_tls(authority), authority_file(Path(place), authority)
        server = stack.enter_context(misbehaving(always(EMPTY_LIST), tls=tls, read=read))
        transport = Transport(cancelled=cancelled, ca_file=ca_file)
        stack.callback(transport.close)

        def upload() -> Response:
            deadline = time.monotonic() + seconds
            headers = {"Host": "here"}
            return transport.send(
                "PUT", server.endpoint, "/", headers=headers, body=LARGE, deadline=deadline
            )

        yield server, upload


@over_both
def test_request_ends_in_time_if_it_is_not_read(scheme: str) -> None:
    made = uploading(scheme, read=leave_unread, cancelled=threading.Event(), seconds=TIMEOUT)
    with made as (_, upload):
        started = time.monotonic()
        with pytest.raises(HttpFailure) as raised:
            upload()
        assert TIMEOUT - 0.05 <= time.monotonic() - started < LATEST
    assert raised.value.kind == "timeout"


@over_both
def test_request_arrives_completely_if_it_is_read_late(scheme: str) -> None:
    def read_late(connection: socket.socket) -> str | None:
        server.closing.wait(0.6)  # longer than one wait of a socket
        return read_head(connection)

    made = uploading(scheme, read=read_late, cancelled=threading.Event(), seconds=30.0)
    with made as (server, upload):
        assert upload().body == b"[]"
    (request,) = server.requests
    assert request.headers["content-length"] == str(len(LARGE))


# Stopping


@contextmanager
def calling(made: Rig, *, calls: int = 1) -> Iterator[list[BaseException | None]]:
    """Call in a thread; at the end of the block stop, and expect the call to end soon."""
    outcome: list[BaseException | None] = []

    def run() -> None:
        try:
            for _ in range(calls):
                made.client.list_shards("orders")
        except SlsError as error:
            outcome.append(error)
        else:
            outcome.append(None)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield outcome
    finally:
        stopped = time.monotonic()
        made.cancelled.set()
        thread.join(10)
    seconds = time.monotonic() - stopped
    assert not thread.is_alive()
    assert isinstance(outcome[0], Cancelled)
    assert str(outcome[0]) == "ListShards: cancelled: the exporter is stopping"
    assert seconds < 0.75


@by_name
def test_a_stop_ends_a_call_in_every_wait(behaviour: Behaviour) -> None:
    with (
        misbehaving(behaviour) as server,
        rig(server.endpoint, timeout=60) as made,
        calling(made) as outcome,
    ):
        wait_for(lambda: server.requests)
        assert outcome == []
    assert made.notes.ended == []


def waiting_connections(port: int) -> int:
    """Count the connections to a port that wait for a response to their first packet."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[2].endswith(f":{port:04X}") and row[3] == "02" for row in rows)


def test_a_stop_ends_the_wait_for_a_connection() -> None:
    with swallowing() as port, rig(f"http://127.0.0.1:{port}", timeout=60) as made:
        before = waiting_connections(port)
        with calling(made) as outcome:
            wait_for(lambda: waiting_connections(port) > before)
            assert outcome == []


def unsent_bytes(port: int) -> int:
    """Return the bytes that connections to a port hold back because they are not read there."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(int(row[4].split(":")[0], 16) for row in rows if row[2].endswith(f":{port:04X}"))


def is_stuck(port: int) -> Callable[[], bool]:
    """Return a function that returns whether the last looks at unsent bytes saw no progress."""
    looks: deque[int] = deque([0], maxlen=5)

    def look() -> bool:
        looks.append(unsent_bytes(port))
        return len(looks) == looks.maxlen and len(set(looks)) == 1 and looks[0] > 0

    return look


@over_both
def test_stop_ends_wait_for_request_to_be_read(scheme: str) -> None:
    failures: list[HttpFailure] = []
    cancelled = threading.Event()
    made = uploading(scheme, read=leave_unread, cancelled=cancelled, seconds=60.0)
    with made as (server, upload):

        def run() -> None:
            try:
                upload()
            except HttpFailure as failure:
                failures.append(failure)

        thread = threading.Thread(target=run)
        thread.start()
        wait_for(is_stuck(server.port))
        assert failures == []
        stopped = time.monotonic()
        cancelled.set()
        thread.join(10)
        assert time.monotonic() - stopped < 0.75
    assert [failure.kind for failure in failures] == ["cancelled"]


def test_stop_ends_wait_for_kept_connection_and_sends_nothing_more() -> None:
    with (
        misbehaving(in_turn(always(EMPTY_LIST), hang)) as server,
        rig(server.endpoint, timeout=60) as made,
        calling(made, calls=2) as outcome,
    ):
        wait_for(lambda: len(server.requests) == 2)
        assert outcome == []
    assert (len(server.requests), server.connections) == (2, 1)


def test_a_stop_ends_the_wait_for_a_handshake() -> None:
    with (
        misbehaving(hang) as server,
        rig(f"https://127.0.0.1:{server.port}", timeout=60) as made,
        calling(made) as outcome,
    ):
        wait_for(lambda: server.connections)
        assert outcome == []


def test_a_stop_ends_the_wait_for_the_throttle() -> None:
    asked = threading.Event()

    def monotonic() -> float:
        if threading.current_thread() is not threading.main_thread():
            asked.set()
        return time.monotonic()

    throttle = RequestRate(0.001, monotonic=monotonic)
    throttle.reserve()
    with (
        misbehaving(always(EMPTY_LIST)) as server,
        rig(server.endpoint, rate=throttle) as made,
        calling(made) as outcome,
    ):
        assert asked.wait(10)
        assert outcome == []
    assert server.requests == []


def test_a_stop_ends_the_pause_before_a_retry() -> None:
    with (
        misbehaving(always(answer(b"", status="502 Bad Gateway"))) as server,
        rig(server.endpoint, timeout=3600, uniform=lambda _, __: 60.0) as made,
        calling(made) as outcome,
    ):
        wait_for(lambda: made.notes.ended)
        assert outcome == []
    assert len(server.requests) == 1
    assert made.notes.retried == []


def test_a_stopped_client_sends_nothing() -> None:
    with misbehaving(always(EMPTY_LIST)) as server, rig(server.endpoint) as made:
        made.cancelled.set()
        error, _ = elapsed_until_error(made)
    assert isinstance(error, Cancelled)
    assert server.connections == 0
