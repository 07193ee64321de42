import asyncio
import gc
import http.client
import logging
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from exporter.metrics.exposition import Scrape
from exporter.web.connection import Connection, Limits
from exporter.web.listen import ListenAddress, ListenError
from exporter.web.routes import create_app
from exporter.web.scrapes import RenderScrape
from exporter.web.server import WebServer
from tests.support.descriptors import open_descriptors
from tests.support.wait import wait_for
from tests.support.web_peers import (
    closed_by_server,
    connect,
    read_to_end,
    read_until,
    silent,
    trickling,
)
from tests.support.web_server import (
    METRICS,
    Faults,
    HeldScrape,
    content,
    fetch,
    plain_scrape,
    scrape,
    serving,
)

QUICK = Limits(head=0.5, keep_alive=1, stall=0.5, exchange=20.0)


def new_server(*addresses: str, scrape: RenderScrape = scrape) -> WebServer:
    faults = Faults()
    listen = [ListenAddress.parse(text) for text in addresses]
    return WebServer(
        lambda threads: create_app(content(scrape=scrape), threads, on_error=faults.report),
        listen,
        on_error=faults.report,
        on_handshake_error=lambda _reason, _client: None,
    )


def endless(**_: str) -> Scrape:
    def body() -> Iterator[bytes]:
        while True:
            yield b"x" * 65536

    return plain_scrape(body())


def test_a_server_listens_on_several_addresses_and_tells_their_ports() -> None:
    server = new_server("127.0.0.1:0", "127.0.0.2:0")
    server.start()
    try:
        ports = [address.port for address in server.addresses]
        assert [address.host for address in server.addresses] == ["127.0.0.1", "127.0.0.2"]
        for address in server.addresses:
            socket.create_connection((address.host, address.port), timeout=5).close()
        assert fetch(ports[0], "/metrics").body == METRICS
    finally:
        server.stop(1.0)


@pytest.mark.parametrize(
    ("owner", "method", "fault", "reason"),
    [
        (asyncio.Runner, "__enter__", OSError(24, "Too many open files"), "too many open files"),
        (threading.Thread, "start", RuntimeError("can't start new thread"), "can't start new"),
    ],
    ids=["no descriptor", "no thread"],
)
def test_start_at_a_limit_of_the_system_fails_and_releases_the_port(
    monkeypatch: pytest.MonkeyPatch, owner: type, method: str, fault: Exception, reason: str
) -> None:
    def fail(_: object) -> None:
        raise fault

    with ListenAddress(host="127.0.0.1", port=0).bind() as taken:
        port = taken.getsockname()[1]
    server = new_server(f"127.0.0.1:{port}")
    with monkeypatch.context() as patched:
        patched.setattr(owner, method, fail)
        with pytest.raises(ListenError, match=f"cannot start the web server: {reason}"):
            server.start()
    ListenAddress(host="127.0.0.1", port=port).bind().close()
    server.stop(0.1)


def test_a_port_is_free_again_after_the_stop() -> None:
    with serving() as port:
        assert fetch(port, "/-/healthy").status == 200
    server = new_server(f"127.0.0.1:{port}")
    server.start()
    try:
        assert fetch(port, "/-/healthy").status == 200
    finally:
        server.stop(1.0)


def test_server_starts_after_an_early_stop_and_can_be_stopped_twice() -> None:
    server = new_server("127.0.0.1:0")
    server.stop(0.0)
    server.start()
    try:
        port = server.addresses[0].port
        assert fetch(port, "/-/healthy").status == 200
    finally:
        server.stop(0.0)
        server.stop(0.0)
    with pytest.raises(ConnectionRefusedError):
        fetch(port, "/-/healthy")


def test_no_thread_is_left_when_it_has_stopped() -> None:
    before = set(threading.enumerate())
    server = new_server("127.0.0.1:0")
    server.start()
    for path in ("/metrics", "/", "/api/v1/groups"):
        assert fetch(server.addresses[0].port, path).status == 200
    threads = set(threading.enumerate()) - before
    assert len(threads) >= 3, "of the server, of scrapes and of pages"
    server.stop(1.0)
    wait_for(lambda: not any(each.is_alive() for each in threads), what="the end of all threads")


def test_one_connection_serves_many_requests() -> None:
    with serving() as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        for _ in range(3):
            connection.request("GET", "/metrics")
            response = connection.getresponse()
            assert response.read() == METRICS
            assert not response.will_close
        connection.close()


def test_small_responses_on_a_kept_connection_are_not_delayed() -> None:
    with serving() as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        start = time.monotonic()
        for _ in range(50):
            connection.request("GET", "/-/healthy")
            connection.getresponse().read()
        took = time.monotonic() - start
        connection.close()
    assert took < 1.5  # with Nagle's algorithm, each waits 0.04 s for an acknowledgment


