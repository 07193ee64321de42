import base64
import hashlib
import socket
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from http.client import IncompleteRead
from typing import NoReturn

import pytest

from exporter.metrics.exposition import Scrape
from exporter.model.snapshot import View
from exporter.web.headers import html_headers
from tests.support.snapshots import target
from tests.support.status_views import document_of, failing
from tests.support.wait import wait_for
from tests.support.web_peers import connect
from tests.support.web_server import (
    METRICS,
    Faults,
    HeldScrape,
    content,
    fetch,
    plain_scrape,
    serving,
)


def test_scrape_returns_the_given_body_and_headers() -> None:
    asked: list[Mapping[str, str]] = []

    def scrape(**headers: str) -> Scrape:
        asked.append(headers)
        return Scrape(content_type="text/x", content_encoding="gzip", body=[b"\x1f\x8b"])

    with serving(content(scrape=scrape)) as port:
        headers = {"Accept": "application/openmetrics-text", "Accept-Encoding": "gzip"}
        answer = fetch(port, "/metrics", headers=headers)
    assert (answer.status, answer.body) == (200, b"\x1f\x8b")
    assert answer.headers["Content-Type"] == "text/x"
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.headers["Content-Length"] == "2"
    assert asked == [{"accept": "application/openmetrics-text", "accept_encoding": "gzip"}]


def test_a_scrape_in_pieces_arrives_whole() -> None:
    def body() -> Iterator[bytes]:
        for number in range(2000):
            yield b"%06d" % number * 100

    def scrape(**_: str) -> Scrape:
        return plain_scrape(body())

    with serving(content(scrape=scrape)) as port:
        answer = fetch(port, "/metrics")
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert hashlib.sha256(answer.body).digest() == hashlib.sha256(b"".join(body())).digest()


def test_a_client_of_http_1_0_is_reset_where_a_body_breaks_off() -> None:
    breaks_off = [False, True]

    def body() -> Iterator[bytes]:
        yield b"x" * 300_000
        if breaks_off.pop(0):
            raise RuntimeError("half-way")

    def scrape(**_: str) -> Scrape:
        return plain_scrape(body())

    with serving(content(scrape=scrape)) as port:
        with connect(port) as sock:
            sock.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            head, _, found = received(sock).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 ")
            assert found == b"x" * 300_000
        with connect(port) as sock:
            sock.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            with pytest.raises(ConnectionResetError):
                received(sock)


def test_a_client_of_http_1_0_is_reset_where_the_server_stops_before_all_is_sent() -> None:
    # The body is larger than the buffers of the kernel, so that a part waits in the server.
    group = failing("InternalServerError", "x" * 20_000_000, name="billing")
    rows = document_of(View(targets=(target(group),)))
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with serving(content(groups=lambda: rows)) as port:
            sock.connect(("127.0.0.1", port))
            sock.sendall(b"GET /api/v1/groups HTTP/1.0\r\n\r\n")
            assert sock.recv(1) == b"H"
        with pytest.raises(ConnectionResetError):
            received(sock)


def received(sock: socket.socket) -> bytes:
    return b"".join(iter(lambda: sock.recv(65_536), b""))


def test_a_large_body_arrives_whole() -> None:
    large = bytes(range(256)) * 40_000
    with serving(content(scrape=lambda **_: plain_scrape(large))) as port:
        answer = fetch(port, "/metrics")
    assert answer.body == large


def test_a_body_that_breaks_off_is_not_taken_for_a_whole_one() -> None:
    def body() -> Iterator[bytes]:
        yield b"x" * 300_000
        raise RuntimeError("half-way")

    def scrape(**_: str) -> Scrape:
        return plain_scrape(body())

    faults = Faults()
    with serving(content(scrape=scrape), faults=faults) as port, pytest.raises(IncompleteRead):
        fetch(port, "/metrics")
    assert [(where, str(exc)) for where, exc in faults.seen] == [("/metrics", "half-way")]


def test_the_telemetry_path_can_be_moved() -> None:
    with serving(telemetry_path="/sls") as port:
        assert fetch(port, "/sls").body == METRICS
        assert fetch(port, "/metrics").status == 404


