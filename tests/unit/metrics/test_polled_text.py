"""The fast writer: byte for byte what prometheus_client writes of the same snapshots."""

import gzip
import sys
from math import inf

from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from exporter.config.schema import MetricsConfig
from exporter.metrics.gzip_stream import Part, Piece, gzipped, plain
from exporter.metrics.polled_text import PolledText
from exporter.model.names import EntryKey, GroupKey, TargetKey
from exporter.model.progress import Cause, Outlook, ShardProgress, Totals
from exporter.model.shards import ConsumerGroup
from exporter.model.snapshot import (
    Conflict,
    EntryStatus,
    Failure,
    GroupSettings,
    GroupSnapshot,
    GroupStatus,
    Instant,
    TargetStatus,
    View,
)
from tests.support.reference_collector import PolledCollector
from tests.support.snapshots import ENDPOINT, group, shard, target

texts = st.text(max_size=12) | st.sampled_from(
    ['"', "\\", "\n", "%s%r%%", "%r\n", '%r"} %r', "a\\n"]
)
instants = st.none() | st.floats(0, 4e9) | st.floats(9.99e5, 1.01e6)
moments = st.floats(0, 250) | st.floats(890, 1010)
counts = st.none() | st.integers(0, 3) | st.integers(0, 2**63)
shards = st.builds(
    ShardProgress,
    shard=st.integers(0, 3) | st.integers(0, 2**31),
    consumer=texts,
    checkpoint=st.sampled_from(["", "MTA="]),
    updated_at=instants,
    moved_at=instants,
    unread=counts,
    lag_seconds=st.none() | st.floats(0, 1e9),
    oldest_unread_at=instants,
    readonly=st.booleans(),
    expired=st.booleans(),
    evaluated_at=instants,
    read_at=st.floats(0, 4e9) | st.sampled_from([1e9, 1e9 + 60.0]),
)
snapshots = st.builds(
    GroupSnapshot,
    polled=st.builds(Instant, server=st.floats(0, 4e9), monotonic=st.floats(0, 100)),
    shards=st.lists(shards, max_size=4).map(tuple),
    unnamed=st.integers(0, 3),
    hidden=st.frozensets(st.integers(0, 3)),
    causes=st.dictionaries(st.integers(0, 3), st.sampled_from(Cause)),
    outlook=st.builds(
        Outlook,
        catch_up_seconds=st.none() | st.floats(0, inf),
        data_loss_seconds=st.none() | st.floats(0, 1e9),
    ),
)
totals = st.builds(
    Totals,
    consumed=st.integers(0, 2**63),
    written=counts,
    owner_changes=st.integers(0, 9),
    checkpoint_resets=st.integers(0, 9),
)
labels = st.dictionaries(
    st.sampled_from(("Region", "_x", "a", "consumes", "d", "sharding", "team")), texts
).map(lambda found: tuple(sorted(found.items())))
groups = st.builds(
    GroupStatus,
    key=st.builds(GroupKey, texts, texts, texts, texts),
    last_success=instants,
    failure=st.none() | st.just(Failure(code="timeout", message="late", since=1.0)),
    snapshot=st.none() | snapshots,
    totals=st.none() | totals,
    interval=st.floats(1, 1e6),
    stale_after=st.floats(1, 100),
    settings=st.builds(
        GroupSettings, stall_after=st.floats(0, 1e6), lag_limit=st.floats(0, 1e6), labels=labels
    ),
    retention_seconds=st.none() | st.floats(0, 1e9),
    listing=st.none()
    | st.builds(
        ConsumerGroup, name=st.just("group"), order=st.booleans(), timeout_seconds=st.just(60)
    ),
)
statuses = st.builds(
    TargetStatus,
    key=st.builds(TargetKey, texts, texts, texts),
    groups=st.lists(groups, max_size=3).map(tuple),
    polled_monotonic=st.floats(0, 100),
    stale_after=st.floats(1, 100),
    shards_by_status=st.none() | st.fixed_dictionaries({"readwrite": st.integers(0, 9)}),
    retention_seconds=st.none() | st.floats(0, 1e9),
    cursor_access=st.none() | st.booleans(),
    retention_access=st.none() | st.booleans(),
    labels=labels,
)
entries = st.builds(
    EntryStatus,
    key=st.builds(EntryKey, texts, texts, texts),
    last_success=instants,
    failure=st.none() | st.just(Failure(code="timeout", message="late", since=1.0)),
)
keys = st.builds(TargetKey, texts, texts, texts)
conflicts = st.builds(Conflict, key=keys, polled=keys)
configs = st.builds(
    MetricsConfig.model_construct,
    granularity=st.sampled_from(["shard", "group"]),
    consumer_label=st.booleans(),
)


