"""The alert rules about consumer groups, each with the measure of the group.

Every test has two groups with different settings next to each other, two replicas that name
different owners, failing polls of one replica, and a label that only the groups have.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import promtool
from tests.support.group_series import JOB, Group, Shard, Values, series
from tests.support.rules import alerting_rules
from tools.paths import RULES

MINUTE = 60.0
HORIZON = 90
"""Minutes of each test."""

DEAD = Shard(
    stalled=lambda at: at,
    lag=lambda at: at,
    oldest_unread=lambda _: 0.0,
    updated=lambda _: 0.0,
)
UNCONSUMED = Shard(oldest_unread=lambda _: 0.0, is_consumed=False)
CAUGHT_UP = Shard(stalled=lambda _: 0.0, lag=lambda _: 0.0, updated=lambda at: at)
IMPATIENT: Mapping[str, Any] = {"stall_after": 120.0, "lag_limit": 240.0, "retention": 3000.0}
NIGHTLY: Mapping[str, Any] = {
    "stall_after": 7200.0,
    "lag_limit": 21_600.0,
    "interval": 3600.0,
    "retention": 86_400.0,
}
OLDER: Mapping[str, Any] = {"labels": {}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """The course of events for both groups, and the minute in which the alert fires.

    The alert fires for the group with short times, and for the groups of an older exporter, which
    does not export their settings. None means that it does not fire.
    """

    shards: tuple[Shard, ...] = ()
    state: str = "stalled"
    minute: int
    older_minute: int | None
    labels: Mapping[str, str] | None = None
    """The labels of the alert, in addition to those of its group."""
    up: float = 1.0
    last_success: Values = lambda at: at
    is_losing_data: bool = False
    """Whether the oldest data is lost after the retention time, once it is a stall."""


CASES: Mapping[str, Case] = {
    "SLSConsumerShardStalled": Case(
        shards=(CAUGHT_UP, DEAD), minute=4, older_minute=7, labels={"shard": "1"}
    ),
    "SLSConsumerGroupStalled": Case(shards=(DEAD, DEAD), minute=4, older_minute=7),
    "SLSConsumerLagHigh": Case(shards=(CAUGHT_UP, DEAD), minute=11, older_minute=17),
    "SLSConsumerLagGrowing": Case(shards=(CAUGHT_UP, DEAD), minute=45, older_minute=45),
    "SLSConsumerFallingBehind": Case(
        shards=(CAUGHT_UP, DEAD), minute=18, older_minute=None, is_losing_data=True
    ),
    "SLSConsumerDataExpiring": Case(shards=(CAUGHT_UP, DEAD), minute=51, older_minute=None),
    "SLSConsumerDataLost": Case(state="expired", minute=3, older_minute=6),
    "SLSConsumerShardsUnconsumed": Case(
        shards=(CAUGHT_UP, UNCONSUMED, UNCONSUMED), minute=19, older_minute=22
    ),
    "SLSConsumerShardsUnknown": Case(state="unknown", minute=18, older_minute=None),
    "SLSConsumerCheckpointsOld": Case(
        shards=(Shard(updated=lambda _: -60.0), Shard(updated=lambda _: 0.0)),
        state="unknown",
        minute=40,
        older_minute=76,
    ),
    "SLSExporterTargetFailing": Case(up=0.0, minute=10, older_minute=10),
    "SLSExporterDataStale": Case(last_success=lambda _: 0.0, minute=16, older_minute=16),
    "SLSExporterGroupNeverRead": Case(
        up=0.0, last_success=lambda _: None, minute=10, older_minute=10
    ),
}
WITHOUT_ANOTHER_MEASURE = {"SLSExporterTargetFailing", "SLSExporterGroupNeverRead"}
"""Alerts that depend on no setting, so they fire for both groups."""

each_alert = pytest.mark.parametrize("alert", CASES)
each_granularity = pytest.mark.parametrize("by_shard", [True, False], ids=["shard", "group"])


def group_of(case: Case, name: str, settings: Mapping[str, Any]) -> Group:
    stall_after = settings.get("stall_after", 300.0)
    retention = settings.get("retention", 0.0)

    def data_loss(at: float) -> float | None:
        return retention - at if case.is_losing_data and at > stall_after else None

    return Group(
        name=name,
        shards=case.shards,
        data_loss=data_loss,
        states={case.state: lambda at: float(at > stall_after)},
        up=lambda _: case.up,
        last_success=case.last_success,
        **settings,
    )


def severity_of(alert: str) -> str:
    return str(alerting_rules(RULES.read_text())[alert]["labels"]["severity"])


def sample(alert: str, group: Group, labels: Mapping[str, str]) -> Mapping[str, Any]:
    found = {
        "alertname": alert,
        "alertstate": "firing",
        "severity": severity_of(alert),
        "job": JOB,
        **group.identity,
        **labels,
    }
    pairs = ",".join(f'{label}="{value}"' for label, value in found.items())
    return {"labels": f"ALERTS{{{pairs}}}", "value": 1}


def play(
    folder: Path,
    groups: list[Group],
    expected: Mapping[str, list[Mapping[str, Any]]],
    *,
    by_shard: bool,
    query: str,
    step: float = MINUTE,
) -> None:
    """Have promtool evaluate the query at some times, by time with the expected samples."""
    times = [number * step for number in range(int(HORIZON * MINUTE / step) + 1)]
    interval = f"{step:.0f}s"
    test = {
        "interval": interval,
        "input_series": series(groups, times, by_shard=by_shard),
        "promql_expr_test": [
            {"expr": query, "eval_time": time, "exp_samples": samples}
            for time, samples in expected.items()
        ],
    }
    file = folder / "test.yaml"
    tests = {"rule_files": [str(RULES)], "evaluation_interval": interval, "tests": [test]}
    file.write_text(yaml.safe_dump(tests, width=100_000_000))
    promtool.run("promtool", "test", "rules", file)


def test_every_alert_about_a_group_has_a_case() -> None:
    about_groups = {
        name
        for name, rule in alerting_rules(RULES.read_text()).items()
        if "sls_consumer_group_" in rule["expr"]
    }
    assert about_groups == set(CASES)


@each_granularity
@each_alert
def test_alert_fires_once_by_the_measure_of_its_group(
    tmp_path: Path, alert: str, *, by_shard: bool
) -> None:
    case = CASES[alert]
    impatient = group_of(case, "payments", IMPATIENT)
    nightly = group_of(case, "nightly", NIGHTLY)
    labels = (case.labels or {}) if by_shard else {}
    fired = [sample(alert, impatient, labels)]
    if alert in WITHOUT_ANOTHER_MEASURE:
        fired.append(sample(alert, nightly, labels))
    play(
        tmp_path,
        [impatient, nightly],
        {f"{case.minute - 1}m": [], f"{case.minute}m": fired, f"{HORIZON}m": fired},
        by_shard=by_shard,
        query=f'ALERTS{{alertname="{alert}",alertstate="firing"}}',
    )


@each_alert
def test_alert_uses_the_defaults_for_groups_of_an_older_exporter(
    tmp_path: Path, alert: str
) -> None:
    case = CASES[alert]
    older = group_of(case, "payments", OLDER)
    newer = group_of(case, "nightly", NIGHTLY)
    fired = [] if case.older_minute is None else [sample(alert, older, case.labels or {})]
    if alert in WITHOUT_ANOTHER_MEASURE:
        fired.append(sample(alert, newer, case.labels or {}))
    minute = case.older_minute or HORIZON
    play(
        tmp_path,
        [older, newer],
        {f"{minute - 1}m": [], f"{minute}m": fired, f"{HORIZON}m": fired},
        by_shard=True,
        query=f'ALERTS{{alertname="{alert}",alertstate="firing"}}',
    )


@each_granularity
def test_expiring_data_of_unconsumed_shards_has_its_own_label(
    tmp_path: Path, *, by_shard: bool
) -> None:
    alert = "SLSConsumerDataExpiring"
    case = Case(shards=(CAUGHT_UP, UNCONSUMED), minute=51, older_minute=None)
    impatient = group_of(case, "payments", IMPATIENT)
    fired = [sample(alert, impatient, {"checkpoint": "none"})]
    play(
        tmp_path,
        [impatient, group_of(case, "nightly", NIGHTLY)],
        {"50m": [], "51m": fired},
        by_shard=by_shard,
        query=f'ALERTS{{alertname="{alert}",alertstate="firing"}}',
    )


def committing(name: str, *, every: float, interval: float, late: float) -> Group:
    """Return a group whose consumer commits at a fixed rate, each time a little late.

    Producers write all the time, and a stall is polled and then counts on for one interval.
    """

    def polled(at: float) -> float:
        return (at - 1.0) // interval * interval + 1.0

    def moved(at: float) -> float:
        commits = (polled(at) - late) // every
        return commits * every

    return Group(
        name=name,
        shards=(
            Shard(
                stalled=lambda at: at - moved(at),
                lag=lambda at: polled(at) - moved(at),
                oldest_unread=moved,
                updated=moved,
            ),
        ),
        states={"stalled": lambda at: float(polled(at) - moved(at) > every)},
        last_success=polled,
        stall_after=every,
        lag_limit=every,
        interval=interval,
        retention=86_400.0,
    )


@each_granularity
@pytest.mark.parametrize("interval", [60.0, 300.0])
def test_consumer_that_commits_every_stall_after_never_fires(
    tmp_path: Path, interval: float, *, by_shard: bool
) -> None:
    groups = [
        committing(f"every-{every:.0f}", every=every, interval=interval, late=2.0)
        for every in (60.0, 300.0, 420.0, 900.0, 3600.0)
        if every >= interval
    ]
    play(
        tmp_path,
        groups,
        {f"{HORIZON}m": []},
        by_shard=by_shard,
        query=f'count_over_time(ALERTS{{alertname=~"SLSConsumer.+",alertstate="firing"}}[{HORIZON}m])',
        step=15.0,
    )
