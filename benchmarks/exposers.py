"""Servers that show the six gauges of every shard: ours, labelled gauges, Debian's pushgateway.

As a module it is the process of one of the first two: it serves until it is terminated.
"""

import argparse
import http.client
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import prometheus_client
from prometheus_client import CollectorRegistry, Gauge

from benchmarks.made_up import PER_SHARD, targets
from benchmarks.processes import Process, module
from exporter.metrics import exposition
from exporter.metrics.own import OwnMetrics
from exporter.metrics.text import PolledText, Shape
from exporter.snapshot import TargetStatus
from exporter.web.listen import ListenAddress
from exporter.web.pages import MetricsAnswer, MetricsRequest, Pages
from exporter.web.routes import create_app
from exporter.web.server import WebServer

OURS = "ours"
GAUGES = "prometheus_client"
PUSHGATEWAY = "pushgateway"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposer:
    """A server under test."""

    name: str
    port: int
    process: Process


@contextmanager
def python_exposer(name: str, shards: int) -> Iterator[Exposer]:
    """Run ours, or labelled gauges, in a process of its own."""
    with module("exposers", [name, str(shards)]) as process:
        yield Exposer(name=name, port=int(process.said), process=process)


def has_pushgateway() -> bool:
    """Tell whether the pushgateway is installed."""
    return shutil.which("prometheus-pushgateway") is not None


@contextmanager
def pushgateway(source: Exposer) -> Iterator[Exposer]:
    """Run the pushgateway, and push to it what another server shows."""
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
            _push(source, port)
            yield Exposer(name=PUSHGATEWAY, port=port, process=Process(pid=process.pid, said=""))
        finally:
            process.kill()  # it would wait for its clients
            process.wait()


def _push(source: Exposer, port: int) -> None:
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


def serve_ours(
    statuses: tuple[TargetStatus, ...], groups: Callable[[], bytes] = lambda: b""
) -> int:
    """Serve through the real server, writer and compression; return the port.

    ``groups`` gives what is answered in place of the groups as JSON.
    """
    registry = CollectorRegistry()
    OwnMetrics(registry)
    text = PolledText()
    shape = Shape()
    for status in statuses:
        text.prepare(status, shape)

    def metrics(request: MetricsRequest) -> MetricsAnswer:
        found = exposition.render(
            registry,
            lambda: text.write(statuses, 0, shape, time.monotonic()),
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
        groups=lambda _query: groups(),
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


def serve_gauges(statuses: tuple[TargetStatus, ...]) -> int:
    """Serve labelled gauges by prometheus_client's own server; return the port."""
    registry = CollectorRegistry()
    gauges = [
        Gauge(metric.name, metric.help, metric.labels, registry=registry) for metric in PER_SHARD
    ]
    for status in statuses:
        group = status.groups[0]
        assert group.snapshot is not None
        for shard in group.snapshot.shards:
            labels = (*group.key, str(shard.shard), shard.consumer)
            for gauge, metric in zip(gauges, PER_SHARD, strict=True):
                gauge.labels(*labels).set(len(metric.name) + shard.shard / 7)
    server, _ = prometheus_client.start_http_server(0, addr="127.0.0.1", registry=registry)
    return int(server.server_port)


def main() -> None:
    """Serve until a signal comes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=[OURS, GAUGES])
    parser.add_argument("shards", type=int)
    options = parser.parse_args()
    statuses = targets(options.shards)
    port = serve_ours(statuses) if options.name == OURS else serve_gauges(statuses)
    del statuses  # labelled gauges need them no more
    print(port, flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    main()
