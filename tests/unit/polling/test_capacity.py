"""Estimates of the requests of polls, and warnings if they do not fit in their interval."""

from collections.abc import Sequence
from pathlib import Path

import hypothesis
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.model.names import TargetKey
from exporter.model.snapshot import TargetStatus
from exporter.polling.capacity import (
    NONE,
    Requests,
    ShardCounts,
    count_shards,
    demands,
    most_shards,
    poll_requests,
    requests_of,
)
from exporter.polling.targets import Target
from tests.support.running import running
from tests.support.snapshots import ENDPOINT, group, shard
from tests.support.snapshots import target as status_of
from tests.support.targets import target

FEW = frozenset({0, 1, 2, 3})


def warnings(targets: Sequence[Target], *, exporters: int = 1) -> list[str]:
    return [
        warning
        for demand in demands(targets)
        for warning in demand.warnings(total_shards=exporters)
    ]


# Requests


@pytest.mark.parametrize(
    ("groups", "shards", "at_rest", "busy", "cold"),
    [
        (0, 0, 0, 0, 0),
        (3, 0, 3, 3, 3),
        (0, 8, 0, 0, 0),
        (1, 1, 3, 5, 8),
        (1, 4, 6, 8, 20),
        (5, 8, 14, 19, 44),
        (20, 64, 85, 111, 298),
        (30, 256, 287, 366, 1086),
    ],
)
def test_requests_of_a_poll_grow_with_the_sum_of_groups_and_shards(
    groups: int, shards: int, at_rest: int, busy: int, cold: int
) -> None:
    assert requests_of(groups, shards) == Requests(at_rest=at_rest, busy=busy, cold=cold)


@pytest.mark.parametrize(
    ("own", "others", "at_rest", "busy", "cold"),
    [(1, 15, 6, 8, 68), (0, 4, 3, 4, 20), (4, 0, 6, 8, 20), (1, 63, 16, 20, 260)],
)
def test_shard_of_another_consumer_takes_a_fifth_of_the_requests_after_the_first_poll(
    own: int, others: int, at_rest: int, busy: int, cold: int
) -> None:
    expected = Requests(at_rest=at_rest, busy=busy, cold=cold)
    assert requests_of(1, own, others=others) == expected
    found = demands([made := target(rate=1e3)], shards={made.key: ShardCounts(own, others)})
    assert [each.requests for each in found] == [expected]


def status(*owners: str) -> TargetStatus:
    """Build a logstore with a group whose shards have these owners."""
    shards = [shard(number, consumer=owner) for number, owner in enumerate(owners)]
    return status_of(group(*shards, name="group-0"), shards_by_status={"readwrite": 9})


def test_shards_are_counted_by_whether_each_poll_reads_them() -> None:
    owners = "mine", "other", "mine", ""
    assert count_shards(target(consumers=("mine",)), status(*owners)) == (2, 2)
    assert count_shards(target(), status(*owners)) == (9, 0)
    assert count_shards(target(consumers=("mine",), groups=2), status(*owners)) == (2, 2)
    assert count_shards(target(), status_of(group())) is None


@given(st.integers(1, 100), st.integers(1, 1000))
def test_busy_poll_takes_more_than_one_at_rest_and_less_than_a_first_one(
    groups: int, shards: int
) -> None:
    requests = requests_of(groups, shards)
    assert 1 + groups + shards == requests.at_rest < requests.busy < requests.cold


@pytest.mark.parametrize(
    ("asked", "shards", "at_rest"),
    [
        (target(lag=False, groups=3), None, 3),
        (target(lag=False, groups=3), 64, 3),
        (target(groups=3), None, 6),
        (target(groups=3), 64, 68),
        (target(groups=2, shards=FEW), None, 7),
        (target(groups=2, shards=FEW), 8, 11),
        (target(groups=0), None, 0),
    ],
)
def test_shards_that_were_not_listed_are_guessed(
    asked: Target, shards: int | None, at_rest: int
) -> None:
    counts = None if shards is None else ShardCounts(shards)
    assert poll_requests(asked, counts).at_rest == at_rest


def test_requests_of_several_polls_add_up() -> None:
    total = sum([requests_of(1, 4), requests_of(5, 8)], NONE)
    assert total == Requests(at_rest=20, busy=27, cold=64)


# Projects


def test_each_project_has_its_own_demand_in_the_order_of_names() -> None:
    targets = [target(number, project=project) for number in range(2) for project in ("b", "a")]
    found = demands(targets, shards={TargetKey(ENDPOINT, "a", "store-0"): ShardCounts(64)})
    assert [(each.project, each.logstores) for each in found] == [("a", 2), ("b", 2)]
    assert [each.requests.at_rest for each in found] == [66 + 4, 4 + 4]


def test_duration_of_a_request_is_the_one_that_was_measured() -> None:
    targets = [target(project="a"), target(project="b")]
    found = demands(targets, seconds={TargetKey(ENDPOINT, "b", "store-0"): 0.25})
    assert [each.seconds for each in found] == [0.1, 0.25]


# Warnings


def test_polls_that_fit_are_not_warned_of() -> None:
    assert warnings([]) == []
    assert warnings([target(number, lag=False) for number in range(600)]) == []


