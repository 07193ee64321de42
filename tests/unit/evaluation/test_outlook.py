"""When a consumer group will have caught up, or lose data."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from exporter.evaluation.outlook import (
    Timing,
    extended,
    group_outlook,
    position_of,
    shard_outlook,
    speed_of,
    tracks_after,
)
from exporter.model.progress import (
    UNKNOWN_OUTLOOK,
    Outlook,
    Position,
    ShardProgress,
    Track,
    Unread,
)
from tests.support.snapshots import shard

NOW = 100_000.0
PACE = Timing(interval=60.0, stall_after=300.0)
DAY = 86_400.0
KEEPS_UP = Outlook(catch_up_seconds=0.0)


def behind(
    number: int = 0, *, age: float = 10_000.0, moved_ago: float = 20.0, readonly: bool = False
) -> ShardProgress:
    return shard(
        number,
        unread=50,
        oldest_unread_at=NOW - age,
        lag_seconds=age - 100.0,
        moved_at=NOW - moved_ago,
        read_at=NOW,
        readonly=readonly,
    )


def at_speed(value: float, *, error: float = 0.0, seconds: float = 600.0) -> Track:
    first, last = NOW - 20.0 - seconds, NOW - 20.0
    time = NOW - 10_000.0
    return Position(first, time - value * seconds, error), Position(last, time, error)


def outlook(
    line: ShardProgress, track: Track = (), *, retention: float | None = DAY
) -> tuple[float | None, float | None]:
    return shard_outlook(line, track, now=NOW, timing=PACE, retention=retention)


def of_group(lines: list[ShardProgress], tracks: dict[int, Track]) -> Outlook:
    return group_outlook(lines, tracks, now=NOW, timing=PACE, retention=DAY)


# A shard


def test_a_fast_consumer_catches_up_and_loses_nothing() -> None:
    assert outlook(behind(), at_speed(3.0)) == pytest.approx((5000.0, None))


def test_a_slow_consumer_never_catches_up_and_loses_data() -> None:
    assert outlook(behind(), at_speed(0.5)) == pytest.approx((inf, 2 * 76_400.0))


def test_a_stalled_consumer_loses_data_when_the_oldest_expires_even_without_a_track() -> None:
    stalled = behind(moved_ago=301.0)
    assert outlook(stalled) == (inf, 76_400.0)
    assert outlook(stalled, at_speed(3.0)) == (inf, 76_400.0)
    assert outlook(behind(moved_ago=300.0), at_speed(3.0)) == (5000.0, None)


def test_a_consumer_at_the_speed_of_its_producers_neither_catches_up_nor_loses_data() -> None:
    for value in (0.999, 1.0, 1.001):
        assert outlook(behind(), at_speed(value)) == (inf, None)


@pytest.mark.parametrize(
    ("value", "error", "found"),
    [
        (1.2, 40.0, (50_000.0, None)),
        (1.2, 70.0, UNKNOWN_OUTLOOK),
        (0.8, 40.0, (inf, 382_000.0)),
        (0.8, 70.0, UNKNOWN_OUTLOOK),
        (1.05, 20.0, (inf, None)),
        (1.5, 148.0, (20_000.0, None)),
        (1.5, 149.0, UNKNOWN_OUTLOOK),  # a speed of 1 is possible
        (0.5, 148.0, (inf, 152_800.0)),
        (0.5, 149.0, UNKNOWN_OUTLOOK),
        (1.0, 29.0, (inf, None)),  # a speed of 0.9 to 1.1
        (1.0, 29.5, UNKNOWN_OUTLOOK),
    ],
)
def test_an_inexact_speed_counts_only_as_far_as_it_is_known(
    value: float, error: float, found: Outlook
) -> None:
    assert outlook(behind(), at_speed(value, error=error)) == pytest.approx(found)


def test_a_consumer_that_is_behind_by_stall_after_keeps_up() -> None:
    assert outlook(behind(age=300.0)) == KEEPS_UP
    assert outlook(behind(age=301.0)) == UNKNOWN_OUTLOOK
    assert outlook(shard(unread=0)) == KEEPS_UP


def test_data_that_is_due_to_expire_is_lost_in_0_seconds() -> None:
    assert outlook(behind(age=DAY + 50.0, moved_ago=1000.0)) == (inf, 0.0)


def test_without_a_retention_time_the_loss_is_unknown() -> None:
    assert outlook(behind(), at_speed(0.5), retention=None) == (inf, None)
    assert outlook(behind(moved_ago=301.0), retention=None) == (inf, None)


def test_a_slow_consumer_finishes_a_read_only_shard_unless_data_expires_before() -> None:
    assert outlook(behind(readonly=True), at_speed(0.5)) == pytest.approx((19_800.0, None))
    old = behind(age=80_000.0, readonly=True)
    assert outlook(old, at_speed(0.5)) == pytest.approx((inf, 12_800.0))
    at_once = behind(age=43_250.0, readonly=True)
    assert outlook(at_once, at_speed(0.5)) == (inf, 86_300.0)


def test_a_consumer_that_loses_nothing_finishes_a_read_only_shard() -> None:
    assert outlook(behind(readonly=True), at_speed(3.0)) == (3300.0, None)
    assert outlook(behind(readonly=True), at_speed(0.5), retention=None) == (19_800.0, None)


def test_a_read_only_shard_without_a_lag_counts_like_any_other() -> None:
    line = replace(behind(readonly=True), lag_seconds=None)
    assert outlook(line, at_speed(0.5)) == (inf, 152_800.0)


def test_a_read_only_shard_that_stalls_is_never_finished() -> None:
    assert outlook(behind(readonly=True, moved_ago=301.0)) == (inf, 76_400.0)


@pytest.mark.parametrize(
    "line",
    [
        shard(checkpoint="", unread=5, oldest_unread_at=NOW - 10_000.0, moved_at=None),
        shard(unread=None, moved_at=NOW - 1000.0, read_at=NOW),
    ],
)
def test_an_unknown_shard_has_no_outlook(line: ShardProgress) -> None:
    assert outlook(line, at_speed(0.5)) == UNKNOWN_OUTLOOK


def test_without_the_time_of_the_oldest_data_that_of_the_last_consumed_data_counts() -> None:
    line = shard(unread=5, oldest_unread_at=None, moved_at=NOW - 20.0, read_at=NOW)
    assert outlook(line, at_speed(3.0)) == pytest.approx((5000.0, None))
    assert outlook(line) == UNKNOWN_OUTLOOK
    assert outlook(replace(line, moved_at=None), at_speed(3.0)) == (5000.0, None)
    stalled = replace(line, moved_at=NOW - 1000.0)
    assert outlook(stalled) == UNKNOWN_OUTLOOK
    track = (*at_speed(3.0), Position(NOW - 10.0, NOW - 8000.0, 0.0))
    assert outlook(stalled, track) == (inf, 78_400.0)


# A group


def test_the_worst_of_64_shards_decides() -> None:
    lines = [behind(number) for number in range(64)]
    tracks = {number: at_speed(3.0) for number in range(64)}
    assert of_group(lines, tracks) == pytest.approx((5000.0, None))
    tracks[17] = at_speed(0.5)
    assert of_group(lines, tracks) == pytest.approx((inf, 2 * 76_400.0))
    tracks[17] = at_speed(1.5)
    assert of_group(lines, tracks) == pytest.approx((20_000.0, None))


def test_the_shard_that_is_furthest_behind_has_to_be_known_to_catch_up() -> None:
    lines = [behind(0, age=9000.0), behind(1)]
    assert of_group(lines, {1: at_speed(3.0)}) == pytest.approx((5000.0, None))
    assert of_group(lines, {0: at_speed(3.0)}) == UNKNOWN_OUTLOOK
    assert of_group(lines, {0: at_speed(0.5)}) == pytest.approx((inf, 154_800.0))
    assert of_group(lines, {}) == UNKNOWN_OUTLOOK


def test_a_shard_whose_oldest_data_is_unknown_counts_as_furthest_behind() -> None:
    unknown = shard(0, unread=5, oldest_unread_at=None, moved_at=NOW - 20.0, read_at=NOW)
    assert of_group([unknown, behind(1)], {1: at_speed(3.0)}) == UNKNOWN_OUTLOOK
    assert of_group([unknown, behind(1)], {1: at_speed(0.5)}) == (inf, 152_800.0)


def test_the_earliest_loss_decides() -> None:
    lines = [behind(0), behind(1, age=20_000.0)]
    assert of_group(lines, {0: at_speed(0.5), 1: at_speed(0.5)}) == (inf, 132_800.0)


def test_shards_without_unread_data_do_not_hide_the_others() -> None:
    lines = [shard(0), behind(1)]
    assert of_group(lines, {}) == UNKNOWN_OUTLOOK
    assert of_group(lines, {1: at_speed(3.0)}) == (5000.0, None)


def test_a_group_without_unread_data_keeps_up() -> None:
    assert of_group([shard(0), shard(1)], {}) == KEEPS_UP
    assert of_group([], {}) == UNKNOWN_OUTLOOK
    assert of_group([shard(checkpoint="", unread=5)], {}) == UNKNOWN_OUTLOOK


def test_shards_that_were_never_consumed_do_not_hide_the_others() -> None:
    lines = [behind(0), shard(1, checkpoint="", unread=5, oldest_unread_at=1.0)]
    assert of_group(lines, {0: at_speed(3.0)}) == pytest.approx((5000.0, None))


# Positions and speeds


def test_the_speed_is_that_between_two_checkpoints_whenever_polls_see_them() -> None:
    track: Track = ()
    for number in range(30):
        track = extended(track, Position(60.0 * number, 30.0 * number, 0.0), PACE)
    speed = speed_of(track, 60.0 * 29 + 200.0, PACE)
    assert speed is not None
    assert speed.value == 0.5
    assert speed.error < 0.01


def test_a_speed_needs_five_intervals_and_stall_after() -> None:
    assert speed_of(at_speed(2.0, seconds=299.0), NOW, PACE) is None
    assert speed_of(at_speed(2.0, seconds=300.0), NOW, PACE) is not None
    slow_polls = Timing(interval=120.0, stall_after=300.0)
    assert speed_of(at_speed(2.0, seconds=599.0), NOW, slow_polls) is None
    rare_commits = Timing(interval=60.0, stall_after=900.0)
    assert speed_of(at_speed(2.0, seconds=899.0), NOW, rare_commits) is None
    assert speed_of(at_speed(2.0)[:1], NOW, PACE) is None


def test_the_error_of_a_speed_is_that_of_both_positions_and_of_two_whole_seconds() -> None:
    assert speed_of(at_speed(2.0, error=14.0), NOW, PACE) == (2.0, 0.05)


def test_a_speed_is_unknown_when_its_last_position_is_old() -> None:
    assert speed_of(at_speed(2.0), NOW + 580.0, PACE) is not None
    assert speed_of(at_speed(2.0), NOW + 581.0, PACE) is None


@given(st.lists(st.tuples(st.floats(1.0, 400.0), st.floats(0.0, 900.0)), min_size=1, max_size=100))
def test_a_track_is_bounded_in_number_and_time_and_keeps_the_newest(
    steps: list[tuple[float, float]],
) -> None:
    track: Track = ()
    at = time = 0.0
    for after, by in steps:
        at, time = at + after, time + by
        track = extended(track, Position(at, time, 0.0), PACE)
    assert track[-1] == Position(at, time, 0.0)
    assert len(track) <= 5
    assert track[-1].at - track[0].at <= 900.0
    assert list(track) == sorted(track)


def test_a_track_spans_enough_time_for_a_speed_in_spite_of_its_bound() -> None:
    track: Track = ()
    for number in range(100):
        track = extended(track, Position(10.0 * number, 10.0 * number, 0.0), PACE)
        if number >= 60:
            assert track[-1].at - track[0].at >= 600.0


def at(seconds: float, time: float | None = None, error: float = 0.0) -> Position:
    return Position(seconds, seconds if time is None else time, error)


@pytest.mark.parametrize(
    ("track", "position", "found"),
    [
        ((at(0.0),), at(900.0), (at(0.0), at(900.0))),
        ((at(0.0),), at(901.0), (at(901.0),)),
        ((at(0.0), at(299.0)), at(400.0), (at(0.0), at(400.0))),
        ((at(0.0), at(300.0)), at(400.0), (at(0.0), at(300.0), at(400.0))),
    ],
)
def test_a_track_keeps_positions_a_span_apart_for_three_spans(
    track: Track, position: Position, found: Track
) -> None:
    assert extended(track, position, PACE) == found


def test_the_same_checkpoint_keeps_its_most_exact_position() -> None:
    inexact, exact = Position(10.0, 4.0, 50.0), Position(10.0, 5.0, 0.0)
    assert extended((inexact,), exact, PACE) == (exact,)
    assert extended((exact,), inexact, PACE) == (exact,)
    first = Position(0.0, 0.0, 0.0)
    assert extended((first, inexact), exact, PACE) == (first, exact)


def test_a_checkpoint_that_is_set_back_begins_a_new_track() -> None:
    back = Position(NOW, NOW - 20_000.0, 0.0)
    assert extended(at_speed(2.0), back, PACE) == (back,)


def test_a_position_is_set_back_if_it_is_older_than_the_last_one() -> None:
    track = Position(0.0, 1000.0, 600.0), Position(300.0, 2000.0, 0.0)
    back = Position(360.0, 1500.0, 0.0)
    assert extended(track, back, PACE) == (back,)


def test_times_that_only_seem_to_go_back_continue_a_track() -> None:
    first, second = Position(0.0, 100.0, 30.0), Position(60.0, 90.0, 30.0)
    assert extended((first,), second, PACE) == (first, second)
    third = Position(60.0, 40.0, 30.0)
    assert extended((first,), third, PACE) == (first, third)
    assert extended((first,), third._replace(time=39.0), PACE) == (third._replace(time=39.0),)


def test_a_position_is_the_last_consumed_data_when_the_checkpoint_was_written() -> None:
    unread = Unread(consumed_at=NOW - 9000.0, consumed_error=75.0)
    assert position_of(behind(), unread, PACE) == (NOW - 20.0, NOW - 9000.0, 75.0)


@pytest.mark.parametrize(
    ("line", "unread"),
    [
        (behind(), Unread(consumed_at=NOW - 9000.0, consumed_error=76.0)),
        (behind(), Unread(consumed_at=NOW - 300.0, consumed_error=0.0)),
        (behind(), Unread()),
        (shard(unread=0, read_at=NOW), Unread(consumed_at=NOW - 9000.0, consumed_error=0.0)),
        (
            shard(unread=5, expired=True, read_at=NOW),
            Unread(consumed_at=NOW - 9000.0, consumed_error=0.0),
        ),
        (
            shard(unread=5, moved_at=None, read_at=NOW),
            Unread(consumed_at=NOW - 9000.0, consumed_error=0.0),
        ),
    ],
)
def test_a_position_is_noted_only_if_it_is_exact_and_behind(
    line: ShardProgress, unread: Unread
) -> None:
    assert position_of(line, unread, PACE) is None


def test_a_track_survives_polls_without_an_exact_position_and_ends_near_the_end() -> None:
    known = {0: at_speed(2.0), 1: at_speed(2.0), 2: at_speed(2.0)}
    found = tracks_after(known, {}, [behind(0), behind(1, age=200.0), shard(2)], PACE)
    assert found == {0: known[0]}
    assert tracks_after({}, {}, [behind(0)], PACE) == {}


def test_a_track_gains_the_position_of_its_shard() -> None:
    position = Position(NOW, NOW - 9000.0, 0.0)
    found = tracks_after({0: at_speed(2.0)}, {0: position}, [behind(0)], PACE)
    assert found == {0: (*at_speed(2.0), position)}
