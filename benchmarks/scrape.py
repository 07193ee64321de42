# ruff: noqa: INP001 - a plain script, no module of a package
"""How long a scrape takes, beside prometheus_client and Debian's pushgateway with the same series.

Each server is a process of its own, serving the six gauges of every shard; each is asked in turn
for text with gzip over one keep-alive connection, and the medians are compared. Memory is the
server's highest resident size (VmHWM) after its scrapes.
"""

import argparse
import http.client
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import prometheus_client
from prometheus_client import CollectorRegistry, Gauge

from exporter.metrics import catalogue, exposition
from exporter.metrics.own import OwnMetrics
from exporter.metrics.text import PolledText, Shape
from exporter.progress import ShardProgress
from exporter.snapshot import (
    GroupKey,
    GroupSnapshot,
    GroupStatus,
    Instant,
    TargetKey,
    TargetStatus,
)
from exporter.web.listen import ListenAddress
from exporter.web.pages import MetricsAnswer, MetricsRequest, Pages
from exporter.web.routes import create_app
from exporter.web.server import WebServer

SHARDS_A_GROUP = 64
PER_SHARD = (
    catalogue.CHECKPOINT_AGE,
    catalogue.CHECKPOINT_UPDATED,
    catalogue.LAG,
    catalogue.OLDEST_UNREAD,
    catalogue.UNREAD,
    catalogue.STALLED,
)
Side = Literal["ours", "prometheus_client"]


@dataclass(frozen=True, slots=True)
class Scraped:
    """One scrape: seconds to the first byte and to the last, and sizes in bytes."""

    first_byte: float
    seconds: float
    compressed: int
    plain: int


