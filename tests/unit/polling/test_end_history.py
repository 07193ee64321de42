"""Bounds of receive times: true for any world and any readings, few, and small."""

import itertools
import tracemalloc
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from math import floor, inf
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.model.progress import UNKNOWN_BRACKET, ShardEnd
from exporter.model.shards import Shard
from exporter.polling.cursor_cache import Begin, CursorCache, ShardCursors
from exporter.polling.end_history import (
    MAX_TOLERANCE_SECONDS,
    STEPS,
    TOLERANCE_SECONDS,
    EndHistory,
    Staircase,
)

NOW = 1_700_000_000.0
BIRTH = 1_524_157_379_373_908_496  # a real cursor
SHARDS = 10_000
MEGABYTE = 1_000_000


def end_at(history: EndHistory, cursor: int, at: float) -> None:
    history.add_end(cursor, sent_at=at, received_at=at)


# For any world and any readings


class Reading(NamedTuple):
    """One reading of a shard after some seconds; ``where`` chooses a log group or an instant."""

    after: float
    kind: str
    where: float
    clock: float
    """The error of the clocks, in seconds."""


readings = st.lists(
    st.builds(
        Reading,
        after=st.floats(0.0, 90.0) | st.floats(0.0, 5000.0),
        kind=st.sampled_from(["end", "end", "time", "since", "committed"]),
        where=st.floats(0.0, 1.0),
        clock=st.floats(-1.0, 1.0),
    ),
    max_size=40,
)
gaps = st.lists(
    st.sampled_from([0.0, 0.0, 0.001, 1.0]) | st.floats(0.0, 30.0) | st.floats(0.0, 4000.0),
    min_size=1,
    max_size=60,
)


def read(history: EndHistory, received: Sequence[float], reading: Reading, now: float) -> None:
    """Add what the service says of log groups that were received at some instants."""
    visible = bisect_right(received, now)
    at = int(reading.where * visible)
    if reading.kind == "end":
        seen_at = now + reading.clock
        history.add_end(BIRTH + visible, sent_at=seen_at - reading.where, received_at=seen_at)
    elif reading.kind == "time" and at < visible:
        history.add_time(BIRTH + at, floor(received[at]))
    elif reading.kind == "since":
        time = floor(now - 4000.0 * reading.where)
        first = bisect_left(received, time)
        if first <= visible:
            history.add_first_since(time, BIRTH + first, is_begin=first == 0)
    elif reading.kind == "committed":
        history.add_read_before(BIRTH + at, now + reading.clock)


@given(gaps, readings, st.none() | st.just(NOW))
def test_bracket_contains_the_receive_time_of_every_log_group(
    gaps: list[float], readings: list[Reading], created_at: float | None
) -> None:
    received = list(itertools.accumulate(gaps, initial=NOW))[1:]
    history = EndHistory(created_at=created_at)
    now = NOW
    for reading in readings:
        now += reading.after
        read(history, received, reading, now)
        for at in range(bisect_right(received, now)):
            earliest, latest, estimate = history.bracket(BIRTH + at)
            assert earliest <= floor(received[at]) <= latest
            assert earliest <= estimate <= latest


@given(gaps, readings)
def test_bracket_of_a_time_that_was_read_has_no_width(
    gaps: list[float], readings: list[Reading]
) -> None:
    received = list(itertools.accumulate(gaps, initial=NOW))[1:]
    history, now = EndHistory(), NOW
    for reading in readings:
        now += reading.after
        read(history, received, reading, now)
    for at, time in enumerate(received):
        history.add_time(BIRTH + at, floor(time))
        assert history.bracket(BIRTH + at) == (floor(time), floor(time), floor(time))


steps = st.lists(
    st.tuples(st.integers(0, 50), st.integers(0, 50).map(float)), min_size=1, max_size=60
)


@pytest.mark.parametrize("upper", [False, True], ids=["lower", "upper"])
@given(steps=steps)
def test_staircase_rises_and_bounds_like_all_of_its_steps(
    steps: list[tuple[int, float]], *, upper: bool
) -> None:
    staircase = Staircase(upper=upper)
    for cursor, time in steps:
        staircase.add(cursor, time)
    for values in (staircase.cursors, staircase.times):
        assert all(a < b for a, b in itertools.pairwise(values))
    for cursor in range(-1, 52):
        if upper:
            bounds = [time for key, time in steps if key > cursor]
            expected = min(bounds, default=None)
        else:
            bounds = [time for key, time in steps if key <= cursor]
            expected = max(bounds, default=None)
        step = staircase.step(cursor)
        assert (None if step is None else step[1]) == expected


