"""The exporter as a real process: started, queried over HTTP, stopped by a signal."""

import re
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import requests

from tests.support.commands import command, environment
from tests.support.scrape import Scrape, parsed
from tests.support.wait import wait_for

DEMO_GROUPS = {"idle", "steady", "slow", "stalled", "expired", "rebalancing", "unconsumed"}
_LISTENING = re.compile(r"listening=\S*:([0-9]+)")


@dataclass
class Daemon:
    """A running exporter; its output is collected line by line."""

    process: subprocess.Popen[str]
    stderr: list[str] = field(default_factory=list)
    stdout: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The URL of the server, from the log line with its address, which is awaited."""
        match = wait_for(
            lambda: _LISTENING.search("".join(self.stderr)) or self.process.poll() is not None,
            what="the start",
        )
        assert isinstance(match, re.Match), f"ended: {self.log}"
        return f"http://127.0.0.1:{match[1]}"

    @property
    def log(self) -> str:
        """The text that it has written to stderr."""
        return "".join(self.stderr)

    def get(self, path: str, **headers: str) -> requests.Response:
        """Send it a GET request."""
        return requests.get(self.url + path, headers=headers, timeout=10)

    def scrape(self) -> Scrape:
        """Scrape it."""
        return parsed(self.get("/metrics").text)

    def stop(self, number: int = signal.SIGTERM, *, within: float = 10.0) -> int:
        """Send a signal and return the exit status."""
        self.process.send_signal(number)
        return self.process.wait(within)


@contextmanager
def daemon(*arguments: str | Path, environ: Mapping[str, str] | None = None) -> Iterator[Daemon]:
    """Run ``sls-exporter`` with arguments and only the given environment."""
    process = subprocess.Popen(
        command(*arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment({"PYTHONWARNINGS": "default", **(environ or {})}),
    )
    running = Daemon(process)
    readers = [
        threading.Thread(target=lines.extend, args=(stream,), daemon=True)
        for lines, stream in ((running.stderr, process.stderr), (running.stdout, process.stdout))
        if stream is not None
    ]
    for reader in readers:
        reader.start()
    try:
        yield running
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)
        for reader in readers:
            reader.join(10)
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


@contextmanager
def demo() -> Iterator[Daemon]:
    """Run the demo until the block ends; each of its groups has been polled at the beginning."""
    with daemon("demo", "--web.listen-address=127.0.0.1:0") as running:
        wait_for(
            lambda: (
                {
                    sample.labels["consumer_group"]
                    for sample in running.scrape().find("sls_consumer_group_up")
                }
                == DEMO_GROUPS
            ),
            timeout=60,
            what="every group of the demo polled",
        )
        yield running
