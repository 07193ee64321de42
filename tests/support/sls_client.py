"""The real client, with a record of its reports, for tests against servers on loopback."""

import contextlib
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from exporter.base.clock import SYSTEM_CLOCK, Clock
from exporter.config.schema import Signature
from exporter.http.transport import Transport
from exporter.model.credentials import Credentials
from exporter.model.names import ProjectKey
from exporter.simulator.server import DEFAULT_CREDENTIALS
from exporter.sls.client import SlsClient
from exporter.sls.request_rate import RequestRate
from tests.support.settings import project_settings


@dataclass(kw_only=True)
class Notes:
    """Reports of a client about its requests."""

    ended: list[tuple[str, str | None]] = field(default_factory=list)
    projects: list[ProjectKey] = field(default_factory=list)
    retried: list[str] = field(default_factory=list)
    skews: list[tuple[str, float]] = field(default_factory=list)
    ignored_times: list[str] = field(default_factory=list)

    def request_ended(
        self, project: ProjectKey, operation: str, seconds: float, error_code: str | None
    ) -> None:
        assert seconds >= 0
        self.projects.append(project)
        self.ended.append((operation, error_code))

    def request_retried(self, operation: str) -> None:
        self.retried.append(operation)

    def clock_skew(self, endpoint: str, seconds: float) -> None:
        self.skews.append((endpoint, seconds))

    def server_time_ignored(self, endpoint: str) -> None:
        self.ignored_times.append(endpoint)


@dataclass(kw_only=True)
class Rig:
    """A client with its parts."""

    client: SlsClient
    notes: Notes
    cancelled: threading.Event


def without_pause(_: float, __: float) -> float:
    """Return 0 as the random pause before a retry."""
    return 0.0


def plain(cancelled: threading.Event) -> Transport:
    return Transport(cancelled=cancelled)


@contextlib.contextmanager
def rig(  # noqa: PLR0913  tests vary each parameter
    endpoint: str,
    *,
    project: str | None = "shop",
    timeout: float = 10.0,
    refused_for: float = 60.0,
    signature: Signature = "v1",
    clock: Clock = SYSTEM_CLOCK,
    credentials: Callable[[], Credentials] = lambda: DEFAULT_CREDENTIALS,
    uniform: Callable[[float, float], float] = random.uniform,
    rate: RequestRate | None = None,
    make_transport: Callable[[threading.Event], Transport] = plain,
) -> Iterator[Rig]:
    """Make a client of an endpoint, and close its connections at the end."""
    cancelled, notes = threading.Event(), Notes()
    transport = make_transport(cancelled)
    client = SlsClient(
        project_settings(
            endpoint,
            signature=signature,
            region="cn-shanghai",
            timeout=timeout,
            interval=refused_for,
        ),
        project,
        transport=transport,
        rate=rate or RequestRate(10_000.0, start=10_000.0),
        credentials=credentials,
        observer=notes,
        clock=clock,
        cancelled=cancelled,
        uniform=uniform,
    )
    try:
        yield Rig(client=client, notes=notes, cancelled=cancelled)
    finally:
        transport.close()
