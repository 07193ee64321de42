"""Servers of other projects as processes, each with its output in a file."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from tests.support.debian import program
from tests.support.wait import wait_for


def free_port() -> int:
    """Return a port of loopback that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def server(executable: str | Path, *flags: str, log: Path, ready: str) -> Iterator[None]:
    """Run a program until the block ends, which begins when a GET of a URL succeeds."""
    with log.open("w") as output:
        process = subprocess.Popen([program(executable), *flags], stdout=output, stderr=output)
    try:
        wait_for(lambda: _responds(ready), timeout=120, what=f"{executable} ready")
        yield
    finally:
        process.terminate()
        process.wait(60)


def _responds(url: str) -> bool:
    try:
        return requests.get(url, timeout=10).status_code == 200
    except requests.ConnectionError:
        return False
