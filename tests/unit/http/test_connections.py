"""Kept connections that the network or the service has dropped, which must cost no request."""

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from exporter.http.connections import IDLE_SECONDS
from exporter.http.response import Response
from exporter.http.sockets import Watch, connect
from exporter.http.transport import Transport
from exporter.sls.errors import SlsError
from tests.support.certificates import authority_file, loopback_tls
from tests.support.misbehaving import (
    EMPTY_LIST,
    Behaviour,
    RawServer,
    Turn,
    always,
    in_turn,
    misbehaving,
)
from tests.support.sls_client import Rig, rig
from tests.support.wait import wait_for

AUTHORITY = trustme.CA()
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
respond = always(EMPTY_LIST)


@contextmanager
def client_of(
    behaviour: Behaviour,
    tmp_path: Path,
    *,
    scheme: str = "http",
    timeout: float = 10.0,
    monotonic: Callable[[], float] = time.monotonic,
) -> Iterator[tuple[Rig, RawServer]]:
    """Yield a client of a server, and the server."""
    tls, ca_file = served_by(scheme, tmp_path)

    def transport(cancelled: threading.Event) -> Transport:
        return Transport(cancelled=cancelled, ca_file=ca_file, monotonic=monotonic)

    with (
        misbehaving(behaviour, tls=tls) as server,
        rig(
            server.endpoint,
            timeout=timeout,
            uniform=lambda _low, _high: 0.0,
            make_transport=transport,
        ) as made,
    ):
        yield made, server


@contextmanager
def transport_to(
    behaviour: Behaviour, tmp_path: Path, *, scheme: str
) -> Iterator[tuple[Callable[[str], Response], RawServer]]:
    """Yield a function that sends a request with a method, and the server."""
    tls, ca_file = served_by(scheme, tmp_path)
    with misbehaving(behaviour, tls=tls) as server:
        transport = Transport(cancelled=threading.Event(), ca_file=ca_file)

        def send(method: str) -> Response:
            deadline = time.monotonic() + 10
            headers = {"Host": "here"}
            return transport.send(method, server.endpoint, "/", headers=headers, deadline=deadline)

        yield send, server
        transport.close()


def served_by(scheme: str, tmp_path: Path) -> tuple[ssl.SSLContext | None, Path]:
    """Return the TLS of a server, and the file of its authority."""
    tls = loopback_tls(AUTHORITY) if scheme == "https" else None
    return tls, authority_file(tmp_path, AUTHORITY)


over_both = pytest.mark.parametrize("scheme", ["http", "https"])


# Dead connections


def stay_silent(turn: Turn) -> None:
    turn.wait()


def reset(turn: Turn) -> None:
    turn.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    turn.close()


dead = pytest.mark.parametrize("die", [stay_silent, reset, Turn.close])


@over_both
@dead
def test_request_over_dead_kept_connection_is_sent_again(
    tmp_path: Path, die: Behaviour, scheme: str
) -> None:
    behaviour = in_turn(respond, die, respond)
    with client_of(behaviour, tmp_path, scheme=scheme, timeout=2.0) as (made, server):
        for _ in range(3):
            assert made.client.list_shards("orders").entries == ()
    assert (len(server.requests), server.connections) == (4, 2)
    assert server.requests[1].target == server.requests[2].target
    assert server.requests[1].headers == server.requests[2].headers
    assert made.notes.ended == [("ListShards", None)] * 3
    assert made.notes.retried == []


@dead
def test_request_is_sent_only_once_more(tmp_path: Path, die: Behaviour) -> None:
    with client_of(in_turn(respond, die), tmp_path, timeout=1.0) as (made, server):
        made.client.list_shards("orders")
        with pytest.raises(SlsError):
            made.client.list_shards("orders")
    assert len(server.requests) == len(made.notes.ended) + 1


def test_request_over_fresh_connection_is_not_sent_again(tmp_path: Path) -> None:
    with client_of(reset, tmp_path) as (made, server), pytest.raises(SlsError):
        made.client.list_shards("orders")
    assert {code for _, code in made.notes.ended} == {"connection"}
    assert len(server.requests) == server.connections == len(made.notes.ended)


@over_both
def test_request_is_not_sent_again_after_first_byte(tmp_path: Path, scheme: str) -> None:
    def end_after_first_byte(turn: Turn) -> None:
        turn.send(EMPTY_LIST[:1])
        turn.close()

    behaviour = in_turn(respond, end_after_first_byte, respond)
    with client_of(behaviour, tmp_path, scheme=scheme) as (made, server):
        for _ in range(2):
            made.client.list_shards("orders")
    assert made.notes.retried == ["ListShards"], "the client retries by its own rules"
    assert len(server.requests) == len(made.notes.ended) == 3


