"""A real Prometheus on a free port, with the configuration of a test, queried by its API."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from tests.support.debian import program
from tests.support.wait import wait_for


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A running server."""

    url: str

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the instant vector of an expression."""
        answer = requests.get(
            f"{self.url}/api/v1/query", params={"query": expression}, timeout=10
        ).json()
        assert answer["status"] == "success", answer
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result

    def targets(self) -> list[dict[str, Any]]:
        """Return the active targets, with the last error of their scrapes."""
        answer = requests.get(f"{self.url}/api/v1/targets", timeout=10).json()
        result: list[dict[str, Any]] = answer["data"]["activeTargets"]
        return result

    def types(self, metric: str) -> set[str]:
        """Return the types of a metric in the metadata of all targets."""
        answer = requests.get(
            f"{self.url}/api/v1/targets/metadata", params={"metric": metric}, timeout=10
        ).json()
        assert answer["status"] == "success", answer
        return {each["type"] for each in answer["data"]}


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def prometheus(
    folder: Path, configuration: str, *flags: str, executable: str | Path = "prometheus"
) -> Iterator[Prometheus]:
    """Run Prometheus, with additional flags, until the block ends."""
    config = folder / "prometheus.yml"
    config.write_text(configuration)
    port = free_port()
    with (folder / "prometheus.log").open("w") as log:
        process = subprocess.Popen(
            [
                program(executable),
                f"--config.file={config}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
                *flags,
            ],
            stdout=log,
            stderr=log,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(lambda: _ready(url), timeout=120, what="Prometheus ready")
        yield Prometheus(url)
    finally:
        process.terminate()
        process.wait(60)


def _ready(url: str) -> bool:
    try:
        return requests.get(f"{url}/-/ready", timeout=2).status_code == 200
    except requests.ConnectionError:
        return False