# Examples


def test_new_history_has_unknown_brackets_and_no_end() -> None:
    assert EndHistory().bracket(BIRTH) == UNKNOWN_BRACKET


def test_log_groups_of_a_shard_are_not_older_than_the_shard() -> None:
    bracket = EndHistory(created_at=NOW).bracket(BIRTH)
    assert bracket == (NOW - TOLERANCE_SECONDS, inf, NOW - TOLERANCE_SECONDS)


def test_ends_bound_the_log_groups_between_them() -> None:
    history = EndHistory()
    end_at(history, 100, NOW)
    end_at(history, 160, NOW + 60.0)
    before, between, after = (history.bracket(cursor) for cursor in (99, 130, 160))
    assert (before.earliest, before.latest) == (-inf, NOW + TOLERANCE_SECONDS)
    assert (between.earliest, between.latest) == (NOW - 2.0, NOW + 62.0)
    assert between.estimate == pytest.approx(NOW + 30.0, abs=1.0)
    assert (after.earliest, after.latest) == (NOW + 58.0, inf)


def test_log_groups_beyond_2_to_the_53_are_taken_to_come_evenly() -> None:
    history = EndHistory()
    end_at(history, BIRTH, NOW)
    end_at(history, BIRTH + 3, NOW + 60.0)
    estimates = [history.bracket(BIRTH + number).estimate - NOW for number in range(3)]
    assert estimates == pytest.approx([8.7, 30.0, 51.3], abs=0.01)


def test_end_that_took_long_to_read_bounds_by_both_of_its_instants() -> None:
    history = EndHistory()
    history.add_end(100, sent_at=NOW, received_at=NOW + 9.0)
    assert history.bracket(100).earliest == NOW - TOLERANCE_SECONDS
    assert history.bracket(99).latest == NOW + 9.0 + TOLERANCE_SECONDS


def test_quiet_shard_keeps_the_first_and_the_last_sight_of_its_end() -> None:
    history = EndHistory()
    for number in range(1000):
        end_at(history, 100, NOW + 60.0 * number)
    end_at(history, 101, NOW + 60_000.0)
    assert history.bracket(99).latest == NOW + 2.0
    assert history.bracket(100) == (NOW + 59_938.0, NOW + 60_002.0, NOW + 59_970.0)


def test_first_log_group_since_a_second_bounds_both_sides() -> None:
    history = EndHistory()
    history.add_first_since(1000, 50, is_begin=False)
    assert history.bracket(50).earliest == 1000
    assert history.bracket(49).latest == 999


def test_first_log_group_of_a_shard_bounds_only_the_following_ones() -> None:
    history = EndHistory()
    history.add_first_since(1000, 50, is_begin=True)
    assert history.bracket(50).earliest == 1000
    assert history.bracket(49) == UNKNOWN_BRACKET


def test_commit_bounds_the_log_groups_that_were_read() -> None:
    history = EndHistory()
    history.add_read_before(50, NOW)
    assert history.bracket(49).latest == NOW + TOLERANCE_SECONDS
    assert history.bracket(50) == UNKNOWN_BRACKET


# Contradictions


def test_exact_time_drops_the_bounds_that_contradict_it() -> None:
    history = EndHistory()
    end_at(history, 100, NOW)
    end_at(history, 200, NOW + 60.0)
    history.add_time(150, NOW + 100.0)
    assert history.bracket(150).width == 0
    assert history.bracket(160) == (NOW + 100.0, inf, NOW + 100.0)
    assert history.bracket(120).earliest == NOW - 2.0
    history.add_time(110, NOW - 50.0)
    assert history.bracket(110).width == 0
    assert history.bracket(105) == (-inf, NOW - 50.0, NOW - 50.0)


@pytest.mark.parametrize(("miss", "tolerance"), [(0.0, 2.0), (3.0, 5.0), (1000.0, 10.0)])
def test_tolerance_grows_by_the_miss_up_to_a_limit(miss: float, tolerance: float) -> None:
    history = EndHistory()
    end_at(history, 100, NOW)
    history.add_time(100, NOW - TOLERANCE_SECONDS - miss)
    end_at(history, 200, NOW + 60.0)
    assert history.bracket(200).earliest == NOW + 60.0 - tolerance
    assert history.bracket(199).latest == NOW + 60.0 + tolerance
    assert tolerance <= MAX_TOLERANCE_SECONDS


