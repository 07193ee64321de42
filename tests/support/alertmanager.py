"""A real Alertmanager on a free port, and a webhook that keeps every notification it receives."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.http_server import Handler, serving
from tests.support.servers import free_port, server


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

    class Receiver(Handler):
        def respond(self) -> None:
            receiving.take(self.rfile.read(int(self.headers["Content-Length"])))
            self.reply()

    with serving(Receiver) as port:
        receiving = Webhook(port=port)
        yield receiving


@contextmanager
def alertmanager(
    folder: Path, configuration: str, *, executable: str | Path = "prometheus-alertmanager"
) -> Iterator[str]:
    """Run Alertmanager until the block ends, and yield its address, ``host:port``."""
    config = folder / "alertmanager.yml"
    config.write_text(configuration)
    address = f"127.0.0.1:{free_port()}"
    with server(
        executable,
        f"--config.file={config}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
        log=folder / "alertmanager.log",
        ready=f"http://{address}/-/ready",
    ):
        yield address
