"""A scrape in the format that the scraper accepts: text 0.0.4 or OpenMetrics, plain or gzip."""

from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct
from prometheus_client.registry import Collector

from exporter.metrics.gzip_stream import Part, gzipped, plain
from exporter.metrics.negotiation import accepts_gzip, prefers_openmetrics
from exporter.metrics.registry_text import registry_text

_TEXT = "text/plain; version=0.0.4; charset=utf-8"
_OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_END = b"# EOF\n"


class Scrape(Struct, frozen=True, kw_only=True):
    """A scrape in the form in which it is sent; its body can be read once."""

    content_type: str
    content_encoding: str | None
    """``gzip`` or None."""
    body: Iterable[bytes]


def render(
    registry: Collector,
    polled: Callable[[bool], Iterable[Part]],
    *,
    accept: str = "",
    accept_encoding: str = "",
) -> Scrape:
    """Return the metrics of a registry and of polls, in the format that two request headers set.

    ``polled`` gets whether the format is OpenMetrics. The text is written while the body is read,
    so a scrape whose body is not read costs nothing.
    """
    openmetrics = prefers_openmetrics(accept)
    body = _joined(registry, polled, openmetrics=openmetrics)
    content_type = _OPENMETRICS if openmetrics else _TEXT
    if accepts_gzip(accept_encoding):
        return Scrape(content_type=content_type, content_encoding="gzip", body=gzipped(body))
    return Scrape(content_type=content_type, content_encoding=None, body=plain(body))


def _joined(
    registry: Collector, polled: Callable[[bool], Iterable[Part]], *, openmetrics: bool
) -> Iterator[Part]:
    yield registry_text(registry, openmetrics=openmetrics)
    yield from polled(openmetrics)
    if openmetrics:
        yield _END
