"""The dashboards over fleets that the demo does not have: two regions, other granularities."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from exporter.config.schema import MetricsConfig
from exporter.metrics.gzip_stream import plain
from exporter.metrics.polled_text import PolledText
from exporter.model.names import GroupKey, TargetKey
from exporter.model.progress import Outlook, ShardProgress, Totals
from exporter.model.snapshot import (
    GroupSettings,
    GroupSnapshot,
    GroupStatus,
    Instant,
    Labels,
    TargetStatus,
    View,
)
from tests.support.dashboards import DEMO, Asked, Span, answer, queries, response
from tests.support.prometheus import Prometheus, prometheus
from tests.support.snapshots import shard
from tests.support.static_text import static_text
from tests.support.wait import wait_for
from tools.paths import RULES

NOW = float(int(time.time()))
COARSE = MetricsConfig.model_construct(granularity="group")
DAY = 86_400.0
OF_GROUPS = [
    asked
    for asked in queries()
    if "sls_consumer_group" in asked.expr
    and "shard=" not in asked.expr.replace('shard=""', "")
    and asked.dashboard != "exporter.json"
]

OF_JOB = {"__name__", "job"}
SCALE = 1000
"""The factor by which the fleet and the limit of samples are smaller than real ones."""

DEFAULT_LIMIT = 50_000_000
"""The default of Prometheus for the samples that a query is allowed to read."""

LIMIT = f"--query.max-samples={DEFAULT_LIMIT // SCALE}"

PROMETHEUS = f"""\
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: [{RULES}]
scrape_configs:
"""
JOB = """\
  - job_name: {name}
    metrics_path: /{name}
    static_configs: [{{targets: ["127.0.0.1:{port}", "localhost:{port}"]}}]
"""

OUTLOOK = Outlook(catch_up_seconds=600.0, data_loss_seconds=3600.0)


def title(asked: Asked) -> str:
    return f"{asked.dashboard}: {asked.panel}"


def behind(number: int, seconds: float, *, unread: int = 5) -> ShardProgress:
    """Build a shard whose checkpoint has not moved for a time."""
    at = NOW - seconds
    return shard(
        number,
        updated_at=at,
        moved_at=at,
        unread=unread,
        lag_seconds=seconds,
        oldest_unread_at=at,
        evaluated_at=NOW,
        read_at=NOW,
    )


def caught_up(number: int) -> ShardProgress:
    return shard(number, updated_at=NOW - 30, moved_at=NOW - 30, evaluated_at=NOW, read_at=NOW)


def unconsumed(number: int, seconds: float) -> ShardProgress:
    """Build a shard that the group has never read, with data of an age."""
    at = NOW - seconds
    changes = {"checkpoint": "", "consumer": "", "updated_at": None, "moved_at": None}
    return shard(number, **changes, unread=3, lag_seconds=None, oldest_unread_at=at, read_at=NOW)


def fleet_text(view: View, config: MetricsConfig) -> bytes:
    return b"".join(plain(PolledText().write(view, config, 50.0)))


def logstore(name: str, labels: Labels, groups: dict[str, Sequence[ShardProgress]]) -> TargetStatus:
    key = TargetKey("https://example.com", "shop", name)
    return TargetStatus(
        key=key,
        groups=tuple(
            GroupStatus(
                key=GroupKey(*key, group),
                last_success=NOW,
                snapshot=GroupSnapshot(
                    polled=Instant(server=NOW, monotonic=50.0),
                    shards=tuple(shards),
                    outlook=OUTLOOK,
                ),
                totals=Totals(written=0),
                interval=60.0,
                stale_after=180.0,
                settings=GroupSettings(labels=labels),
                retention_seconds=DAY,
                cursor_access=True,
            )
            for group, shards in groups.items()
        ),
        polled_monotonic=50.0,
        stale_after=180.0,
        retention_seconds=DAY,
        cursor_access=True,
        labels=labels,
    )


TWO_REGIONS = View(
    targets=tuple(
        logstore("orders", (("region", region),), {"billing": shards})
        for region, shards in {
            "cn-shanghai": [behind(0, 400.0), behind(1, 100.0), caught_up(2)],
            "cn-beijing": [caught_up(0)],
        }.items()
    )
)
MIXED = View(
    targets=(
        logstore(
            "orders",
            (),
            {
                "stalled": [behind(0, 400.0), behind(1, 100.0), caught_up(2)],
                "idle": [caught_up(0), caught_up(1)],
                "begun": [behind(0, 3000.0, unread=7), unconsumed(1, 200.0)],
                "never": [unconsumed(0, 500.0)],
            },
        ),
    )
)


LARGE = View(
    targets=tuple(
        logstore(
            f"log-{number}",
            (),
            {f"group-{each}": [behind(one, 60.0) for one in range(10)] for each in range(2)},
        )
        for number in range(100_000 // SCALE // 20)
    )
)
"""100 shards in 10 groups, as 100 000 shards in 10 000 groups."""

RECORDED_SERIES = {
    "consumer_group:sls_consumer_group_stalled_seconds:max": 18,
    "consumer_group:sls_consumer_group_shards:max": 20 * 7,
    "consumer_group:sls_consumer_group_stalled_shards:max": 20 * 6,
}
"""The numbers of series after all fleets were scraped and recorded."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    texts = {
        "/regions": fleet_text(TWO_REGIONS, MetricsConfig()),
        "/fine": fleet_text(MIXED, MetricsConfig()),
        "/coarse": fleet_text(MIXED, COARSE),
        "/large": fleet_text(LARGE, MetricsConfig()),
    }
    with static_text(texts) as port:
        jobs = "".join(JOB.format(name=path[1:], port=port) for path in texts)
        folder = tmp_path_factory.mktemp("fleets")
        with prometheus(folder, PROMETHEUS + jobs, LIMIT) as running:
            for series, count in RECORDED_SERIES.items():
                wait_for(
                    lambda: running.query(f"count({series}) == {count}"),  # noqa: B023  called now
                    timeout=30,
                    what=series,
                )
            twice = "count(count_over_time(sls_exporter_targets[1m]) > 1) == 8"
            wait_for(lambda: running.query(twice), timeout=30, what="all fleets scraped twice")
            yield running


