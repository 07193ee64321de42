"""Ages and stalls, which a scrape fills in: the lines at a point in time."""

import pytest

from exporter.config.schema import MetricsConfig
from exporter.metrics.gzip_stream import plain
from exporter.metrics.polled_text import PolledText
from exporter.metrics.text_format import go_float
from exporter.model.names import GroupKey
from exporter.model.progress import ShardProgress
from exporter.model.snapshot import GroupSnapshot, GroupStatus, Instant, View
from tests.support.snapshots import KEY, shard, target

NOW = 1_700_000_000.0
AGE = b"sls_consumer_group_checkpoint_age_seconds"
STALLED = b"sls_consumer_group_stalled_seconds"

# Some of them are at the boundary between ages whose texts are kept and others.
AGES = [
    (0.0, b"0.0"),
    (-5.0, b"0.0"),
    (0.1, b"0.1"),
    (0.04, b"0.0"),
    (12.34, b"12.3"),
    (1638.3, b"1638.3"),
    (1638.4, b"1638.4"),
    (819.1, b"819.1"),
    (819.2, b"819.2"),
    (86_400.0, b"86400.0"),
    (999_999.9, b"999999.9"),
    (1_000_000.0, b"1e+06"),
    (1_234_567.5, b"1.2345675e+06"),
    (1_700_000_000.0, b"1.7e+09"),
]


def values(name: bytes, *shards: ShardProgress) -> list[bytes]:
    """Scrape a group at NOW, and return the text of a metric."""
    group = GroupStatus(
        key=GroupKey(*KEY, "billing"),
        snapshot=GroupSnapshot(polled=Instant(server=NOW - 10.0, monotonic=50.0), shards=shards),
        interval=60.0,
        stale_after=180.0,
    )
    text = b"".join(
        plain(PolledText().write(View(targets=(target(group),)), MetricsConfig(), 60.0))
    )
    return [line.rpartition(b" ")[2] for line in text.splitlines() if line.startswith(name)]


def stuck(since: float, number: int = 0, *, read_at: float = NOW) -> ShardProgress:
    return shard(
        number,
        updated_at=NOW,
        moved_at=since,
        unread=1,
        oldest_unread_at=since,
        read_at=read_at,
    )


@pytest.mark.parametrize(("age", "text"), AGES)
def test_an_age_is_written_to_the_tenth_of_a_second_and_as_go_writes_it(
    age: float, text: bytes
) -> None:
    assert values(AGE, shard(updated_at=NOW - age)) == [text]
    assert values(STALLED, stuck(NOW - age)) == [text]


@pytest.mark.parametrize("other", [age for age, _ in AGES])
def test_the_age_of_a_shard_does_not_change_how_that_of_another_is_written(other: float) -> None:
    for first, second in ((1, other), (other, 1), (86_400, other), (other, 86_400)):
        written = dict(AGES) | {1: b"1.0"}
        ages = values(AGE, shard(0, updated_at=NOW - first), shard(1, updated_at=NOW - second))
        assert ages == [written[first], written[second]]
        stalls = values(STALLED, stuck(NOW - first), stuck(NOW - second, 1))
        assert stalls == [written[first], written[second]]


@pytest.mark.parametrize("number", range(6))
def test_old_ages_among_young_ones_are_written_in_their_places(number: int) -> None:
    ages = [3.0, 2e6, 86_400.5, 1_000.0, 2_000.0]
    ages[number:] = [1.0, 2.0, 4.0, 5.0, 6.0][number:]
    found = [shard(each, updated_at=NOW - age) for each, age in enumerate(ages)]
    assert values(AGE, *found) == [go_float(age) for age in ages]


@pytest.mark.parametrize(("age", "text"), AGES)
def test_stalled_shards_and_caught_up_shards_keep_their_order(age: float, text: bytes) -> None:
    done, never = shard(unread=0), shard(checkpoint="", unread=0)
    assert values(STALLED, done, stuck(NOW - 7.0, 1), never, done, stuck(NOW - age, 2)) == [
        b"0.0",
        b"7.0",
        b"0.0",
        text,
    ]


def test_stall_counts_on_for_one_interval_after_a_reading() -> None:
    assert values(STALLED, stuck(NOW - 300.0, read_at=NOW - 60.0)) == [b"300.0"]
    assert values(STALLED, stuck(NOW - 300.0, read_at=NOW - 60.1)) == [b"299.9"]
    assert values(STALLED, stuck(NOW - 300.0, read_at=NOW - 160.0)) == [b"200.0"]


@pytest.mark.parametrize("late", [0, 1, 2])
def test_stall_of_a_shard_that_was_read_earlier_stops_alone(late: int) -> None:
    shards = [
        stuck(NOW - 300.0, number, read_at=NOW - (100.0 if number == late else 10.0))
        for number in range(3)
    ]
    expected = [b"300.0"] * 3
    expected[late] = b"260.0"
    assert values(STALLED, *shards) == expected


def test_age_counts_on_whenever_its_shard_was_read() -> None:
    assert values(AGE, shard(updated_at=NOW - 500.0, read_at=NOW - 400.0)) == [b"500.0"]
