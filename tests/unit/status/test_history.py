"""The samples of consumer groups: bounds, plots and rates."""

import sys
from threading import Thread

from msgspec.structs import replace

from exporter.model.names import GroupKey
from exporter.model.progress import Totals
from exporter.model.snapshot import Failure, GroupSnapshot, GroupStatus, Instant
from exporter.status.history import HOUR, Histories, History, Point, Rates
from tests.support.snapshots import KEY, group, shard, target


def polled(
    at: float, *, consumed: int = 0, written: int | None = 0, unread: int | None = 0
) -> GroupStatus:
    """Build a group after a poll at a time on the monotonic clock."""
    snapshot = GroupSnapshot(
        polled=Instant(server=1000.0 + at, monotonic=at), shards=(shard(unread=unread),)
    )
    totals = Totals(consumed=consumed, written=written)
    return replace(group(), snapshot=snapshot, totals=totals)


def recorded(*groups: GroupStatus, histories: Histories | None = None) -> History:
    """Record the polls of one group."""
    histories = histories or Histories()
    for each in groups:
        histories.record(target(each))
    return histories.view()[groups[0].key]


def test_points_are_the_unread_log_groups_of_each_minute() -> None:
    history = recorded(*(polled(60.0 * n, unread=n) for n in range(4)))
    assert history.points == [Point(60.0 * n, n) for n in range(4)]


def test_points_are_sparse_if_polls_are_frequent() -> None:
    history = recorded(*(polled(float(n)) for n in range(0, 200, 5)))
    assert [point.at for point in history.points] == [0, 50, 100, 150]


def test_points_of_a_week_are_those_of_the_last_hour() -> None:
    history = recorded(*(polled(30.0 * n) for n in range(20_000)))
    newest = 30.0 * 19_999
    points = history.points
    assert len(points) == HOUR / 60 + 1
    assert newest - HOUR - 60 <= points[0].at <= newest - HOUR + 60


def test_memory_of_a_group_is_bounded() -> None:
    history = recorded(*(polled(10.0 * n, consumed=n) for n in range(2_000)))
    size = sum(sys.getsizeof(getattr(history, name)) for name in ("_points", "_totals"))
    assert size < 1200


def test_point_is_missing_if_nothing_unread_is_known() -> None:
    history = recorded(polled(0.0, unread=3), polled(60.0, unread=None), polled(120.0, unread=4))
    assert history.points == [Point(0.0, 3), Point(120.0, 4)]


def test_failed_poll_leaves_no_sample() -> None:
    failure = Failure(code="timeout", message="timeout", since=0.0)
    failed = replace(polled(60.0, unread=9), failure=failure)
    assert recorded(polled(0.0, unread=3), failed).points == [Point(0.0, 3)]


def test_rates_are_means_over_the_last_five_intervals() -> None:
    history = recorded(
        *(polled(60.0 * n, consumed=600 * max(0, n - 10), written=1200 * n) for n in range(21))
    )
    assert history.rates == Rates(read=10.0, written=20.0)


def test_rates_follow_a_stall_within_five_intervals() -> None:
    moving = [polled(60.0 * n, consumed=600 * n, written=600 * n) for n in range(10)]
    stalled = [polled(60.0 * n, consumed=600 * 9, written=600 * n) for n in range(10, 15)]
    assert recorded(*moving, *stalled).rates == Rates(read=0.0, written=10.0)


def test_rates_are_unknown_before_five_intervals() -> None:
    polls = [polled(60.0 * n, consumed=60 * n) for n in range(6)]
    assert recorded(*polls[:5]).rates == Rates()
    assert recorded(*polls).rates == Rates(read=1.0, written=0.0)


def test_rate_of_written_data_is_unknown_if_no_end_was_read() -> None:
    history = recorded(*(polled(60.0 * n, consumed=60 * n, written=None) for n in range(9)))
    assert history.rates == Rates(read=1.0, written=None)


def test_rates_of_a_single_round_are_known_after_two_polls() -> None:
    histories = Histories(is_single_round=True)
    history = recorded(polled(0.0), polled(30.0, consumed=60, written=90), histories=histories)
    assert history.rates == Rates(read=2.0, written=3.0)


def test_only_configured_groups_are_remembered() -> None:
    histories = Histories()
    histories.record(target(polled(0.0)))
    histories.keep_only({GroupKey(*KEY, "another")})
    assert not histories.view()


def test_groups_can_be_recorded_by_several_threads() -> None:
    histories = Histories()

    def record(number: int) -> None:
        for each in range(100):
            key = GroupKey(*KEY, f"group-{number}-{each}")
            histories.record(target(replace(polled(0.0), key=key)))
            histories.keep_only(histories.view().keys() | {key})

    threads = [Thread(target=record, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(histories.view()) >= 100
