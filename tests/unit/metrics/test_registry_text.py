"""The exporter's own metrics as text: byte for byte that of prometheus_client."""

import math
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.registry import Collector

from exporter.metrics.registry_text import registry_text
from exporter.metrics.self_metrics import SelfMetrics
from exporter.model.names import GroupKey, ProjectKey
from exporter.sls.operations import OPERATION_NAMES

Step = Callable[[SelfMetrics], None]
texts = st.text(max_size=20)
keys = st.builds(GroupKey, st.just("https://example.com"), texts, texts, texts)
labels = st.dictionaries(st.sampled_from(("app", "team", "zone")), texts).map(
    lambda found: tuple(sorted(found.items()))
)
operations = st.sampled_from(OPERATION_NAMES) | texts
projects = st.builds(ProjectKey, texts, texts)
numbers = st.floats(0, 1e12) | st.sampled_from([0.0, 1e-5, 5e-5, 1e6, 1.5e9, 1e16])
any_number = st.floats() | st.sampled_from([math.nan, math.inf, -math.inf])


def step(name: str, *arguments: st.SearchStrategy[object]) -> st.SearchStrategy[Step]:
    return st.tuples(*arguments).map(lambda given: lambda own: getattr(own, name)(*given))


steps = st.one_of(
    step("request_ended", projects, operations, numbers, st.none() | texts),
    step("request_retried", operations),
    step("clock_skew", texts, any_number),
    step("server_time_ignored", texts),
    step("request_limit", texts, texts, any_number),
    step("poll_failed", keys, texts),
    step("poll_ended", numbers),
    step("poll_skipped"),
    step("sharded", st.integers(0, 9), st.integers(1, 9)),
    step("keep_only", st.dictionaries(keys, labels, max_size=2)),
    step("keep_only_projects", st.lists(projects, max_size=2)),
    step("keep_only_requests", st.lists(projects, max_size=2)),
)


class Still(Collector):
    """A registry as it was at a moment: that of the process changes during the comparison."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._families = list(registry.collect())

    def collect(self) -> Iterable[Metric]:
        return self._families


def assert_alike(registry: Collector) -> None:
    assert registry_text(registry, openmetrics=False) == generate_latest(registry)
    expected = generate_openmetrics(registry)  # type: ignore[no-untyped-call]  # of prometheus_client
    assert registry_text(registry, openmetrics=True) + b"# EOF\n" == expected


@settings(max_examples=100, deadline=None)
@given(st.lists(steps, max_size=8))
def test_registry_text_is_byte_for_byte_what_prometheus_client_writes(done: list[Step]) -> None:
    registry = CollectorRegistry()
    own = SelfMetrics(registry, operations=OPERATION_NAMES)
    for each in done:
        each(own)
    assert_alike(Still(registry))


@pytest.mark.usefixtures("without_creation_times")
def test_families_of_every_kind_are_written_as_prometheus_client_writes_them() -> None:
    registry = CollectorRegistry()
    Histogram("took", 'A "help"\nof two \\ lines.', ["le_"], registry=registry).labels(
        "a\r\nb # c 1.0"
    ).observe(0.3)
    Gauge("age", 'Of "b".', ["label"], registry=registry).labels('{x="y"} 2').set(3)
    Counter("none", "Without series.", ["a"], registry=registry)
    Counter("polls", "Polls.", ["b", "a"], registry=registry).labels("1", "2").inc()
    assert_alike(registry)


@pytest.fixture
def without_creation_times() -> None:
    SelfMetrics(CollectorRegistry(), operations=OPERATION_NAMES)