# Shards that are created again


def cursors_of(cache: CursorCache, created_at: int | None = None) -> ShardCursors:
    return cache.of(Shard(shard=0, status="readwrite", created_at=created_at))


def add_end(cursors: ShardCursors, cursor: int, at: float) -> None:
    cursors.add_end(ShardEnd(cursor=cursor, readonly=False), sent_at=at, received_at=at)


@pytest.mark.parametrize("end", [60, 100 + 10**11])
def test_end_that_goes_backwards_or_leaps_forgets_all_times(end: int) -> None:
    cursors = cursors_of(CursorCache())
    add_end(cursors, 100, NOW)
    cursors.add_begin(Begin(cursor=10, end=100, read_at=NOW))
    cursors.add_time(50, 1000)
    cursors.add_time(20, None)
    add_end(cursors, end, NOW + 60.0)
    assert cursors.begin is None
    assert cursors.bracket(50) == (-inf, NOW + 62.0, NOW + 62.0)
    assert not cursors.has_read(50)
    assert not cursors.is_refused(20)
    assert cursors.has_end_moved


def test_shard_with_another_creation_time_is_another_one() -> None:
    cache = CursorCache()
    cursors = cursors_of(cache, 1000)
    cursors.add_time(50, 1000)
    assert cursors_of(cache, 1000) is cursors
    assert cursors_of(cache, 1001).bracket(50).earliest == 1001 - TOLERANCE_SECONDS


def test_shard_that_is_not_listed_any_more_is_forgotten() -> None:
    cache = CursorCache()
    cursors = cursors_of(cache)
    cache.end_poll({0})
    assert cursors_of(cache) is cursors
    cache.end_poll({1})
    assert cursors_of(cache) is not cursors


def test_time_is_kept_while_polls_use_it() -> None:
    cache = CursorCache()
    cursors = cursors_of(cache)
    cursors.add_time(50, 1000)
    cursors.add_time(60, None)
    for _ in range(3):
        cache.end_poll({0})
        assert cursors.bracket(50).width == 0
        assert cursors.is_refused(60)
    cache.end_poll({0})
    cache.end_poll({0})
    assert not cursors.has_read(50)
    assert not cursors.is_refused(60)


def test_refused_time_means_expired_only_before_the_first_log_group_of_a_later_reading() -> None:
    cursors = cursors_of(CursorCache())
    for cursor in (19, 20, 60):
        cursors.add_time(cursor, None)
        assert not cursors.has_expired(cursor)
    cursors.add_begin(Begin(cursor=20, end=100, read_at=NOW))
    found = {
        cursor: (cursors.has_expired(cursor), cursors.is_refused(cursor)) for cursor in (19, 20, 60)
    }
    assert found == {19: (True, True), 20: (False, False), 60: (False, False)}
    cursors.end_poll()
    assert not cursors.has_read(20)


# Size


def day(history: EndHistory, *, per_poll: int = 60, polls: int = 1440) -> float:
    """Poll a shard every minute; return the time of the last poll."""
    for number in range(polls):
        end_at(history, BIRTH + per_poll * number, NOW + 60.0 * number)
    return NOW + 60.0 * (polls - 1)


def test_history_of_a_day_is_exact_in_proportion_to_age() -> None:
    history = EndHistory()
    now = day(history)
    for minute in range(1, 1439):
        bracket = history.bracket(BIRTH + 60 * minute + 30)
        age = now - (NOW + 60.0 * minute)
        assert bracket.width <= 0.2 * age + 2 * 60.0 + 2 * TOLERANCE_SECONDS
        assert bracket.estimate == pytest.approx(NOW + 60.0 * minute + 30.0, abs=65.0)


def test_staircase_keeps_its_first_and_its_last_step() -> None:
    staircase = Staircase(upper=False)
    for number in range(500):
        staircase.add(number, NOW + number)
        staircase.thin(NOW + number)
        assert len(staircase.cursors) == len(staircase.times) == min(number + 1, STEPS)
    assert (staircase.cursors[0], staircase.cursors[-1]) == (0, 499)


def test_full_histories_of_10_000_shards_take_less_than_30_megabytes() -> None:
    measured = 60
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        histories = [EndHistory() for _ in range(measured)]
        for history in histories:
            day(history, polls=STEPS + 20)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (after - before) / measured * SHARDS < 30 * MEGABYTE
