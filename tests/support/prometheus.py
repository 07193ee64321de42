"""A real Prometheus on a free port, with the configuration of a test, queried by its API."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from tests.support.servers import free_port, server


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


@contextmanager
def prometheus(
    folder: Path, configuration: str, *flags: str, executable: str | Path = "prometheus"
) -> Iterator[Prometheus]:
    """Run Prometheus, with additional flags, until the block ends."""
    config = folder / "prometheus.yml"
    config.write_text(configuration)
    address = f"127.0.0.1:{free_port()}"
    with server(
        executable,
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
        *flags,
        log=folder / "prometheus.log",
        ready=f"http://{address}/-/ready",
    ):
        yield Prometheus(f"http://{address}")
