"""A VictoriaMetrics and a vmalert on free ports."""

import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import requests

from tests.support.debian import program
from tests.support.prometheus import free_port
from tests.support.wait import wait_for


def database(
    folder: Path, scrape_configuration: Path, *, executable: str | Path = "victoria-metrics"
) -> AbstractContextManager[str]:
    """Run VictoriaMetrics until the block ends, and yield its URL."""
    return _server(
        folder,
        executable,
        f"-storageDataPath={folder / 'data'}",
        f"-promscrape.config={scrape_configuration}",
        "-search.latencyOffset=1s",  # new values are returned after 30 s by default
    )


def vmalert(
    folder: Path,
    *flags: str,
    rules: Path,
    storage: str,
    alertmanager: str,
    executable: str | Path = "vmalert",
) -> AbstractContextManager[str]:
    """Evaluate rules every second until the block ends, and yield the URL of vmalert.

    The flags are additional ones.
    """
    return _server(
        folder,
        executable,
        f"-rule={rules}",
        f"-datasource.url={storage}",
        f"-remoteWrite.url={storage}",
        f"-notifier.url=http://{alertmanager}",
        "-evaluationInterval=1s",
        *flags,
    )


@contextmanager
def _server(folder: Path, executable: str | Path, *flags: str) -> Iterator[str]:
    address = f"127.0.0.1:{free_port()}"
    with (folder / f"{Path(executable).name}.log").open("w") as log:
        process = subprocess.Popen(
            [program(executable), f"-httpListenAddr={address}", *flags], stdout=log, stderr=log
        )
    try:
        url = f"http://{address}"
        wait_for(lambda: _healthy(url), timeout=120, what=f"{executable} ready")
        yield url
    finally:
        process.terminate()
        process.wait(60)


def _healthy(url: str) -> bool:
    try:
        return requests.get(f"{url}/health", timeout=10).status_code == 200
    except requests.ConnectionError:
        return False
