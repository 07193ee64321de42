"""Writes a scrape as the scraper wants it: text 0.0.4 or OpenMetrics, plain or gzip, in pieces."""

from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct
from prometheus_client.exposition import choose_encoder

from exporter.metrics.gzip_stream import Part, gzipped, plain
from exporter.metrics.registry_text import Encode, RegistryText


class Scrape(Struct, frozen=True, kw_only=True):
    """A scrape as it goes over the wire; its body can be read once."""

    content_type: str
    content_encoding: str | None
    """``gzip`` or None."""
    body: Iterable[bytes]


def render(
    own: RegistryText,
    polled: Callable[[], Iterable[Part]],
    *,
    accept: str = "",
    accept_encoding: str = "",
) -> Scrape:
    """Join what is counted and what was polled, as two request headers ask for it.

    All of it is written when the body is read, so a scrape whose body nobody reads costs nothing.
    """
    encode, content_type = _chosen(accept)
    body = _joined(lambda: own.text(encode, content_type), polled)
    if accepts_gzip(accept_encoding):
        return Scrape(content_type=content_type, content_encoding="gzip", body=gzipped(body))
    return Scrape(content_type=content_type, content_encoding=None, body=plain(body))


def _chosen(accept: str) -> tuple[Encode, str]:
    try:
        return choose_encoder(accept)
    except TypeError:  # where a version is no number
        return choose_encoder("")


def accepts_gzip(accept_encoding: str) -> bool:
    """Tell whether an Accept-Encoding header allows gzip; ``gzip;q=0`` forbids it."""
    for part in accept_encoding.split(","):
        coding, _, parameters = part.strip().partition(";")
        if coding.strip().lower() in {"gzip", "x-gzip", "*"}:
            return parameters.replace(" ", "").lower() not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


def _joined(
    own: Callable[[], tuple[bytes, bytes]], polled: Callable[[], Iterable[Part]]
) -> Iterator[Part]:
    # Gauges look alike in both formats; only OpenMetrics says where it ends.
    text, end = own()
    yield text
    yield from polled()
    if end:
        yield end
