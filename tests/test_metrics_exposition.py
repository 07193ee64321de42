"""How a registry is written: format and compression by negotiation."""

import gzip

import pytest
from prometheus_client import CollectorRegistry, Counter

from exporter.metrics.exposition import render

OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"


@pytest.fixture
def registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    Counter("polls_total", "Polls.", registry=registry).inc(3)
    return registry


def test_text_by_default(registry: CollectorRegistry) -> None:
    content_type, encoding, body = render(registry, accept="", accept_encoding="")
    assert content_type == "text/plain; version=0.0.4; charset=utf-8"
    assert encoding is None
    assert b"\npolls_total 3.0\n" in body


def test_openmetrics_where_it_is_preferred(registry: CollectorRegistry) -> None:
    content_type, _, body = render(registry, accept=OPENMETRICS, accept_encoding="")
    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert body.endswith(b"# EOF\n")


@pytest.mark.parametrize("accept", ["gzip", "deflate, gzip;q=0.5", "GZIP", "*", "br, x-gzip"])
def test_gzip_where_it_is_accepted(registry: CollectorRegistry, accept: str) -> None:
    _, plain_encoding, plain = render(registry, accept="", accept_encoding="")
    _, encoding, body = render(registry, accept="", accept_encoding=accept)
    assert plain_encoding is None
    assert encoding == "gzip"
    assert gzip.decompress(body) == plain


@pytest.mark.parametrize("accept", ["", "identity", "deflate, br", "gzip;q=0", "gzip; q=0.0"])
def test_plain_where_gzip_is_not_accepted(registry: CollectorRegistry, accept: str) -> None:
    _, encoding, body = render(registry, accept="", accept_encoding=accept)
    assert encoding is None
    assert b"polls_total" in body
