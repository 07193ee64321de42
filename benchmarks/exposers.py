"""Servers of the six gauges of every shard: the exporter, labeled gauges, and two in Go.

As a module it is the process of one of the first two, and serves until it is terminated.
"""

import argparse
import http.client
import os
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
from pathlib import Path

import prometheus_client
from prometheus_client import CollectorRegistry, Gauge

from benchmarks.made_up import targets
from benchmarks.processes import Process, module
from exporter.config.schema import MetricsConfig
from exporter.metrics import exposition
from exporter.metrics.catalogue import OF_SHARDS
from exporter.metrics.polled_text import PolledText
from exporter.metrics.self_metrics import SelfMetrics
from exporter.model.snapshot import TargetStatus, View
from exporter.sls.operations import OPERATION_NAMES
from exporter.status.rows import StatusRows
from exporter.web.listen import ListenAddress
from exporter.web.routes import Content, create_app
from exporter.web.server import WebServer

OURS = "ours"
GAUGES = "prometheus_client"
PUSHGATEWAY = "pushgateway"
CONST_METRICS = "client_golang"

_HERE = Path(__file__).resolve().parent
_GO_PATH = Path("/usr/share/gocode")  # the path of Debian for packages of Go
_CLIENT_GOLANG = "github.com/prometheus/client_golang"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposer:
    """A server under test."""

    name: str
    port: int
    process: Process


@contextmanager
def python_exposer(name: str, shards: int) -> Iterator[Exposer]:
    """Run the exporter, or labeled gauges, in a separate process."""
    with module("exposers", [name, str(shards)]) as process:
        yield Exposer(name=name, port=int(process.said), process=process)


def has_pushgateway() -> bool:
    """Return whether the pushgateway is installed."""
    return shutil.which("prometheus-pushgateway") is not None


@contextmanager
def pushgateway(source: Exposer) -> Iterator[Exposer]:
    """Run the pushgateway, and push the metrics of another server to it."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(  # noqa: S603  the port is generated here
            ["prometheus-pushgateway", f"--web.listen-address=127.0.0.1:{port}"],  # noqa: S607  on PATH
            stdout=log,
            stderr=log,
        )
        try:
            _push(source, port)
            yield Exposer(name=PUSHGATEWAY, port=port, process=Process(pid=process.pid, said=""))
        finally:
            process.kill()  # terminate() would wait for clients
            process.wait()


def has_go() -> bool:
    """Return whether Go and the Debian package of client_golang are installed."""
    return shutil.which("go") is not None and (_GO_PATH / "src" / _CLIENT_GOLANG).is_dir()


@contextmanager
def const_metrics(source: Exposer) -> Iterator[Exposer]:
    """Build and run a server of client_golang with the same metrics as another server."""
    with tempfile.TemporaryDirectory() as place:
        program = Path(place, "const_metrics")
        subprocess.run(  # noqa: S603  a program of this benchmark
            ["go", "build", "-o", str(program), str(_HERE / "const_metrics.go")],  # noqa: S607  on PATH
            check=True,
            env={**os.environ, "GO111MODULE": "off", "GOPATH": str(_GO_PATH), "GOFLAGS": ""},
        )
        with subprocess.Popen(  # noqa: S603  a program of this benchmark
            [str(program), f"http://127.0.0.1:{source.port}/metrics"],
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            try:
                said = process.stdout.readline().strip()
                running = Process(pid=process.pid, said=said)
                yield Exposer(name=CONST_METRICS, port=int(said), process=running)
            finally:
                process.kill()


def _push(source: Exposer, port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", source.port, timeout=300)
    connection.request("GET", "/metrics")
    lines = connection.getresponse().read().split(b"\n")
    names = tuple(metric.name.encode() for metric in OF_SHARDS)
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
    statuses: tuple[TargetStatus, ...], unready: Callable[[], str | None] = lambda: None
) -> int:
    """Serve by the server, text and compression of the exporter; return the port."""
    registry = CollectorRegistry()
    SelfMetrics(registry, operations=OPERATION_NAMES)
    text = PolledText()
    config = MetricsConfig.model_construct(max_series=10**8)  # so that none is left out
    for status in statuses:
        text.prepare(status, config)

    def scrape(*, accept: str, accept_encoding: str) -> exposition.Scrape:
        return exposition.render(
            registry,
            lambda openmetrics: text.write(
                View(targets=tuple(statuses)), config, time.monotonic(), openmetrics=openmetrics
            ),
            accept=accept,
            accept_encoding=accept_encoding,
        )

    content = Content(
        scrape=scrape,
        groups=lambda: StatusRows(at=time.time(), monotonic=0.0, groups=(), pending_targets=0),
        unhealthy=lambda: None,
        unready=unready,
        reload=None,
    )
    server = WebServer(
        lambda threads: create_app(
            content,
            threads,
            on_error=lambda place, error: print(place, error, file=sys.stderr),
        ),
        [ListenAddress(host="127.0.0.1", port=0)],
        on_error=lambda place, error: print(place, error, file=sys.stderr),
        on_handshake_error=lambda reason, client: print(reason, client, file=sys.stderr),
    )
    server.start()
    return server.addresses[0].port


def serve_gauges(statuses: tuple[TargetStatus, ...]) -> int:
    """Serve labeled gauges by the server of prometheus_client; return the port."""
    registry = CollectorRegistry()
    gauges = [
        Gauge(metric.name, metric.help, metric.labels, registry=registry) for metric in OF_SHARDS
    ]
    for status in statuses:
        group = status.groups[0]
        assert group.snapshot is not None
        for shard in group.snapshot.shards:
            labels = (*group.key.names, str(shard.shard), shard.consumer)
            for gauge, metric in zip(gauges, OF_SHARDS, strict=True):
                gauge.labels(*labels).set(len(metric.name) + shard.shard / 7)
    server, _ = prometheus_client.start_http_server(0, addr="127.0.0.1", registry=registry)
    return int(server.server_port)


def main() -> None:
    """Serve until a signal arrives."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=[OURS, GAUGES])
    parser.add_argument("shards", type=int)
    options = parser.parse_args()
    statuses = targets(options.shards)
    port = serve_ours(statuses) if options.name == OURS else serve_gauges(statuses)
    del statuses  # labeled gauges no longer need them
    print(port, flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    main()
