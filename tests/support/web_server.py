"""A web server on a free loopback port with content from a test."""

import contextlib
import http.client
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path

from exporter.base.clock import SYSTEM_CLOCK, Clock
from exporter.metrics.exposition import Scrape
from exporter.status.rows import StatusRows
from exporter.web.connection import Limits
from exporter.web.listen import ListenAddress
from exporter.web.routes import Content, create_app
from exporter.web.scrapes import RenderScrape
from exporter.web.server import WebServer

METRICS = b"up 1\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Errors that the server reported: the location and the exception."""

    seen: list[tuple[str, BaseException]] = field(default_factory=list)

    def report(self, where: str, exc: BaseException) -> None:
        self.seen.append((where, exc))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    headers: Message
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


def plain_scrape(body: bytes | Iterable[bytes]) -> Scrape:
    """Return an uncompressed scrape."""
    pieces = [body] if isinstance(body, bytes) else body
    return Scrape(content_type="text/plain", content_encoding=None, body=pieces)


def scrape(**_: str) -> Scrape:
    return plain_scrape(METRICS)


class HeldScrape:
    """A scrape that occupies its worker thread until it is released."""

    def __init__(self) -> None:
        self._begun = threading.Semaphore(0)
        self._released = threading.Event()

    def __call__(self, **_: str) -> Scrape:
        """Return the metrics after the release."""
        self._begun.release()
        assert self._released.wait(30)
        return plain_scrape(METRICS)

    def wait_begun(self, count: int = 1) -> None:
        """Wait until this many more scrapes occupy their threads."""
        for _ in range(count):
            assert self._begun.acquire(timeout=10)

    def release(self) -> None:
        """Let all scrapes end."""
        self._released.set()


def groups() -> StatusRows:
    return StatusRows(at=0.0, monotonic=0.0, groups=(), pending_targets=0)


def fine() -> str | None:
    return None


def content(
    *,
    scrape: RenderScrape = scrape,
    groups: Callable[[], StatusRows] = groups,
    unhealthy: Callable[[], str | None] = fine,
    unready: Callable[[], str | None] = fine,
    reload: Callable[[], Sequence[str]] | None = None,
) -> Content:
    return Content(
        scrape=scrape, groups=groups, unhealthy=unhealthy, unready=unready, reload=reload
    )


@contextlib.contextmanager
def serving(
    served: Content | None = None,
    *,
    faults: Faults | None = None,
    telemetry_path: str = "/metrics",
    max_requests: int = 0,
    limits: Limits | None = None,
    web_config_file: Path | None = None,
    failed_handshakes: list[tuple[str, str]] | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> Iterator[int]:
    """Serve on a free port of 127.0.0.1, and yield the port."""
    report = (faults or Faults()).report
    failed = [] if failed_handshakes is None else failed_handshakes
    server = WebServer(
        lambda threads: create_app(
            served or content(),
            threads,
            on_error=report,
            telemetry_path=telemetry_path,
            max_requests=max_requests,
        ),
        [ListenAddress(host="127.0.0.1", port=0)],
        on_error=report,
        on_handshake_error=lambda reason, client: failed.append((reason, client)),
        limits=limits,
        web_config_file=web_config_file,
        clock=clock,
    )
    server.start()
    try:
        yield server.addresses[0].port
    finally:
        server.stop(1.0)


def fetch(
    port: int,
    path: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    timeout: float = 10.0,
    tls: ssl.SSLContext | None = None,
) -> Answer:
    """Send one request over its own connection."""
    connection = (
        http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
        if tls is None
        else http.client.HTTPSConnection("127.0.0.1", port, timeout=timeout, context=tls)
    )
    with contextlib.closing(connection):
        connection.request(method, path, headers=dict(headers or {}))
        response = connection.getresponse()
        return Answer(status=response.status, headers=response.headers, body=response.read())