def test_more_requests_than_the_rate_allows_are_warned_of_with_the_remedy() -> None:
    (warning,) = warnings([target(number, lag=False) for number in range(601)])
    assert warning == (
        "project shop: 601 logstores need 601 requests every 60 s, but polling.requests_per_second"
        " allows 10 per second. Polls will be late or skipped. Set it to 11 or more, or"
        " polling.interval to 61s or more"
    )


def test_exporters_that_share_a_project_share_its_rate() -> None:
    targets = [target(number, lag=False) for number in range(151)]
    assert warnings(targets) == []
    (warning,) = warnings(targets, exporters=4)
    assert warning == (
        "project shop: 151 logstores need 151 requests every 60 s, but polling.requests_per_second"
        " divided by 4 exporters allows 2.5 per second. Polls will be late or skipped. Set it to"
        " 11 or more, or polling.interval to 61s or more"
    )


def test_more_work_than_the_workers_can_do_is_warned_of_with_the_remedy() -> None:
    def targets(workers: int) -> list[Target]:
        return [target(number, rate=1000.0, workers=workers) for number in range(500)]

    assert warnings(targets(5)) == []
    (warning,) = warnings(targets(4))
    assert warning == (
        "project shop: 500 logstores need 3000 requests every 60 s, but 4 workers cannot send them"
        " at 0.1 s per request. Polls will be late or skipped. Set polling.workers to 5 or more,"
        " or polling.interval to 75s or more"
    )


def test_slow_requests_need_more_workers() -> None:
    targets = [target(number, workers=8) for number in range(40)]
    slow = {TargetKey(ENDPOINT, "shop", "store-0"): 2.345678}
    (demand,) = demands(targets, seconds=slow)
    (warning,) = demand.warnings()
    assert "8 workers cannot send them at 2.35 s per request" in warning
    assert demands(targets)[0].warnings() == []


def test_rate_and_workers_are_warned_of_at_the_same_time() -> None:
    targets = [target(number, workers=1) for number in range(500)]
    assert len(warnings(targets)) == 2


settings = st.tuples(
    st.integers(1, 400),
    st.integers(1, 8),
    st.sampled_from([10.0, 60.0, 300.0]),
    st.floats(1.0, 200.0),
    st.integers(1, 32),
    st.integers(1, 4),
)


@example((11, 1, 10.0, 3.3, 1, 3))  # a third of 3.3 is less than 1.1
@hypothesis.settings(deadline=None)
@given(settings)
def test_remedies_of_a_warning_are_enough_and_no_less_is(
    chosen: tuple[int, int, float, float, int, int],
) -> None:
    count, groups, interval, rate, workers, exporters = chosen

    def of(**changes: float) -> list[str]:
        made: dict[str, float] = {"interval": interval, "rate": rate, "workers": workers}
        made |= changes
        targets = [
            target(
                number,
                groups=groups,
                interval=made["interval"],
                rate=made["rate"],
                workers=int(made["workers"]),
            )
            for number in range(count)
        ]
        return warnings(targets, exporters=exporters)

    for warning in of():
        remedy = warning.partition("Set ")[2]
        what = "workers" if remedy.startswith("polling.workers") else "rate"
        enough = int(remedy.partition(" or more")[0].rpartition(" ")[2])
        longer = int(remedy.rpartition("polling.interval to ")[2].partition("s or more")[0])
        same = "workers cannot" if what == "workers" else "requests_per_second"
        for changes in ({what: enough}, {"interval": longer}):
            assert not any(same in each for each in of(**changes))
        for changes in ({what: enough - 1}, {"interval": longer - 1}):
            assert any(same in each for each in of(**changes))


def test_each_project_has_its_own_limits() -> None:
    apart = [target(number, project=f"p{number % 2}", lag=False) for number in range(1000)]
    assert warnings(apart) == []
    together = [*apart, *(target(number, project="p1", lag=False) for number in range(200))]
    assert [warning[:11] for warning in warnings(together)] == ["project p1:"]


@pytest.mark.parametrize(
    ("groups", "rate", "workers", "shards"),
    [(1, 10.0, 8, 477), (20, 10.0, 8, 455), (1, 1000.0, 1, 477), (500, 10.0, 8, -121)],
)
def test_most_shards_are_as_many_as_fit(
    groups: int, rate: float, workers: int, shards: int
) -> None:
    made = target(groups=groups, rate=rate, workers=workers)
    assert most_shards(made.settings, logstores=1, groups=groups) == shards
    for number, fits in ((shards, True), (shards + 1, False)):
        if number > 0:
            (demand,) = demands([made], shards={made.key: ShardCounts(number)})
            assert (demand.warnings() == []) is fits


# The daemon


def test_daemon_warns_once_at_its_start(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(
        "credentials: {access_key_id: key, access_key_secret: secret}\n"
        "polling: {interval: 1s, requests_per_second: 1}\n"
        "lag: false\n"
        "projects:\n  - project: shop\n    endpoint: http://127.0.0.1:9\n    logstores:\n"
        "      - {logstore: orders, consumer_groups: [a, b, c]}\n"
    )
    with running(config, enable_lifecycle=True) as exporter:
        assert exporter.post("/-/reload").status_code == 200
    warned = [text for text in caplog.messages if "project shop: 1 logstores need" in text]
    assert len(warned) == 1
    assert "Set it to 3 or more" in warned[0]
