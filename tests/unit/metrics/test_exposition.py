"""Exposition of a registry: negotiation of the format and the compression."""

import gzip

import pytest
from prometheus_client import CollectorRegistry, Counter

from exporter.metrics.exposition import render
from exporter.metrics.negotiation import prefers_openmetrics

OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"


@pytest.fixture
def registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    Counter("polls_total", "Polls.", registry=registry).inc(3)
    return registry


POLLED = [b"# HELP a A.\n# TYPE a gauge\n", b"a 1.0\n" * 1000]


def found(registry: CollectorRegistry, **headers: str) -> tuple[str, str | None, bytes]:
    scrape = render(registry, lambda _: POLLED, **headers)
    return scrape.content_type, scrape.content_encoding, b"".join(scrape.body)


def test_text_by_default(registry: CollectorRegistry) -> None:
    content_type, encoding, body = found(registry)
    assert content_type == "text/plain; version=0.0.4; charset=utf-8"
    assert encoding is None
    assert b"\npolls_total 3.0\n" in body
    assert body.endswith(b"a 1.0\n")


def test_openmetrics_where_it_is_preferred(registry: CollectorRegistry) -> None:
    content_type, _, body = found(registry, accept=OPENMETRICS)
    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert body.count(b"# EOF\n") == 1
    assert body.endswith(b"a 1.0\n# EOF\n")


@pytest.mark.parametrize("version", ["latest", "1.0.0-rc1", "1.0.é", "9" * 5000, ""])
@pytest.mark.parametrize("kind", ["text/plain", "application/openmetrics-text"])
def test_scrape_with_malformed_version_is_served(
    registry: CollectorRegistry, kind: str, version: str
) -> None:
    content_type, _, body = found(registry, accept=f"{kind};version={version}")
    assert content_type.startswith(("text/plain; version=0.0.4", "application/openmetrics-text"))
    assert b"\npolls_total 3.0\n" in body


@pytest.mark.parametrize(
    "accept",
    [
        "application/openmetrics-text",
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;q=0.5",
        "Application/OpenMetrics-Text; Version=1.0.0",
        "application/openmetrics-text;version=0.0.1, application/openmetrics-text;version=1.0.0",
        "*/*, application/openmetrics-text",
        'application/openmetrics-text; version="1.0.0"',
        "text/plain;q=0.5,application/openmetrics-text;q=0.9",
        "text/plain;q=0,application/openmetrics-text;q=0.001",
        "TEXT/PLAIN; Q=0.5, APPLICATION/OPENMETRICS-TEXT; Q=0.75",
        "application/openmetrics-text;q=high,text/plain;q=0.9",
        "application/openmetrics-text;version=2.0.0,application/openmetrics-text;version=1.0.0;q=0.9",
    ],
)
def test_openmetrics_is_preferred_if_it_is_first(accept: str) -> None:
    assert prefers_openmetrics(accept)


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        "text/plain",
        "text/plain;version=1.0.0;q=0.6,application/openmetrics-text;version=1.0.0;q=0.5",
        "application/openmetrics-text;version=0.0.1",
        "application/openmetrics-text;version=2.0.0,text/plain;version=0.0.4",
        "application/openmetrics-text2",
        "application/openmetrics-text;version=1.0.0;q=0,text/plain",
        "application/openmetrics-text;q=0",
        "application/openmetrics-text; q=0.000, */*",
        "application/openmetrics-text;q=0.5,text/plain;q=0.9",
        "application/openmetrics-text;q=0.9,text/plain",
        'application/openmetrics-text;version="2.0.0"',
        "application/openmetrics-text;version=2.0.0;q=0.9,text/plain;q=0.1",
    ],
)
def test_openmetrics_is_not_preferred_if_text_is_first_or_its_version_is_another(
    accept: str,
) -> None:
    assert not prefers_openmetrics(accept)


@pytest.mark.parametrize(
    "accept",
    ["gzip", "deflate, gzip;q=0.5", "GZIP", "*", "br, x-gzip", "*;q=0, gzip", "gzip;q=0, x-gzip"],
)
def test_gzip_where_it_is_accepted(registry: CollectorRegistry, accept: str) -> None:
    _, encoding, body = found(registry, accept_encoding=accept)
    assert encoding == "gzip"
    assert gzip.decompress(body) == found(registry)[2]
    assert len(body) < 4000


@pytest.mark.parametrize(
    "accept", ["", "identity", "deflate, br", "gzip;q=0", "gzip; q=0.0", "*, gzip;q=0", "*;q=0"]
)
def test_plain_where_gzip_is_not_accepted(registry: CollectorRegistry, accept: str) -> None:
    _, encoding, body = found(registry, accept_encoding=accept)
    assert encoding is None
    assert b"polls_total" in body


def test_nothing_is_written_before_the_body_is_read() -> None:
    collected = []
    registry = CollectorRegistry()
    Counter("polls_total", "Polls.", registry=registry)

    def polled(_: bool) -> list[bytes]:  # noqa: FBT001  the writer's signature
        collected.append("polled")
        return POLLED

    scrape = render(registry, polled)
    assert collected == []
    assert b"polls_total 0.0" in b"".join(scrape.body)
    assert collected == ["polled"]
