"""The time of a scrape, compared with prometheus_client and two servers in Go.

The servers in Go are the pushgateway of Debian and, if Go is installed, constant metrics of
client_golang. Each server has its own process and serves the same six gauges of every shard. All
are scraped in turn, as text with gzip over one keep-alive connection, and the medians are compared.
Memory is the highest resident size of the server after its scrapes.
"""

import argparse
import http.client
import json
import selectors
import socket
import statistics
import time
import zlib
from contextlib import ExitStack
from dataclasses import asdict, dataclass

from benchmarks.exposers import (
    GAUGES,
    OURS,
    Exposer,
    const_metrics,
    has_go,
    has_pushgateway,
    pushgateway,
    python_exposer,
)

_REQUEST = b"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n"
_READ_BYTES = 1 << 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Scraped:
    """One scrape: seconds to the first byte and to the last, and sizes in bytes."""

    first_byte: float
    seconds: float
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Medians of one server: seconds, sizes in bytes, and its highest resident megabytes."""

    name: str
    shards: int
    seconds: float
    first_byte: float
    plain: int
    compressed: int
    peak_megabytes: float


class Scraper:
    """A scraper of one server over one connection, which is reopened if the server closes it."""

    def __init__(self, exposer: Exposer) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", exposer.port, timeout=300)

    def scrape(self) -> Scraped:
        """Scrape once, as Prometheus does."""
        started = time.perf_counter()
        self._connection.request("GET", "/metrics", headers={"Accept-Encoding": "gzip"})
        answer = self._connection.getresponse()
        body = answer.read(1)
        first = time.perf_counter() - started
        body += answer.read()
        seconds = time.perf_counter() - started
        assert answer.getheader("Content-Encoding") == "gzip"
        return Scraped(first_byte=first, seconds=seconds, body=body)


def measure(shards: int, rounds: int, *, others: bool = True) -> tuple[list[Result], float]:
    """Return medians per server, the exporter first, and the slowdown of two parallel scrapes."""
    with ExitStack() as stack:
        names = [OURS, GAUGES] if others else [OURS]
        exposers = [stack.enter_context(python_exposer(name, shards)) for name in names]
        if others and has_pushgateway():
            exposers.append(stack.enter_context(pushgateway(exposers[0])))
        if others and has_go():
            exposers.append(stack.enter_context(const_metrics(exposers[0])))
        scrapers = [Scraper(exposer) for exposer in exposers]
        for scraper in scrapers:  # a warm-up that also checks that no series is missing
            text = zlib.decompress(scraper.scrape().body, wbits=31)
            assert text.count(b"\nsls_consumer_group_checkpoint_age_seconds{") == shards
        found: list[list[Scraped]] = [[] for _ in scrapers]
        alone, together = [], []
        for _ in range(rounds):
            for each, scraper in zip(found, scrapers, strict=True):
                each.append(scraper.scrape())
            alone.append(at_once(exposers[0], 1))
            together.append(at_once(exposers[0], 2))
        results = [
            _result(exposer, shards, scrapes)
            for exposer, scrapes in zip(exposers, found, strict=True)
        ]
    return results, statistics.median(together) / statistics.median(alone)


def at_once(exposer: Exposer, number: int) -> float:
    """Return the seconds until ``number`` concurrent scrapes have all been read.

    One thread sends and reads all of them, so its own time hardly counts.
    """
    with ExitStack() as stack, selectors.DefaultSelector() as selector:
        for _ in range(number):
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", exposer.port), 300))
            selector.register(sock, selectors.EVENT_READ)
        started = time.perf_counter()
        for key in [*selector.get_map().values()]:
            assert isinstance(key.fileobj, socket.socket)
            key.fileobj.sendall(_REQUEST)
        while selector.get_map():
            for key, _ in selector.select():
                assert isinstance(key.fileobj, socket.socket)
                if not key.fileobj.recv(_READ_BYTES):
                    selector.unregister(key.fileobj)
        return time.perf_counter() - started


def _result(exposer: Exposer, shards: int, scrapes: list[Scraped]) -> Result:
    return Result(
        name=exposer.name,
        shards=shards,
        seconds=statistics.median(each.seconds for each in scrapes),
        first_byte=statistics.median(each.first_byte for each in scrapes),
        plain=len(zlib.decompress(scrapes[0].body, wbits=31)),
        compressed=len(scrapes[0].body),
        peak_megabytes=exposer.process.peak_megabytes(),
    )


def main() -> None:
    """Measure, and print a table with ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", type=int, nargs="+", default=[1000, 100_000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="1000 shards, one round")
    parser.add_argument("--json", action="store_true", help="print results as JSON")
    options = parser.parse_args()
    sizes, rounds = ([1000], 1) if options.quick else (options.shards, options.rounds)
    if not has_pushgateway():
        print("pushgateway: not installed (Debian: prometheus-pushgateway)")
    if not has_go():
        print("client_golang: not installed (Debian: golang-go and")
        print("  golang-github-prometheus-client-golang-dev)")
    for shards in sizes:
        results, together = measure(shards, rounds)
        if options.json:
            print(json.dumps([asdict(result) for result in results]))
            continue
        ours = results[0]
        print(f"{shards} shards with six gauges each, gzip, median of {rounds}")
        for each in results:
            print(
                f"  {each.name:18} {each.seconds * 1e3:9.1f} ms"
                f"  first byte {each.first_byte * 1e3:8.1f} ms"
                f"  {each.plain / 1e6:6.1f} MB as {each.compressed / 1e6:5.2f} MB"
                f"  peak {each.peak_megabytes:6.0f} MB"
                f"  time {each.seconds / ours.seconds:5.1f} x"
                f"  memory {each.peak_megabytes / ours.peak_megabytes:4.1f} x"
            )
        print(f"  two concurrent scrapes of the exporter take {together:.2f} x one alone")


if __name__ == "__main__":
    main()