@over_both
def test_a_request_other_than_get_is_sent_over_a_fresh_connection(
    tmp_path: Path, scheme: str
) -> None:
    with transport_to(respond, tmp_path, scheme=scheme) as (send, server):
        for method in ("GET", "PUT", "GET", "POST"):
            assert send(method).body == b"[]"
    assert (len(server.requests), server.connections) == (4, 3)


# The end of connections


@over_both
def test_connection_is_closed_when_its_thread_ends(tmp_path: Path, scheme: str) -> None:
    with transport_to(respond, tmp_path, scheme=scheme) as (send, server):
        thread = threading.Thread(target=send, args=("GET",))
        thread.start()
        thread.join()
        wait_for(lambda: not server.is_connected)
    assert len(server.requests) == 1


def test_idle_connections_of_all_threads_are_closed_with_transport() -> None:
    idle, closed = threading.Barrier(3), threading.Event()
    transport = Transport(cancelled=threading.Event())

    def run(endpoint: str) -> None:
        deadline = time.monotonic() + 10
        transport.send("GET", endpoint, "/", headers={"Host": "here"}, deadline=deadline)
        idle.wait(10)
        closed.wait(10)

    with misbehaving(respond) as server:
        threads = [threading.Thread(target=run, args=(server.endpoint,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        idle.wait(10)
        assert server.is_connected
        transport.close()
        wait_for(lambda: not server.is_connected)
        closed.set()
        for thread in threads:
            thread.join()
    assert server.connections == 2


# Slow services


@over_both
def test_slow_service_is_read_over_any_connection(tmp_path: Path, scheme: str) -> None:
    def respond_late(turn: Turn) -> None:
        turn.wait(0.7)  # longer than a kept connection may stay silent
        respond(turn)

    with client_of(respond_late, tmp_path, scheme=scheme, timeout=2.0) as (made, server):
        for _ in range(3):
            assert made.client.list_shards("orders").entries == ()
    assert made.notes.ended == [("ListShards", None)] * 3
    # A request is sent again over a new connection, unless this process is too busy to notice.
    assert len(server.requests) == 2 + server.connections
    assert server.connections <= 3


def test_response_over_kept_connection_has_whole_deadline_after_first_byte(tmp_path: Path) -> None:
    def begin_and_respond_late(turn: Turn) -> None:
        turn.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        turn.wait(0.7)
        respond(turn)

    behaviour = in_turn(respond, begin_and_respond_late)
    with client_of(behaviour, tmp_path, timeout=2.0) as (made, server):
        for _ in range(2):
            assert made.client.list_shards("orders").entries == ()
    assert (len(server.requests), server.connections) == (2, 1)


@pytest.mark.parametrize(("remaining", "share"), [(8.0, 2.0), (60.0, 3.0)])
def test_shortened_deadline_is_share_of_remaining_time(remaining: float, share: float) -> None:
    watch = Watch(threading.Event())
    now = time.monotonic()
    watch.deadline = now + remaining
    with watch.shortened(0.25, at_most=3.0):
        assert share - 0.5 < watch.deadline - now < share + 0.5
    assert watch.deadline == now + remaining


# Idle connections


@over_both
def test_connection_is_replaced_after_idle_limit(tmp_path: Path, scheme: str) -> None:
    now = 1000.0
    with client_of(respond, tmp_path, scheme=scheme, monotonic=lambda: now) as (made, server):
        connections = []
        for seconds in (0.0, IDLE_SECONDS, IDLE_SECONDS, IDLE_SECONDS + 0.1, 0.0):
            now += seconds
            made.client.list_shards("orders")
            connections.append(server.connections)
    assert connections == [1, 1, 1, 2, 2]
    assert len(server.requests) == 5


def test_idle_limit_is_below_strictest_networks_and_default_interval() -> None:
    assert IDLE_SECONDS == 50.0


def test_socket_sends_keepalive_probes() -> None:
    watch = Watch(threading.Event())
    watch.deadline = time.monotonic() + 10
    options = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        connect("127.0.0.1", listener.getsockname()[1], watch) as sock,
    ):
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        values = [sock.getsockopt(socket.IPPROTO_TCP, option) for option in options]
    assert values == [30, 30, 3]
