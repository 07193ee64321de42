"""What is counted is written byte for byte as prometheus_client writes it, whatever was before."""

import math
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from exporter.metrics.registry_text import RegistryText
from exporter.metrics.self_metrics import SelfMetrics
from exporter.model.names import GroupKey
from exporter.sls.operations import OPERATION_NAMES

OPENMETRICS = "application/openmetrics-text;version=1.0.0"
ACCEPTED = (
    "",
    OPENMETRICS,
    f"{OPENMETRICS};escaping=allow-utf-8",
    "text/plain;version=1.0.0;escaping=allow-utf-8",
)
Step = Callable[[SelfMetrics], None]
texts = st.text(max_size=20)
keys = st.builds(GroupKey, texts, texts, texts)
operations = st.sampled_from(OPERATION_NAMES) | texts
numbers = st.floats(0, 1e12) | st.sampled_from([0.0, 1e-5, 5e-5, 1e6, 1.5e9, 1e16])
any_number = st.floats() | st.sampled_from([math.nan, math.inf, -math.inf])


def step(name: str, *arguments: st.SearchStrategy[object]) -> st.SearchStrategy[Step]:
    return st.tuples(*arguments).map(lambda given: lambda own: getattr(own, name)(*given))


steps = st.one_of(
    step("request_ended", operations, numbers, st.none() | texts),
    step("request_retried", operations),
    step("clock_skew", texts, any_number),
    step("server_time_ignored", texts),
    step("request_limit", texts, texts, any_number),
    step("poll_failed", keys, texts),
    step("poll_ended", numbers),
    step("poll_skipped"),
    step("sharded", st.integers(0, 9), st.integers(1, 9)),
    step("keep_only", st.lists(keys, max_size=2)),
)


class Still(Collector):
    """A registry as it was at a moment: that of the process changes while it is compared."""

    def __init__(self) -> None:
        self._families: list[Metric] = []

    def take(self, registry: CollectorRegistry) -> None:
        self._families = list(registry.collect())

    def collect(self) -> Iterable[Metric]:
        return self._families


def assert_alike(counted: RegistryText, registry: Collector, *accepted: str) -> None:
    for accept in accepted or ACCEPTED:
        encode, content_type = choose_encoder(accept)
        text, end = counted.text(encode, content_type)
        assert text + end == encode(registry)
        assert end == (b"# EOF\n" if accept.startswith(OPENMETRICS[:11]) else b"")


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(steps, max_size=3), min_size=1, max_size=4))
def test_it_is_byte_for_byte_what_prometheus_client_writes(rounds: list[list[Step]]) -> None:
    registry = CollectorRegistry()
    own = SelfMetrics(registry, operations=OPERATION_NAMES)
    still = Still()
    counted = RegistryText(still)
    for done in rounds:
        for each in done:
            each(own)
        still.take(registry)
        assert_alike(counted, still)


class Library:
    """Encodes as prometheus_client does, and notes what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def __call__(self, families: Collector) -> bytes:
        self.asked.append([family.name for family in families.collect()])
        return choose_encoder("")[0](families)


def test_the_library_writes_a_family_once_for_each_set_of_its_series() -> None:
    registry = CollectorRegistry()
    polls = Gauge("polls", "Polls.", ["group"], registry=registry)
    polls.labels("a").inc()
    counted = RegistryText(registry)
    library = Library()

    def written() -> bytes:
        library.asked.clear()
        return counted.text(library, CONTENT_TYPE_PLAIN_0_0_4)[0]

    assert written().endswith(b'polls{group="a"} 1.0\n')
    assert library.asked == [[], ["polls"]]
    polls.labels("a").inc()
    assert written().endswith(b'polls{group="a"} 2.0\n')
    assert library.asked == [[]]
    polls.labels("b").inc()
    assert written().endswith(b'polls{group="b"} 1.0\n')
    assert library.asked == [[], ["polls"]]
    polls.remove("a")
    assert written().endswith(b'gauge\npolls{group="b"} 1.0\n')
    assert library.asked == [[], ["polls"]]
    assert written().endswith(b'gauge\npolls{group="b"} 1.0\n')
    assert library.asked == [[]]
    polls.remove("b")
    polls.labels("c").inc()
    assert written().endswith(b'gauge\npolls{group="c"} 1.0\n')
    assert library.asked == [[], ["polls"]]


def test_a_family_whose_samples_take_other_names_is_written_anew() -> None:
    class Turning(Collector):
        suffix = "_count"

        def collect(self) -> Iterable[Metric]:
            family = Metric("took", "How long.", "summary")
            family.add_sample(f"took{self.suffix}", {}, 1.0)
            return [family]

    turning = Turning()
    counted = RegistryText(turning)
    assert_alike(counted, turning)
    turning.suffix = "_sum"
    assert_alike(counted, turning)


@pytest.mark.parametrize("accept", ACCEPTED)
def test_families_of_every_kind_are_written_alike(accept: str) -> None:
    registry = CollectorRegistry()
    Histogram("took", 'A "help"\nof two \\ lines.', ["le_"], registry=registry).labels(
        "a\r\nb # c 1.0"
    ).observe(0.3)
    Gauge("ünusual", "Named by anything.", ["lÄbel"], registry=registry).labels('{x="y"} 2').set(3)
    Info("build", "Of what.", registry=registry).info({"version": "1"})
    Counter("none", "Without series.", ["a"], registry=registry)
    counted = RegistryText(registry)
    for _ in range(3):
        assert_alike(counted, registry, accept)


def test_what_is_more_than_a_value_is_left_to_the_library() -> None:
    class Dated(Collector):
        def collect(self) -> Iterable[Metric]:
            family = Metric("dated", "With a time stamp.", "gauge")
            family.add_sample("dated", {}, 1.0, timestamp=5.0)
            return [family]

    counted = RegistryText(Dated())
    for _ in range(2):
        assert_alike(counted, Dated())


def test_patterns_are_kept_for_the_formats_that_prometheus_asks_for() -> None:
    registry = CollectorRegistry()
    Gauge("polls", "Polls.", registry=registry).inc()
    counted = RegistryText(registry)
    library = Library()
    assert_alike(counted, registry, f"{OPENMETRICS[:-1]}1")
    asked = [choose_encoder(accept)[1] for accept in ACCEPTED]
    for content_type in (*asked, "application/openmetrics-text; version=1.0.1"):
        for _ in range(2):
            library.asked.clear()
            assert counted.text(library, content_type)[0].endswith(b"polls 1.0\n")
        assert library.asked == ([[]] if content_type in asked else [[], ["polls"]])
