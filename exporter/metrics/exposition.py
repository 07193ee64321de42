"""A scrape in the format that the scraper accepts: text 0.0.4 or OpenMetrics, plain or gzip."""

from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct
from prometheus_client.registry import Collector

from exporter.metrics.gzip_stream import Part, gzipped, plain
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
    polled: Callable[[], Iterable[Part]],
    *,
    accept: str = "",
    accept_encoding: str = "",
) -> Scrape:
    """Return the metrics of a registry and of polls, in the format that two request headers set.

    The text is written while the body is read, so a scrape whose body is not read costs nothing.
    """
    openmetrics = prefers_openmetrics(accept)
    body = _joined(registry, polled, openmetrics=openmetrics)
    content_type = _OPENMETRICS if openmetrics else _TEXT
    if accepts_gzip(accept_encoding):
        return Scrape(content_type=content_type, content_encoding="gzip", body=gzipped(body))
    return Scrape(content_type=content_type, content_encoding=None, body=plain(body))


def prefers_openmetrics(accept: str) -> bool:
    """Return whether the first format of an Accept header that is available is OpenMetrics.

    Scrapers list formats in the order of their preference.
    """
    for part in accept.lower().split(","):
        kind, *parameters = (each.strip() for each in part.split(";"))
        if kind == "text/plain":
            return False
        if kind == "application/openmetrics-text":
            versions = [each for each in parameters if each.startswith("version=")]
            if all(each.startswith("version=1.") for each in versions):
                return True
    return False


def accepts_gzip(accept_encoding: str) -> bool:
    """Return whether an Accept-Encoding header allows gzip; ``gzip;q=0`` forbids it."""
    for part in accept_encoding.split(","):
        coding, _, parameters = part.strip().partition(";")
        if coding.strip().lower() in {"gzip", "x-gzip", "*"}:
            return parameters.replace(" ", "").lower() not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


def _joined(
    registry: Collector, polled: Callable[[], Iterable[Part]], *, openmetrics: bool
) -> Iterator[Part]:
    # Gauges are written alike in both formats. Only OpenMetrics has an end mark.
    yield registry_text(registry, openmetrics=openmetrics)
    yield from polled()
    if openmetrics:
        yield _END
