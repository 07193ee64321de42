"""Constant labels: on every series of their object, and on no other series."""

import pytest

from exporter.config.schema import Granularity, MetricsConfig
from exporter.metrics.gzip_stream import plain
from exporter.metrics.polled_text import PolledText
from exporter.model.snapshot import GroupSettings, TargetStatus, View
from tests.support.scrape import Scrape, parsed
from tests.support.snapshots import group, shard, target


def scraped(status: TargetStatus, granularity: Granularity = "shard") -> Scrape:
    config = MetricsConfig(granularity=granularity)
    written = PolledText().write(View(targets=(status,)), config, 60.0)
    return parsed(b"".join(plain(written)).decode())


@pytest.mark.parametrize("granularity", ["shard", "group"])
def test_constant_labels_are_on_every_series_of_their_object_and_on_no_other(
    granularity: Granularity,
) -> None:
    settings = GroupSettings(labels=(("app", "x"), ("room", "y"), ("team", "z")))
    status = target(
        group(shard(), shard(1, checkpoint="", unread=2, oldest_unread_at=9.0), settings=settings),
        group(shard(), name="plain"),
        shards_by_status={"readwrite": 2},
        retention_seconds=60.0,
        labels=(("team", "w"),),
    )
    found = scraped(status, granularity)
    for sample in found.samples:
        labels = {name: sample.labels.get(name) for name in ("app", "room", "team")}
        if sample.labels.get("consumer_group") == "billing":
            assert labels == {"app": "x", "room": "y", "team": "z"}, sample
        elif "logstore" in sample.labels and "consumer_group" not in sample.labels:
            assert labels == {"app": None, "room": None, "team": "w"}, sample
        else:
            assert labels == {"app": None, "room": None, "team": None}, sample
    assert {sample.name for sample in found.samples if "team" in sample.labels} >= {
        "sls_consumer_group_stalled_seconds",
        "sls_consumer_group_shards",
        "sls_consumer_group_up",
        "sls_consumer_group_oldest_unconsumed_timestamp_seconds",
        "sls_logstore_shards",
        "sls_logstore_retention_seconds",
        "sls_exporter_cursor_access",
    }


def test_labels_of_a_group_stay_while_nothing_is_served() -> None:
    settings = GroupSettings(labels=(("team", "z"),))
    failed = group(has_snapshot=False, settings=settings)
    assert scraped(target(failed)).value("sls_consumer_group_up", team="z") == 0