def test_pipelined_requests_are_served_in_order() -> None:
    with serving() as port, connect(port) as sock:
        sock.sendall(
            b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n"
            b"GET /-/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        text = read_to_end(sock)
    assert text.index(b"\nhealthy") < text.index(b"\nready")


def test_malformed_data_after_a_request_leaves_its_response_complete() -> None:
    leave = threading.Event()

    def body() -> Iterator[bytes]:
        yield b"x" * 300_000
        assert leave.wait(20)
        yield b"y"

    def scrape(**_: str) -> Scrape:
        return plain_scrape(body())

    with serving(content(scrape=scrape)) as port, connect(port) as sock:
        sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n\x00\r\n\r\n")
        assert sock.recv(1) == b"H"
        leave.set()
        text = read_to_end(sock)
    answer, _, rest = text.partition(b"y\r\n0\r\n\r\n")
    assert answer.startswith(b"TTP/1.1 200 ")
    assert rest.startswith(b"HTTP/1.1 400 ")


def test_a_connection_that_is_reset_leaves_nothing_behind() -> None:
    with serving(limits=Limits(keep_alive=75)) as port:
        before = alive()
        for _ in range(5):
            with connect(port) as sock:
                sock.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
                assert read_until(sock, b"healthy\n").startswith(b"HTTP/1.1 200")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        wait_for(lambda: alive() <= before, what="connections to be forgotten")


def alive() -> int:
    gc.collect()
    return sum(isinstance(each, Connection) for each in gc.get_objects())


def test_a_connection_that_never_completes_a_head_is_cut() -> None:
    with serving(limits=QUICK) as port, silent(port, 20) as socks:
        wait_for(lambda: closed_by_server(socks) == 20, what="silent connections to be cut")


def test_a_head_that_trickles_is_cut() -> None:
    with serving(limits=QUICK) as port, trickling(port, 20, period=0.1) as socks:
        wait_for(lambda: closed_by_server(socks) == 20, what="slow heads to be cut")


def test_a_second_head_that_trickles_is_cut() -> None:
    limits = Limits(head=0.5, keep_alive=30)
    with serving(limits=limits) as port, connect(port) as sock:
        sock.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\nGET / ")
        assert read_to_end(sock).count(b"HTTP/1.1 200") == 1
    with serving(limits=limits) as port, connect(port) as sock:
        sock.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read_until(sock, b"healthy\n").startswith(b"HTTP/1.1 200")
        sock.sendall(b"GET / ")
        assert read_to_end(sock) == b""


def test_body_that_trickles_after_its_response_is_cut() -> None:
    limits = Limits(head=0.5, keep_alive=30)
    with serving(limits=limits) as port, connect(port) as sock:
        sock.sendall(b"POST /-/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n.")
        assert read_until(sock, b"lifecycle.\n").startswith(b"HTTP/1.1 403")
        sock.sendall(b".")
        assert read_to_end(sock) == b""


@pytest.mark.parametrize(
    ("head", "part"),
    [
        ("GET /-/healthy HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999", b"x" * 65_536),
        ("POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999", b"x" * 65_536),
        (
            "POST /-/reload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked",
            b"1\r\nx\r\n" * 10_000,
        ),
    ],
    ids=["length", "unknown path", "tiny chunks"],
)
def test_a_body_without_an_end_is_cut(head: str, part: bytes) -> None:
    faults = Faults()
    with serving(faults=faults) as port:
        with connect(port) as sock, pytest.raises(ConnectionError):
            sock.sendall(f"{head}\r\n\r\n".encode() + part * 1000)
        assert fetch(port, "/-/healthy").status == 200
    assert faults.seen == []


def test_small_unexpected_body_keeps_the_connection_usable() -> None:
    with serving() as port, connect(port) as sock:
        for _ in range(3):
            sock.sendall(b"POST /-/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n")
            sock.sendall(b"x" * 60_000)
            assert read_until(sock, b"lifecycle.\n").startswith(b"HTTP/1.1 403")


def test_an_idle_connection_is_closed_after_the_keep_alive_time() -> None:
    with serving(limits=QUICK) as port, connect(port) as sock:
        sock.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read_to_end(sock).startswith(b"HTTP/1.1 200")


def test_a_client_that_stops_reading_is_cut_and_its_slot_comes_back() -> None:
    bodies = [endless]

    def scrape(**_: str) -> Scrape:
        if bodies:
            return bodies.pop()()
        return plain_scrape(METRICS)

    with (
        serving(content(scrape=scrape), limits=QUICK, max_requests=1) as port,
        connect(port) as sock,
    ):
        sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        assert sock.recv(1) == b"H"
        assert fetch(port, "/metrics").status == 503
        wait_for(lambda: fetch(port, "/metrics").status == 200, what="a free slot")


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200) + b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        b"GET / HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/x\r\nHost: x\r\n\r\n",
        b"GET /\xc3\xa4 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nA: \x00\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"y" * 100_000,
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 20_000,
        b"GET /" + b"y" * 100_000,
        b"A" * 100_000,
        b"\r\n" * 50_000,
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=range(16),
)
def test_a_malformed_request_is_refused_without_a_log_line(
    request_bytes: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    faults = Faults()
    with caplog.at_level(logging.INFO), serving(faults=faults) as port:
        with connect(port) as sock:
            sock.sendall(request_bytes)
            answer = read_to_end(sock)
        assert fetch(port, "/-/healthy").status == 200
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 405 "))
    assert len(answer) < 1000
    assert caplog.records == []
    assert faults.seen == []


def test_upgrade_to_another_protocol_gets_an_http_response() -> None:
    with serving() as port:
        headers = {"Connection": "Upgrade", "Upgrade": "websocket"}
        assert fetch(port, "/-/healthy", headers=headers).status == 200


def test_a_full_server_sheds_its_oldest_waiting_connection() -> None:
    limits = Limits(connections=10)
    with serving(limits=limits) as port, silent(port, 10) as socks:
        assert fetch(port, "/metrics").body == METRICS
        wait_for(lambda: closed_by_server(socks) == 1, what="one connection to be shed")
        assert socks[0].recv(1) == b""


def test_a_full_server_with_nothing_to_shed_refuses() -> None:
    held = HeldScrape()
    with (
        serving(content(scrape=held), limits=Limits(connections=1)) as port,
        connect(port) as busy,
    ):
        busy.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        held.wait_begun()
        with connect(port) as refused:
            assert read_to_end(refused) == b""
        held.release()
        assert read_to_end(busy).startswith(b"HTTP/1.1 200")


def test_connections_never_take_more_descriptors_than_their_limit() -> None:
    with serving(limits=Limits(connections=20)) as port:
        fetch(port, "/-/healthy")
        before = open_descriptors()
        with silent(port, 200):
            assert fetch(port, "/metrics").body == METRICS
            wait_for(
                lambda: open_descriptors() <= before + 200 + 20,
                what="shed connections to be closed",
            )


def test_process_out_of_descriptors_closes_connections_and_responds() -> None:
    command = [sys.executable, "-m", "tests.support.web_starved"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with connect(port) as waiting:
            waiting.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
            assert read_until(waiting, b"healthy\n").startswith(b"HTTP/1.1 200")
            process.stdin.write("fill\n")
            process.stdin.flush()
            assert process.stdout.readline() == "full\n"
            assert fetch(port, "/metrics").body == METRICS
            assert read_to_end(waiting) == b""
        process.communicate("end\n", timeout=20)
    assert process.returncode == 0


@pytest.mark.parametrize("grace", [0.0, 0.5])
def test_a_stop_is_bounded_with_connections_of_every_kind_open(grace: float) -> None:
    server = new_server("127.0.0.1:0", scrape=endless)
    server.start()
    port = server.addresses[0].port
    with silent(port, 5), trickling(port, 5), connect(port) as idle, connect(port) as unread:
        idle.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read_until(idle, b"healthy\n").startswith(b"HTTP/1.1 200")
        unread.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        assert unread.recv(1) == b"H"
        start = time.monotonic()
        server.stop(grace)
        assert time.monotonic() - start < grace + 1.5
        assert idle.recv(1) == b""


def test_a_stop_is_bounded_while_a_scrape_hangs() -> None:
    held = HeldScrape()
    server = new_server("127.0.0.1:0", scrape=held)
    server.start()
    with connect(server.addresses[0].port) as sock:
        sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        held.wait_begun()
        start = time.monotonic()
        server.stop(0.2)
        assert time.monotonic() - start < 1.7
        assert read_to_end(sock) == b""
    held.release()


def test_stop_lets_a_response_under_way_end() -> None:
    held = HeldScrape()
    server = new_server("127.0.0.1:0", scrape=held)
    server.start()
    with connect(server.addresses[0].port) as sock:
        sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        held.wait_begun()
        stopper = threading.Thread(target=server.stop, args=(10.0,))
        stopper.start()
        wait_for(lambda: _refuses(server.addresses[0].port), what="accepting to end")
        held.release()
        assert read_to_end(sock).endswith(METRICS)
        stopper.join(10)
    assert not stopper.is_alive()


def _refuses(port: int) -> bool:
    try:
        connect(port).close()
    except ConnectionError:
        return True
    return False