def test_content_security_policy_allows_only_own_style_and_script() -> None:
    html = b"<html><head><style>b{}</style><script>go()</script></head><body>ok</body></html>"
    style = base64.b64encode(hashlib.sha256(b"b{}").digest()).decode()
    script = base64.b64encode(hashlib.sha256(b"go()").digest()).decode()
    assert html_headers(html)["Content-Security-Policy"] == (
        f"default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; "
        "connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    )


def test_a_script_after_the_first_is_not_allowed() -> None:
    page = b"<script>good()</script><p><SCRIPT>bad()</SCRIPT>"
    bad = base64.b64encode(hashlib.sha256(b"bad()").digest()).decode()
    assert bad not in html_headers(page)["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["/", "/metrics", "/api/v1/groups", "/-/healthy", "/nothing"])
def test_every_response_forbids_type_sniffing_and_names_no_server(path: str) -> None:
    with serving() as port:
        answer = fetch(port, path)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Server"] is None
    assert answer.headers["Date"] is not None


@pytest.mark.parametrize("state", ["healthy", "ready"])
def test_failing_check_responds_with_the_reason(state: str) -> None:
    def reason() -> str | None:
        return "the scheduler does not advance"

    broken = content(unhealthy=reason, unready=reason)
    with serving() as port:
        answer = fetch(port, f"/-/{state}")
        assert (answer.status, answer.text) == (200, f"{state}\n")
    with serving(broken) as port:
        answer = fetch(port, f"/-/{state}")
        assert (answer.status, answer.text) == (
            503,
            f"not {state}: the scheduler does not advance\n",
        )


def test_reloading_over_http_is_off_by_default() -> None:
    with serving() as port:
        answer = fetch(port, "/-/reload", method="POST")
    assert answer.status == 403
    assert "--web.enable-lifecycle" in answer.text


def test_failed_reload_returns_its_errors() -> None:
    faults = ["config.yaml:1:1: no", "config.yaml:2:1: nor this"]
    outcomes = [[], faults]
    with serving(content(reload=lambda: outcomes.pop(0))) as port:
        done = fetch(port, "/-/reload", method="POST")
        failed = fetch(port, "/-/reload", method="POST")
    assert (done.status, done.text) == (200, "reloaded\n")
    assert (failed.status, failed.text) == (500, "\n".join(faults) + "\n")


@pytest.mark.parametrize("path", ["/metrics/", "/-/", "/etc/passwd", "//", "/%2e%2e/"])
def test_an_unknown_path_is_not_found(path: str) -> None:
    with serving() as port:
        answer = fetch(port, path)
    assert (answer.status, answer.text) == (404, "Not Found\n")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    ("path", "method", "allowed"),
    [
        ("/metrics", "POST", {"GET", "HEAD"}),
        ("/", "DELETE", {"GET", "HEAD"}),
        ("/api/v1/groups", "PUT", {"GET", "HEAD"}),
        ("/-/healthy", "POST", {"GET", "HEAD"}),
        ("/-/reload", "GET", {"POST"}),
    ],
)
def test_another_method_is_refused_with_those_allowed(
    path: str, method: str, allowed: set[str]
) -> None:
    with serving() as port:
        answer = fetch(port, path, method=method)
    assert answer.status == 405
    assert set(answer.headers["Allow"].split(", ")) == allowed


@pytest.mark.parametrize("path", ["/", "/metrics", "/api/v1/groups", "/-/healthy", "/-/ready"])
def test_head_responds_like_get_without_a_body(path: str) -> None:
    with serving() as port:
        head, get = fetch(port, path, method="HEAD"), fetch(port, path)
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Length"] == get.headers["Content-Length"] == str(len(get.body))


@pytest.mark.parametrize("path", ["/", "/metrics", "/api/v1/groups", "/-/healthy", "/-/ready"])
def test_a_page_that_fails_is_a_plain_500_and_is_reported(path: str) -> None:
    def fail(**_: str) -> NoReturn:
        raise RuntimeError("secret detail")

    broken = content(scrape=fail, groups=fail, unhealthy=fail, unready=fail)
    faults = Faults()
    with serving(broken, faults=faults) as port:
        answer = fetch(port, path)
    assert (answer.status, answer.text) == (500, "Internal Server Error\n")
    assert [(where, str(exc)) for where, exc in faults.seen] == [(path, "secret detail")]


def test_scrapes_above_the_limit_are_refused_until_a_slot_is_free() -> None:
    held = HeldScrape()
    with (
        serving(content(scrape=held), max_requests=1) as port,
        ThreadPoolExecutor(1) as pool,
    ):
        first = pool.submit(fetch, port, "/metrics", timeout=20)
        held.wait_begun()
        refused = fetch(port, "/metrics")
        held.release()
        assert first.result(20).status == 200
        wait_for(lambda: fetch(port, "/metrics").status == 200, what="a free slot")
    assert refused.status == 503
    assert refused.headers["Retry-After"] == "1"


def test_checks_and_pages_respond_while_every_scrape_hangs() -> None:
    held = HeldScrape()
    with serving(content(scrape=held)) as port, ThreadPoolExecutor(8) as pool:
        scrapes = [pool.submit(fetch, port, "/metrics", timeout=30) for _ in range(8)]
        held.wait_begun(4)
        answers = [fetch(port, path).status for path in ("/-/healthy", "/-/ready", "/")]
        held.release()
        assert [scrape.result(30).status for scrape in scrapes] == [200] * 8
    assert answers == [200, 200, 200]