def registry_of(view: View, config: MetricsConfig, now: float) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(PolledCollector(lambda: view, config=lambda: config, monotonic=lambda: now))
    return registry


def written(
    text: PolledText, view: View, config: MetricsConfig, now: float, *, openmetrics: bool = False
) -> bytes:
    parts = list(text.write(view, config, now, openmetrics=openmetrics))
    found = b"".join(plain(parts))
    assert gzip.decompress(b"".join(gzipped(parts))) == found
    return found


@settings(max_examples=300, deadline=None)
@given(
    st.lists(statuses, max_size=3),
    st.tuples(st.lists(entries, max_size=3), st.lists(conflicts, max_size=3)),
    configs,
    moments,
    moments,
)
def test_text_is_identical_to_that_of_prometheus_client(
    targets: list[TargetStatus],
    others: tuple[list[EntryStatus], list[Conflict]],
    config: MetricsConfig,
    now: float,
    later: float,
) -> None:
    listings, left_out = others
    pending = frozenset({TargetKey(ENDPOINT, "a", "b"), *(each.key for each in targets[:1])})
    view = View(
        targets=tuple(targets),
        entries=tuple(listings),
        conflicts=tuple(left_out),
        matches={f"projects[{number}]": number for number in range(len(left_out))},
        pending=pending,
    )
    text = PolledText()
    for status in targets:
        text.prepare(status, config)
    for moment in (now, later):
        registry = registry_of(view, config, moment)
        assert written(text, view, config, moment) == generate_latest(registry)
        found = written(text, view, config, moment, openmetrics=True)
        assert found + b"# EOF\n" == generate_openmetrics(registry)  # type: ignore[no-untyped-call]  # upstream


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.lists(shards, max_size=4), min_size=2, max_size=4),
    st.lists(st.booleans(), min_size=4, max_size=4),
)
def test_scrape_shows_only_values_of_the_newest_poll(
    polls: list[list[ShardProgress]], seen: list[bool]
) -> None:
    text = PolledText()
    for found, is_scraped in zip([*polls, *polls[:1]], [True, *seen], strict=False):
        view = View(targets=(target(group(*found)),))
        text.prepare(view.targets[0], MetricsConfig())
        if is_scraped:
            assert written(text, view, MetricsConfig(), 60.0) == generate_latest(
                registry_of(view, MetricsConfig(), 60.0)
            )


def test_new_owner_of_a_shard_shows_in_the_next_scrape() -> None:
    text = PolledText()
    for owners in ("ab", "ba", "a", "abc"):
        found = [shard(number, consumer=owner) for number, owner in enumerate(owners)]
        view = View(targets=(target(group(*found)),))
        assert written(text, view, MetricsConfig(), 60.0) == generate_latest(
            registry_of(view, MetricsConfig(), 60.0)
        )


def test_groups_are_written_even_if_not_prepared() -> None:
    view = View(targets=(target(group(shard(), shard(1, unread=5, oldest_unread_at=990.0))),))
    config = MetricsConfig()
    assert written(PolledText(), view, config, 60.0) == generate_latest(
        registry_of(view, config, 60.0)
    )


