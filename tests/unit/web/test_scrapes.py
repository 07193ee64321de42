"""Concurrent scrapes share one rendering, and each still gets a complete response."""

import gzip
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http.client import HTTPConnection, IncompleteRead

import pytest

from exporter.metrics.exposition import Scrape
from tests.support.wait import wait_for
from tests.support.web_server import Faults, content, fetch, serving

GZIP = {"Accept-Encoding": "gzip"}


class Renderings:
    """Bodies of two pieces; the second piece waits until the test releases it."""

    def __init__(self, *, encoding: str | None, breaks: bool = False) -> None:
        self.encoding = encoding
        self.breaks = breaks
        self.asked = threading.Semaphore(0)
        self.written: list[int] = []
        self.go_on = threading.Event()
        self._count = 0
        self._lock = threading.Lock()

    def scrape(self, **_: str) -> Scrape:
        with self._lock:
            self._count += 1
            body = self._body(self._count)
        self.asked.release()
        return Scrape(content_type="text/plain", content_encoding=self.encoding, body=body)

    def _body(self, number: int) -> Iterator[bytes]:
        self.written.append(number)
        yield b"%d" % number * 300_000
        assert self.go_on.wait(20)
        if self.breaks:
            raise RuntimeError("half-way")
        yield b"end"


def both_at_once(renderings: Renderings, port: int) -> list[bytes]:
    with ExitStack() as stack:
        begun = []
        for _ in range(2):
            connection = HTTPConnection("127.0.0.1", port, timeout=20)
            stack.callback(connection.close)
            connection.request("GET", "/metrics", headers=GZIP)
            begun.append(connection.getresponse())
        renderings.go_on.set()
        return [answer.read() for answer in begun]


def test_scrapes_that_come_together_are_written_once() -> None:
    renderings = Renderings(encoding="gzip")
    with serving(content(scrape=renderings.scrape)) as port:
        bodies = both_at_once(renderings, port)
        after = fetch(port, "/metrics", headers=GZIP).body
    assert bodies == [b"1" * 300_000 + b"end"] * 2
    assert after == b"3" * 300_000 + b"end", "one that has ended is not handed out again"
    assert renderings.written == [1, 3]


def test_uncompressed_scrape_is_not_shared() -> None:
    renderings = Renderings(encoding=None)
    with serving(content(scrape=renderings.scrape)) as port:
        bodies = both_at_once(renderings, port)
    assert sorted(body[:1] for body in bodies) == [b"1", b"2"]


def test_scrape_is_not_shared_by_requests_with_other_headers() -> None:
    renderings = Renderings(encoding="gzip")
    with serving(content(scrape=renderings.scrape)) as port, ThreadPoolExecutor(2) as pool:
        first = pool.submit(fetch, port, "/metrics", headers=GZIP, timeout=20)
        assert renderings.asked.acquire(timeout=10)
        other = pool.submit(
            fetch, port, "/metrics", headers={**GZIP, "Accept": "text/x"}, timeout=20
        )
        assert renderings.asked.acquire(timeout=10)
        renderings.go_on.set()
        assert {first.result(20).body[:1], other.result(20).body[:1]} == {b"1", b"2"}


def test_a_scrape_that_lasts_is_too_old_to_be_shared() -> None:
    renderings = Renderings(encoding="gzip")
    with serving(content(scrape=renderings.scrape)) as port, ThreadPoolExecutor(2) as pool:
        first = pool.submit(fetch, port, "/metrics", headers=GZIP, timeout=30)
        assert renderings.asked.acquire(timeout=10)
        began = time.monotonic()
        wait_for(lambda: time.monotonic() - began > 0.25, what="its time")
        second = pool.submit(fetch, port, "/metrics", headers=GZIP, timeout=30)
        wait_for(lambda: renderings.written == [1, 2], what="another rendering")
        renderings.go_on.set()
        assert [each.result(30).body[:1] for each in (first, second)] == [b"1", b"2"]


def test_error_during_rendering_cuts_every_request_that_shares_it() -> None:
    renderings = Renderings(encoding="gzip", breaks=True)
    faults = Faults()
    with (
        serving(content(scrape=renderings.scrape), faults=faults) as port,
        ThreadPoolExecutor(2) as pool,
    ):
        answers = []
        for _ in range(2):
            answers.append(pool.submit(fetch, port, "/metrics", headers=GZIP, timeout=20))
            assert renderings.asked.acquire(timeout=10)
        renderings.go_on.set()
        for answer in answers:
            with pytest.raises(IncompleteRead):
                answer.result(20)
        wait_for(lambda: len(faults.seen) == 2, what="both errors")
    assert {str(fault) for _, fault in faults.seen} == {"half-way"}


def test_a_small_scrape_says_its_length() -> None:
    body = gzip.compress(b"a 1\n")

    def scrape(**_: str) -> Scrape:
        return Scrape(
            content_type="text/plain", content_encoding="gzip", body=iter([body[:5], body[5:]])
        )

    with serving(content(scrape=scrape)) as port:
        answer = fetch(port, "/metrics", headers=GZIP)
    assert (answer.body, answer.headers["Content-Length"]) == (body, str(len(body)))
