"""Writes a registry as a scraper wants it: text 0.0.4 or OpenMetrics, plain or gzip."""

from isal import igzip
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

_GZIP_LEVEL = 1


def render(
    registry: CollectorRegistry, *, accept: str, accept_encoding: str
) -> tuple[str, str | None, bytes]:
    """Return content type, content encoding (None or ``gzip``) and body for two request headers."""
    encoder, content_type = choose_encoder(accept)
    body = encoder(registry)
    if accepts_gzip(accept_encoding):
        return content_type, "gzip", igzip.compress(body, _GZIP_LEVEL)
    return content_type, None, body


def accepts_gzip(accept_encoding: str) -> bool:
    """Tell whether an Accept-Encoding header allows gzip; ``gzip;q=0`` forbids it."""
    for part in accept_encoding.split(","):
        coding, _, parameters = part.strip().partition(";")
        if coding.strip().lower() in {"gzip", "x-gzip", "*"}:
            return parameters.replace(" ", "").lower() not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False