def test_a_new_snapshot_and_a_new_configuration_take_effect() -> None:
    text = PolledText()
    first = View(targets=(target(group(shard(consumer="before"))),))
    assert b'consumer="before"' in written(text, first, MetricsConfig(), 60.0)
    second = View(targets=(target(group(shard(consumer="after"))),))
    assert b'consumer="before"' not in written(text, second, MetricsConfig(), 60.0)
    unnamed = MetricsConfig.model_construct(consumer_label=False)
    assert b"consumer=" not in written(text, second, unnamed, 60.0)
    coarse = MetricsConfig.model_construct(granularity="group")
    assert b"shard=" not in written(text, second, coarse, 60.0)


def test_new_value_of_a_logstore_shows_in_the_next_scrape() -> None:
    text = PolledText()
    for seconds in (60.0, 120.0):
        view = View(targets=(target(group(shard()), retention_seconds=seconds),))
        assert (
            b'\nsls_logstore_retention_seconds{logstore="orders",project="shop"} %.1f\n' % seconds
        ) in written(text, view, MetricsConfig(), 60.0)


def test_constant_labels_are_sorted_among_those_of_a_shard() -> None:
    names = ("consume", "consumerA", "consumers", "shar", "shardA", "sharding")
    constant = GroupSettings(labels=tuple((name, "1") for name in names))
    view = View(targets=(target(group(shard(), settings=constant)),))
    assert (
        b'\nsls_consumer_group_lag_seconds{consume="1",consumer="worker-1",consumerA="1",'
        b'consumer_group="billing",consumers="1",logstore="orders",project="shop",shar="1",'
        b'shard="0",shardA="1",sharding="1"} 0.0\n'
    ) in written(PolledText(), view, MetricsConfig(), 60.0)


def test_text_of_absent_groups_and_logstores_is_forgotten() -> None:
    text = PolledText()
    found = target(group(shard()))

    def references() -> tuple[int, int]:
        """Return the number of references to the group, and to the logstore."""
        return sys.getrefcount(found.groups[0]), sys.getrefcount(found)

    key = found.groups[0].key
    of_group, of_logstore = references()
    text.prepare(found, MetricsConfig())
    text.keep_only([key])
    assert references() == (of_group + 1, of_logstore + 1)
    text.keep_only([key._replace(consumer_group="other")])
    assert references() == (of_group, of_logstore + 1)
    text.prepare(found, MetricsConfig())
    text.keep_only([key._replace(logstore="other")])
    assert references() == (of_group, of_logstore)


def test_shards_of_a_large_group_are_kept_compressed_and_come_out_the_same() -> None:
    shards = [
        shard(number, unread=number % 3, oldest_unread_at=990.0, consumer=f"worker-{number}")
        for number in range(200)
    ]
    view = View(targets=(target(group(*shards)), target(group(*shards, name="second"))))
    parts = list(PolledText().write(view, MetricsConfig(), 60.0))
    assert any(isinstance(part, Piece) for part in parts)
    assert written(PolledText(), view, MetricsConfig(), 60.0) == generate_latest(
        registry_of(view, MetricsConfig(), 60.0)
    )


# Text that is kept compressed


def kept(consumer: str) -> list[Part]:
    """Return the text of the only value that a shard has between polls."""
    only = shard(consumer=consumer, updated_at=None, unread=None)
    parts = PolledText().write(View(targets=(target(group(only)),)), MetricsConfig(), 60.0)
    return [
        part
        for part in parts
        if next(iter(plain([part]))).startswith(b"sls_consumer_group_lag_seconds{")
    ]


def test_only_lines_of_more_than_2048_bytes_are_compressed_by_themselves() -> None:
    (short,) = kept("")
    assert isinstance(short, bytes)
    room = 2048 - len(short)
    (whole,) = kept("w" * room)
    assert isinstance(whole, bytes)
    assert len(whole) == 2048
    (compressed,) = kept("w" * (room + 1))
    assert isinstance(compressed, Piece)
    assert compressed.text() == whole.replace(b'="w', b'="ww')


def test_defaults_show_a_million_series_of_shards_with_their_consumers() -> None:
    config = MetricsConfig()
    assert (config.granularity, config.consumer_label) == ("shard", True)
    assert config.max_series == 1_000_000