@dataclass(frozen=True, slots=True)
class Server:
    """A server under test."""

    name: str
    port: int
    pid: int

    def peak_megabytes(self) -> float:
        """Return the highest resident size so far."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
        raise LookupError("no VmHWM")


def main() -> None:
    """Measure, and print a table with ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="1000 shards, one round")
    parser.add_argument("--serve", choices=["ours", "prometheus_client"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    shards, rounds = (1000, 1) if options.quick else (options.shards, options.rounds)
    if options.serve:
        serve(options.serve, shards)
        return
    with ExitStack() as stack:
        servers = [stack.enter_context(python_server(side, shards)) for side in SIDES]
        if shutil.which("prometheus-pushgateway"):
            servers.append(stack.enter_context(pushgateway(servers[0])))
        else:
            print("pushgateway: not installed (Debian: prometheus-pushgateway)")
        found: dict[str, list[Scraped]] = {server.name: [] for server in servers}
        for _ in range(rounds + 1):  # the first is a warm-up
            for server in servers:
                found[server.name].append(scrape(server))
        both = statistics.median(two_at_once(servers[0]) for _ in range(rounds))
        alone = statistics.median(each.seconds for each in found["ours"][1:])
        print(f"{shards} shards with six gauges each, gzip, median of {rounds}")
        for server in servers:
            times = found[server.name][1:]
            seconds = statistics.median(each.seconds for each in times)
            first = statistics.median(each.first_byte for each in times)
            print(
                f"{server.name:18} {seconds * 1e3:9.1f} ms  first byte {first * 1e3:8.1f} ms  "
                f"{times[0].plain / 1e6:6.1f} MB as {times[0].compressed / 1e6:5.2f} MB  "
                f"peak {server.peak_megabytes():6.0f} MB  {seconds / alone:6.1f} x ours"
            )
        print(f"two scrapes of ours at once: {both / alone:.2f} x one alone")


SIDES: tuple[Side, ...] = ("ours", "prometheus_client")


def scrape(server: Server) -> Scraped:
    """Scrape once, as Prometheus does, and check that every series came."""
    first, seconds, body = fetch(server)
    plain = zlib.decompress(body, wbits=31)
    series = plain.count(b"\nsls_consumer_group_stalled_seconds{")
    assert series > 0
    assert series % SHARDS_A_GROUP == 0
    return Scraped(first, seconds, len(body), len(plain))


def fetch(server: Server) -> tuple[float, float, bytes]:
    """Return the seconds to the first byte and to the last, and the compressed body."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=300)
    started = time.perf_counter()
    connection.request("GET", "/metrics", headers={"Accept-Encoding": "gzip"})
    answer = connection.getresponse()
    body = answer.read(1)
    first = time.perf_counter() - started
    body += answer.read()
    seconds = time.perf_counter() - started
    connection.close()
    assert answer.getheader("Content-Encoding") == "gzip"
    return first, seconds, body


def two_at_once(server: Server) -> float:
    """Return the seconds until two scrapes that begin together are both done."""
    threads = [threading.Thread(target=fetch, args=(server,)) for _ in range(2)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - started


@contextmanager
def python_server(side: Side, shards: int) -> Iterator[Server]:
    """Run this script as a server; it prints its port once it is ready."""
    command = [sys.executable, __file__, "--serve", side, "--shards", str(shards)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603  our own
        assert process.stdout is not None
        port = int(process.stdout.readline())
        try:
            yield Server(side, port, process.pid)
        finally:
            process.terminate()


@contextmanager
def pushgateway(source: Server) -> Iterator[Server]:
    """Run Debian's pushgateway and push to it what another server shows."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(  # noqa: S603  a port of our own
            ["prometheus-pushgateway", f"--web.listen-address=127.0.0.1:{port}"],  # noqa: S607  on PATH
            stdout=log,
            stderr=log,
        )
        try:
            push(source, port)
            yield Server("pushgateway (Go)", port, process.pid)
        finally:
            process.terminate()
            process.wait(10)


def push(source: Server, port: int) -> None:
    """Push the shard gauges of one server into a pushgateway."""
    connection = http.client.HTTPConnection("127.0.0.1", source.port, timeout=300)
    connection.request("GET", "/metrics")
    lines = connection.getresponse().read().split(b"\n")
    names = tuple(metric.name.encode() for metric in PER_SHARD)
    kept = [line for line in lines if line.removeprefix(b"# TYPE ").startswith(names)]
    deadline = time.monotonic() + 60
    while True:
        try:
            gateway = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
            gateway.request("POST", "/metrics/job/benchmark", b"\n".join(kept) + b"\n")
            assert gateway.getresponse().status == http.client.OK
        except ConnectionError:
            assert time.monotonic() < deadline, "the pushgateway does not start"
            time.sleep(0.1)
        else:
            return


def serve(side: Side, shards: int) -> None:
    """Serve until a signal comes."""
    targets = tuple(target(number) for number in range(max(1, shards // SHARDS_A_GROUP)))
    port = serve_ours(targets) if side == "ours" else serve_gauges(targets)
    print(port, flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})


def serve_ours(targets: tuple[TargetStatus, ...]) -> int:
    """Serve through the real server, writer and compression."""
    registry = CollectorRegistry()
    OwnMetrics(registry)
    text = PolledText()
    shape = Shape()
    for status in targets:
        text.prepare(status, shape)

    def metrics(request: MetricsRequest) -> MetricsAnswer:
        found = exposition.render(
            registry,
            lambda: text.write(targets, 0, shape, time.monotonic()),
            accept=request.accept,
            accept_encoding=request.accept_encoding,
        )
        return MetricsAnswer(
            content_type=found.content_type,
            content_encoding=found.content_encoding,
            body=found.body,
        )

    pages = Pages(
        metrics=metrics,
        status=lambda _query: b"",
        groups=lambda _query: b"",
        healthy=lambda: None,
        ready=lambda: None,
        reload=None,
    )
    server = WebServer(
        create_app(pages, on_error=lambda place, error: print(place, error, file=sys.stderr)),
        [ListenAddress(host="127.0.0.1", port=0)],
        on_error=lambda place, error: print(place, error, file=sys.stderr),
    )
    server.start()
    return server.addresses[0].port


def serve_gauges(targets: tuple[TargetStatus, ...]) -> int:
    """Serve labelled gauges by prometheus_client's own server."""
    registry = CollectorRegistry()
    gauges = {
        metric: Gauge(metric.name, metric.help, metric.labels, registry=registry)
        for metric in PER_SHARD
    }
    for status in targets:
        group = status.groups[0]
        assert group.snapshot is not None
        for shard in group.snapshot.shards:
            labels = (*group.key, str(shard.shard), shard.consumer)
            for metric, gauge in gauges.items():
                gauge.labels(*labels).set(len(metric.name) + shard.shard / 7)
    server, _ = prometheus_client.start_http_server(0, addr="127.0.0.1", registry=registry)
    return int(server.server_port)


def target(number: int) -> TargetStatus:
    """Make up a logstore with one group of 64 shards, a third of them behind."""
    key = TargetKey("production-project", f"application-logstore-{number}")
    now = time.monotonic()
    shards = tuple(
        ShardProgress(
            shard=shard,
            consumer=f"consumer-{number}-{shard}",
            checkpoint="MTUyNDE1NTM3OTM3MzkwODQ5Ng==",
            updated_at=1_800_000_000.0 - shard * 1.37,
            moved_at=1_800_000_000.0 - shard * 1.37,
            unread=shard % 3,
            lag_seconds=shard * 0.9,
            oldest_unread_at=1_799_999_990.0 if shard % 3 else None,
            readonly=False,
            expired=False,
            judged_at=1_800_000_000.0,
        )
        for shard in range(SHARDS_A_GROUP)
    )
    snapshot = GroupSnapshot(polled=Instant(server=1_800_000_000.0, monotonic=now), shards=shards)
    group = GroupStatus(
        key=GroupKey(*key, "consumer-group"),
        last_success=1_800_000_000.0,
        snapshot=snapshot,
        stale_after=86_400.0,
        stall_after=300.0,
    )
    return TargetStatus(key=key, groups=(group,), polled_monotonic=now, stale_after=86_400.0)


if __name__ == "__main__":
    main()
