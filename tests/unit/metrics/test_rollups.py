"""Values of groups from those of their shards, with ``metrics.granularity: group``."""

from exporter.config.schema import MetricsConfig
from exporter.metrics.gzip_stream import plain
from exporter.metrics.polled_text import PolledText
from exporter.model.snapshot import TargetStatus, View
from tests.support.scrape import Scrape, parsed
from tests.support.snapshots import group, shard, target

PER_SHARD = (
    "sls_consumer_group_checkpoint_age_seconds",
    "sls_consumer_group_checkpoint_update_timestamp_seconds",
    "sls_consumer_group_lag_seconds",
    "sls_consumer_group_oldest_unread_timestamp_seconds",
    "sls_consumer_group_unread_log_groups",
    "sls_consumer_group_stalled_seconds",
)


def by_group(status: TargetStatus, *, at: float = 60.0, max_series: int = 1000) -> Scrape:
    """Scrape at a reading of the monotonic clock; polls were at 50."""
    config = MetricsConfig.model_construct(granularity="group", max_series=max_series)
    written = PolledText().write(View(targets=(status,)), config, at)
    return parsed(b"".join(plain(written)).decode())


def test_group_granularity_has_the_worst_values_and_the_sum_of_a_group() -> None:
    shards = [
        shard(0, updated_at=940.0, unread=5, lag_seconds=70.0, oldest_unread_at=950.0),
        shard(1, updated_at=980.0, moved_at=980.0, unread=7, oldest_unread_at=930.0),
        shard(2, updated_at=None, moved_at=None, checkpoint="", unread=None, lag_seconds=None),
        shard(3, updated_at=900.0, lag_seconds=3.0),
    ]
    found = by_group(target(group(*shards)))
    assert {name: found.value(name) for name in PER_SHARD} == {
        "sls_consumer_group_checkpoint_age_seconds": 110.0,
        "sls_consumer_group_checkpoint_update_timestamp_seconds": 980.0,
        "sls_consumer_group_lag_seconds": 70.0,
        "sls_consumer_group_oldest_unread_timestamp_seconds": 930.0,
        "sls_consumer_group_unread_log_groups": 12.0,
        "sls_consumer_group_stalled_seconds": 60.0,
    }
    names = {"project": "shop", "logstore": "orders", "consumer_group": "billing"}
    for name in PER_SHARD:
        assert [sample.labels for sample in found.find(name)] == [names]


def test_group_granularity_leaves_out_values_that_no_shard_has() -> None:
    found = by_group(target(group(shard(0), shard(1))))
    assert found.value("sls_consumer_group_stalled_seconds") == 0.0
    assert not found.find("sls_consumer_group_oldest_unread_timestamp_seconds")
    unknown = shard(unread=None, lag_seconds=None)
    found = by_group(target(group(unknown), group(name="empty")))
    assert {name for name in PER_SHARD if found.find(name)} == {
        "sls_consumer_group_checkpoint_age_seconds",
        "sls_consumer_group_checkpoint_update_timestamp_seconds",
    }


def test_group_granularity_shows_the_shard_with_the_largest_stall_of_now() -> None:
    long = shard(0, unread=1, moved_at=900.0, oldest_unread_at=900.0, read_at=1000.0)
    later = shard(1, unread=1, moved_at=930.0, oldest_unread_at=930.0, read_at=1050.0)
    status = target(group(long, later, shard(2)))
    stalls = {
        seconds: by_group(status, at=50.0 + seconds).value("sls_consumer_group_stalled_seconds")
        for seconds in (0.0, 60.0, 80.0, 90.0, 110.0, 150.0)
    }
    assert stalls == {
        0.0: 100.0,
        60.0: 160.0,  # The first was read one interval ago, so its stall stops here.
        80.0: 160.0,
        90.0: 160.0,
        110.0: 180.0,
        150.0: 180.0,
    }


def test_group_granularity_leaves_hidden_shards_out_of_its_values() -> None:
    behind = shard(1, unread=5, moved_at=800.0, oldest_unread_at=800.0, updated_at=800.0)
    hidden = group(shard(0, unread=2), behind, hidden=frozenset({1}))
    found = by_group(target(hidden))
    assert found.value("sls_consumer_group_unread_log_groups") == 2
    assert found.value("sls_consumer_group_checkpoint_age_seconds") == 110.0


def test_series_of_group_granularity_are_bounded_and_counted() -> None:
    status = target(group(shard(0), shard(1), name="first"), group(shard(0), name="second"))
    found = by_group(status, max_series=9)
    assert found.value("sls_exporter_series_dropped") == 5
    assert {
        sample.labels["consumer_group"] for name in PER_SHARD for sample in found.find(name)
    } == {"first"}


def test_group_granularity_counts_all_shards_that_are_behind_and_none_that_are_not() -> None:
    behind = [
        shard(number, unread=1, moved_at=at, oldest_unread_at=at, read_at=read_at)
        for number, (at, read_at) in enumerate(
            [(920.0, 1000.0), (900.0, 950.0), (920.0, 1020.0), (910.0, 970.0)]
        )
    ]
    status = target(group(*behind, shard(4)))
    stalls = [
        by_group(status, at=50.0 + seconds).value("sls_consumer_group_stalled_seconds")
        for seconds in (0.0, 25.0, 35.0, 70.0, 100.0)
    ]
    assert stalls == [100.0, 115.0, 120.0, 150.0, 160.0]


def test_group_granularity_shows_no_negative_age_after_a_write_in_the_future() -> None:
    found = by_group(target(group(shard(updated_at=2000.0))))
    assert found.value("sls_consumer_group_checkpoint_age_seconds") == 0.0


def test_age_of_a_group_goes_on_while_its_stall_stops() -> None:
    behind = shard(unread=5, moved_at=900.0, oldest_unread_at=900.0)
    found = by_group(target(group(behind)), at=50.0 + 90.0)
    assert found.value("sls_consumer_group_stalled_seconds") == 160.0
    assert found.value("sls_consumer_group_checkpoint_age_seconds") == 190.0


def test_series_counts_what_group_granularity_shows() -> None:
    found = by_group(target(group(shard(0), shard(1, unread=5, oldest_unread_at=950.0))))
    assert found.value("sls_exporter_series") == sum(
        "logstore" in sample.labels for sample in found.samples
    )
