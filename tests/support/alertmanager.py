"""A real Alertmanager on a free port, and a webhook that keeps every notification it receives."""

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import requests

from tests.support.debian import program
from tests.support.prometheus import free_port
from tests.support.wait import wait_for


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert of one notification."""

    receiver: str
    status: str
    labels: dict[str, str]
    annotations: dict[str, str]

    @property
    def name(self) -> str:
        """The name of the rule."""
        return self.labels["alertname"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A receiver of notifications; each name of a receiver has its own URL."""

    port: int
    alerts: list[Alert] = field(default_factory=list)

    def url(self, receiver: str) -> str:
        """Return the URL to which a receiver's notifications go."""
        return f"http://127.0.0.1:{self.port}/{receiver}"

    def received(self, name: str, status: str) -> list[Alert]:
        """Return the alerts of a rule with a status, ``firing`` or ``resolved``."""
        return [alert for alert in self.alerts if (alert.name, alert.status) == (name, status)]

    def unlike(self, **labels: str) -> list[Alert]:
        """Return the alerts that do not have all of these labels."""
        return [alert for alert in self.alerts if not labels.items() <= alert.labels.items()]

    def take(self, document: bytes) -> None:
        """Keep the alerts of one notification, Alertmanager's webhook format 4."""
        notification = json.loads(document)
        for alert in notification["alerts"]:
            self.alerts.append(
                Alert(
                    receiver=notification["receiver"],
                    status=alert["status"],
                    labels=alert["labels"],
                    annotations=alert["annotations"],
                )
            )


@contextmanager
def webhook() -> Iterator[Webhook]:
    """Receive notifications until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # http.server calls it by this name
            receiving.take(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Keep requests out of the output of the test."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiving = Webhook(port=server.server_address[1])
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        serving.start()
        try:
            yield receiving
        finally:
            server.shutdown()
            serving.join()


@contextmanager
def alertmanager(
    folder: Path, configuration: str, *, executable: str | Path = "prometheus-alertmanager"
) -> Iterator[str]:
    """Run Alertmanager until the block ends, and yield its address, ``host:port``."""
    config = folder / "alertmanager.yml"
    config.write_text(configuration)
    address = f"127.0.0.1:{free_port()}"
    with (folder / "alertmanager.log").open("w") as log:
        process = subprocess.Popen(
            [
                program(executable),
                f"--config.file={config}",
                f"--storage.path={folder / 'alertmanager'}",
                f"--web.listen-address={address}",
                "--cluster.listen-address=",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        wait_for(lambda: _ready(address), timeout=120, what="Alertmanager ready")
        yield address
    finally:
        process.terminate()
        process.wait(60)


def _ready(address: str) -> bool:
    try:
        return requests.get(f"http://{address}/-/ready", timeout=2).status_code == 200
    except requests.ConnectionError:
        return False