def shown(
    server: Prometheus, asked: Asked, job: str, at: float, *, group: str = "billing"
) -> dict[frozenset[tuple[str, str]], float]:
    """Return the newest values by labels, without those of a job."""
    chosen = {**DEMO, "job": job, "project": "shop", "consumer_group": group}
    return {
        frozenset((name, value) for name, value in labels.items() if name not in OF_JOB): values[-1]
        for labels, values in answer(server, asked, chosen=chosen, at=at)
    }


@pytest.mark.parametrize("asked", OF_GROUPS, ids=title)
def test_panels_of_groups_show_the_same_in_both_granularities(
    server: Prometheus, asked: Asked
) -> None:
    at = time.time()
    fine, coarse = (shown(server, asked, job, at, group="stalled") for job in ("fine", "coarse"))
    assert fine
    assert coarse == pytest.approx(fine)


@pytest.mark.parametrize("asked", OF_GROUPS, ids=title)
def test_panels_of_groups_keep_regions_apart(server: Prometheus, asked: Asked) -> None:
    found = shown(server, asked, "regions", time.time())
    regions = {dict(labels).get("region") for labels in found}
    if any("consumer_group" in dict(labels) for labels in found):
        assert "cn-shanghai" in regions
        assert len(found) == len(regions)
    else:
        assert regions == {None}


def test_values_of_two_regions_are_not_merged(server: Prometheus) -> None:
    at = time.time()
    found = {
        asked.panel: {
            dict(labels).get("region"): value
            for labels, value in shown(server, asked, "regions", at).items()
        }
        for asked in OF_GROUPS
        if asked.dashboard == "overview.json"
    }
    assert found["Consumer groups"] == {None: 2.0}
    assert found["Worst stall by group"] == {"cn-shanghai": 400.0, "cn-beijing": 0.0}
    assert found["Worst lag by group"] == {"cn-shanghai": 400.0, "cn-beijing": 0.0}
    assert found["Groups that lose data"] == {"cn-shanghai": 3600.0, "cn-beijing": 3600.0}
    assert found["Groups furthest behind"] == {"cn-shanghai": 600.0}
    assert found["Unread log groups"] == {"cn-shanghai": 10.0, "cn-beijing": 0.0}
    assert found["State of the worst shard"] == {"cn-shanghai": 6.0, "cn-beijing": 2.0}


def test_recorded_state_has_the_rank_that_the_dashboards_name(server: Prometheus) -> None:
    (now,) = (
        asked
        for asked in OF_GROUPS
        if asked.dashboard == "overview.json" and "> bool 0" in asked.expr
    )
    (history,) = (asked for asked in OF_GROUPS if ":worst_state" in asked.expr)
    at = time.time()
    ranks, recorded = (
        shown(server, asked, "fine", at, group="stalled") for asked in (now, history)
    )
    assert ranks == recorded
    assert sorted(ranks.values()) == [2.0, 4.0, 6.0, 6.0]


# 100 000 shards

RANGES = [asked for asked in OF_GROUPS if asked.dashboard == "overview.json" and not asked.instant]


def large(server: Prometheus, asked: Asked) -> dict[str, Any]:
    """Ask for all points of a panel over the large fleet, in the minutes after its scrape."""
    now = time.time()
    step = 0.4  # Prometheus rounds it to milliseconds.
    span = Span(start=now, end=now + step * (asked.points - 1), step=step)
    return response(server, asked, chosen={**DEMO, "job": "large"}, span=span)


@pytest.mark.parametrize("asked", RANGES, ids=title)
def test_range_queries_of_the_overview_stay_below_the_sample_limit_with_100000_shards(
    server: Prometheus, asked: Asked
) -> None:
    found = large(server, asked)
    assert found["status"] == "success", found
    assert {len(series["values"]) for series in found["data"]["result"]} == {asked.points}


def test_range_query_of_single_shards_exceeds_the_sample_limit(server: Prometheus) -> None:
    of_shards = Asked(
        dashboard="overview.json",
        panel="",
        expr='max without (instance, shard) (sls_consumer_group_stalled_seconds{job=~"$job"})',
        legend="",
        instant=False,
        points=500,
    )
    assert "too many samples" in large(server, of_shards)["error"]
