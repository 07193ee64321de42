"""The exporter as a daemon in its own process, and its scrapes."""

import gzip
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import msgspec
from msgspec import Struct

from benchmarks.processes import Process
from tools.paths import ROOT

_STOP_SECONDS = 30.0


class Scrape(Struct, frozen=True, kw_only=True):
    """The text of a scrape, and the processor seconds of the daemon before and after it."""

    at: float
    seconds: float
    cpu_before: float
    cpu_after: float
    text: bytes

    def count(self, metric: str) -> int:
        """Return the number of series of a metric with labels."""
        return self.text.count(f"\n{metric}{{".encode())

    def samples(self, metric: str) -> Iterator[tuple[str, float]]:
        """Yield the labels, as text, and the value of each series of a metric."""
        family = metric.removesuffix("_sum")
        start = self.text.find(f"\n# HELP {family} ".encode())
        end = self.text.find(b"\n# HELP ", start + 1)
        lines = self.text[max(0, start) : end if end > 0 else None]
        for match in re.finditer(rf"^{metric}(?:{{(.*)}})? (\S+)".encode(), lines, re.MULTILINE):
            yield (match[1] or b"").decode(), float(match[2])

    def total(self, metric: str, labels: str = "") -> float:
        """Return the sum of the series of a metric whose labels contain a text."""
        return sum(value for found, value in self.samples(metric) if labels in found)


class Daemon(Struct, frozen=True, kw_only=True):
    """A running daemon; started_at is the time before its process was started."""

    process: Process
    port: int
    started_at: float

    def scrape(self) -> Scrape | None:
        """Scrape once; return None if the daemon does not serve yet."""
        started, cpu_before = time.time(), self.process.cpu_seconds()
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            try:
                connection.request("GET", "/metrics", headers={"Accept-Encoding": "gzip"})
                response = connection.getresponse()
                body = response.read()
            except (OSError, HTTPException):
                return None
        if response.status != HTTPStatus.OK:
            return None
        text = gzip.decompress(body) if response.getheader("Content-Encoding") else body
        at = time.time()
        return Scrape(
            at=at,
            seconds=at - started,
            cpu_before=cpu_before,
            cpu_after=self.process.cpu_seconds(),
            text=text,
        )


@contextmanager
def daemon(config: Mapping[str, object]) -> Iterator[Daemon]:
    """Run the exporter with a configuration until the block ends."""
    port = _free_port()
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "config.yaml")
        file.write_bytes(msgspec.json.encode(config))  # JSON is YAML
        command = [
            *(sys.executable, "-m", "exporter", "run"),
            f"--config.file={file}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        started_at = time.time()
        with subprocess.Popen(  # noqa: S603  the exporter of this checkout
            command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            try:
                running = Process(pid=process.pid, said="")
                yield Daemon(process=running, port=port, started_at=started_at)
                assert process.poll() is None, "the exporter exited"
            finally:
                process.terminate()
                try:
                    process.wait(_STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
