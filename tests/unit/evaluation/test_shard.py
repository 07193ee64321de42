"""Evaluation of the state of a shard, by example and for any input."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from exporter.evaluation.shard import (
    carry_over,
    elapsed_seconds,
    evaluate,
    stalled_seconds,
    stalled_since,
    state,
)
from exporter.model.progress import NOTHING_UNREAD, ShardEnd, ShardProgress, State, Unread
from exporter.model.shards import Checkpoint, decode_cursor, encode_cursor

NOW = 1_700_000_000.0
PRECISION = 0.2001  # whole tenths of a second between two instants
BIRTH = 1_524_157_379_373_908_496  # a real cursor: nanoseconds, beyond 2^53
STALL_AFTER = 300.0

instants = st.floats(min_value=0.0, max_value=4e9)
spans = st.floats(min_value=0.0, max_value=1e8)
cursors = st.integers(min_value=1, max_value=2**63 - 1)
maybe_instants = st.none() | instants


def saved(cursor: int | str, *, updated_at: float | None = NOW - 30.0) -> Checkpoint:
    text = cursor if isinstance(cursor, str) else encode_cursor(cursor)
    return Checkpoint(shard=0, cursor=text, updated_at=updated_at, consumer="c1")


def end_at(cursor: int, *, readonly: bool = False) -> ShardEnd:
    return ShardEnd(cursor=cursor, readonly=readonly)


def judged(
    checkpoint: Checkpoint,
    end: ShardEnd | None,
    *,
    previous: ShardProgress | None = None,
    seen_at: float = NOW,
    **unread: Any,  # noqa: ANN401  the fields of Unread
) -> ShardProgress:
    return evaluate(
        checkpoint, previous=previous, end=end, unread=Unread(**unread), seen_at=seen_at
    )


def state_of(progress: ShardProgress, now: float = NOW) -> State:
    return state(progress, now, stall_after=STALL_AFTER)


@given(start=cursors, gap=st.integers(min_value=0, max_value=2**62))
def test_unread_log_groups_are_counted_exactly_beyond_what_a_float_holds(
    start: int, gap: int
) -> None:
    assert judged(saved(start), end_at(start + gap)).unread == gap


def test_unread_is_exact_for_cursors_above_2_to_the_53() -> None:
    progress = judged(saved(BIRTH), end_at(BIRTH + 1), oldest_at=NOW - 40.0)
    assert progress.unread == 1
    assert float(BIRTH) == float(BIRTH + 1)


# States


def test_a_shard_whose_checkpoint_is_at_the_end_is_caught_up_however_old_the_checkpoint() -> None:
    progress = judged(saved(BIRTH + 9, updated_at=NOW - 1e6), end_at(BIRTH + 9))
    assert state_of(progress) is State.CAUGHT_UP
    assert stalled_seconds(progress, NOW) == 0.0
    assert progress.lag_seconds == 0.0
    assert progress.oldest_unread_at is None


def test_a_read_only_shard_that_is_caught_up_is_finished() -> None:
    progress = judged(saved(BIRTH + 9), end_at(BIRTH + 9, readonly=True))
    assert state_of(progress) is State.FINISHED
    assert stalled_seconds(progress, NOW) == 0.0


def test_a_read_only_shard_with_unread_data_can_stall() -> None:
    progress = judged(
        saved(BIRTH, updated_at=NOW - 400.0),
        end_at(BIRTH + 1, readonly=True),
        oldest_at=NOW - 390.0,
    )
    assert state_of(progress) is State.STALLED
    assert stalled_seconds(progress, NOW) == 390.0


def test_a_checkpoint_ahead_of_the_end_counts_as_caught_up() -> None:
    progress = judged(saved(BIRTH + 9), end_at(BIRTH + 4))
    assert progress.unread == 0
    assert state_of(progress) is State.CAUGHT_UP


def test_a_shard_that_is_behind_and_moved_lately_is_consuming() -> None:
    progress = judged(
        saved(BIRTH, updated_at=NOW - 50.0),
        end_at(BIRTH + 5),
        oldest_at=NOW - 900.0,
        consumed_at=NOW - 901.0,
        newest_at=NOW - 1.0,
    )
    assert state_of(progress) is State.CONSUMING
    assert stalled_seconds(progress, NOW) == 50.0
    assert progress.lag_seconds == 900.0


def test_new_data_after_a_quiet_night_is_not_a_stall() -> None:
    progress = judged(
        saved(BIRTH, updated_at=NOW - 43_200.0), end_at(BIRTH + 5), oldest_at=NOW - 20.0
    )
    assert state_of(progress) is State.CONSUMING
    assert stalled_seconds(progress, NOW) == 20.0


def test_a_shard_that_is_behind_and_does_not_move_is_stalled() -> None:
    progress = judged(
        saved(BIRTH, updated_at=NOW - 500.0), end_at(BIRTH + 5), oldest_at=NOW - 301.0
    )
    assert state_of(progress) is State.STALLED
    assert stalled_seconds(progress, NOW) == 301.0


def test_exactly_stall_after_is_not_stalled_yet() -> None:
    progress = judged(
        saved(BIRTH, updated_at=NOW - 300.0), end_at(BIRTH + 5), oldest_at=NOW - 300.0
    )
    assert state_of(progress) is State.CONSUMING


def test_between_polls_the_seconds_go_on_and_the_state_waits_for_the_next_poll() -> None:
    progress = judged(
        saved(BIRTH, updated_at=NOW - 290.0), end_at(BIRTH + 5), oldest_at=NOW - 290.0
    )
    assert stalled_seconds(progress, NOW + 50.0) == 340.0
    assert state_of(progress, NOW + 50.0) is State.CONSUMING


def test_a_shard_without_a_checkpoint_is_unconsumed_and_not_stalled() -> None:
    progress = judged(
        saved("", updated_at=None),
        end_at(BIRTH + 5),
        oldest_at=NOW - 900.0,
        first_cursor=BIRTH + 2,
    )
    assert state_of(progress) is State.UNCONSUMED
    assert stalled_seconds(progress, NOW) is None
    assert progress.unread == 3
    assert progress.oldest_unread_at == NOW - 900.0
    assert progress.lag_seconds is None


def test_an_empty_shard_without_a_checkpoint_has_nothing_unread() -> None:
    progress = judged(saved("", updated_at=None), end_at(BIRTH), first_cursor=BIRTH)
    assert state_of(progress) is State.UNCONSUMED
    assert progress.unread == 0
    assert progress.oldest_unread_at is None


def test_update_time_of_a_shard_without_a_checkpoint_is_not_progress() -> None:
    progress = judged(saved("", updated_at=NOW - 5.0), end_at(BIRTH), first_cursor=BIRTH)
    assert progress.updated_at is None
    assert progress.moved_at is None


def test_a_checkpoint_that_retention_has_overtaken_is_expired_and_keeps_its_stall() -> None:
    progress = judged(
        saved(BIRTH, updated_at=NOW - 90_000.0),
        end_at(BIRTH + 500),
        oldest_at=NOW - 86_400.0,
        newest_at=NOW - 1.0,
        expired=True,
    )
    assert state_of(progress) is State.EXPIRED
    assert stalled_seconds(progress, NOW) == 86_400.0
    assert progress.lag_seconds == 86_399.0


@pytest.mark.parametrize(
    ("first", "end", "unread", "stalled"),
    [(2000, 2000, 0, 0.0), (1800, 2000, 200, 40.0), (2000, 2003, 3, 40.0), (1501, 2000, 499, 40.0)],
)
def test_expired_log_groups_are_neither_unread_nor_a_stall(
    first: int, end: int, unread: int, stalled: float
) -> None:
    progress = judged(
        saved(1500, updated_at=NOW - 1_728_000.0),
        end_at(end),
        oldest_at=None if first == end else NOW - 40.0,
        first_cursor=first,
        expired=True,
    )
    assert state_of(progress) is State.EXPIRED
    assert (progress.unread, stalled_seconds(progress, NOW)) == (unread, stalled)
    assert (progress.oldest_unread_at is None) == (unread == 0)


def test_first_log_group_before_the_checkpoint_does_not_matter() -> None:
    progress = judged(saved(1500), end_at(2000), first_cursor=1000)
    assert (progress.unread, progress.expired) == (500, False)


@pytest.mark.parametrize(
    ("first", "readonly", "expected"),
    [
        (9, True, State.FINISHED),
        (9, False, State.UNCONSUMED),
        (8, True, State.UNCONSUMED),
        (None, True, State.UNCONSUMED),
    ],
)
def test_shard_without_a_checkpoint_is_finished_only_if_empty_and_read_only(
    first: int | None,
    readonly: bool,  # noqa: FBT001  a column of the table
    expected: State,
) -> None:
    progress = judged(saved(""), end_at(9, readonly=readonly), first_cursor=first)
    assert state_of(progress) is expected
    assert stalled_seconds(progress, NOW) is None


def test_without_the_end_of_the_shard_it_is_unknown_and_values_are_absent() -> None:
    progress = judged(saved(BIRTH, updated_at=NOW - 9000.0), None)
    assert state_of(progress) is State.UNKNOWN
    assert progress.updated_at == NOW - 9000.0
    assert progress.unread is None
    assert progress.lag_seconds is None
    assert progress.oldest_unread_at is None
    assert stalled_seconds(progress, NOW) is None
    assert progress.evaluated_at is None


def test_expired_data_is_unknown_without_the_end_of_the_shard() -> None:
    assert judged(saved(BIRTH), None, expired=True).expired is False


def test_lag_has_one_decimal() -> None:
    line = judged(saved(BIRTH), end_at(BIRTH + 5), consumed_at=NOW - 12.34, newest_at=NOW)
    assert line.lag_seconds == 12.3


def test_an_unreadable_checkpoint_is_unknown_and_values_are_absent() -> None:
    checkpoint = saved("###", updated_at=NOW - 9000.0)
    progress = judged(checkpoint, end_at(BIRTH + 5))
    assert state_of(progress) is State.UNKNOWN
    assert progress.unread is None
    assert progress.lag_seconds is None
    assert stalled_seconds(progress, NOW) is None


def test_shard_that_is_behind_is_unknown_if_neither_time_is_known() -> None:
    progress = judged(saved(BIRTH, updated_at=None), end_at(BIRTH + 5))
    assert stalled_seconds(progress, NOW) is None
    assert state_of(progress) is State.UNKNOWN


def test_stall_is_measured_by_the_oldest_unread_log_without_an_update_time() -> None:
    progress = judged(saved(BIRTH, updated_at=None), end_at(BIRTH + 5), oldest_at=NOW - 400.0)
    assert stalled_seconds(progress, NOW) == 400.0


def test_stall_is_measured_by_the_last_move_without_the_time_of_unread_logs() -> None:
    progress = judged(saved(BIRTH, updated_at=NOW - 400.0), end_at(BIRTH + 5))
    assert stalled_seconds(progress, NOW) == 400.0


def test_state_is_that_of_the_reading_however_late_the_next_poll_is() -> None:
    progress = judged(
        saved(BIRTH, updated_at=NOW - 290.0), end_at(BIRTH + 5), oldest_at=NOW - 290.0
    )
    assert state_of(progress, NOW + 5000.0) is State.CONSUMING


def test_stall_counts_on_after_a_reading_for_one_interval() -> None:
    progress = judged(
        saved(BIRTH, updated_at=NOW - 290.0), end_at(BIRTH + 5), oldest_at=NOW - 290.0
    )
    for passed, seconds in ((0.0, 290.0), (59.0, 349.0), (60.0, 350.0), (5000.0, 350.0)):
        assert stalled_seconds(progress, NOW + passed, interval=60.0) == seconds


@pytest.mark.parametrize(
    ("since", "now", "seconds"),
    [
        (NOW, NOW, 0.0),
        (NOW, NOW + 0.1, 0.1),
        (NOW, NOW + 0.3, 0.3),
        (NOW + 0.7, NOW + 1.4, 0.7),
        (NOW, NOW + 0.19, 0.1),
        (NOW + 0.01, NOW + 0.2, 0.1),
        (NOW + 0.01, NOW + 0.29, 0.1),
        (NOW + 0.09, NOW + 0.11, 0.0),
        (NOW, NOW - 5.0, 0.0),
    ],
)
def test_whole_tenths_have_passed_and_never_more_than_that(
    since: float, now: float, seconds: float
) -> None:
    assert elapsed_seconds(since, now) == seconds


def test_lag_is_absent_if_the_newest_log_has_no_time() -> None:
    assert judged(saved(BIRTH), end_at(BIRTH + 5), oldest_at=NOW).lag_seconds is None


# From poll to poll


def test_same_checkpoint_written_again_is_not_progress() -> None:
    first = judged(saved(BIRTH, updated_at=NOW - 60.0), end_at(BIRTH + 5), oldest_at=NOW - 59.0)
    again = judged(
        saved(BIRTH, updated_at=NOW + 55.0),
        end_at(BIRTH + 9),
        oldest_at=NOW - 59.0,
        previous=first,
        seen_at=NOW + 60.0,
    )
    assert again.updated_at == NOW + 55.0
    assert again.moved_at == NOW - 60.0
    assert stalled_seconds(again, NOW + 60.0) == 119.0


def test_another_checkpoint_is_progress_from_its_own_update_time_on() -> None:
    first = judged(saved(BIRTH), end_at(BIRTH + 5), oldest_at=NOW - 59.0)
    moved = judged(
        saved(BIRTH + 1, updated_at=NOW + 50.0), end_at(BIRTH + 9), previous=first, seen_at=NOW + 60
    )
    assert moved.moved_at == NOW + 50.0


def test_a_checkpoint_set_backwards_counts_as_moved() -> None:
    first = judged(saved(BIRTH + 500), end_at(BIRTH + 500))
    reset = judged(
        saved(BIRTH, updated_at=NOW + 50.0),
        end_at(BIRTH + 500),
        oldest_at=NOW - 9000.0,
        previous=first,
        seen_at=NOW + 60.0,
    )
    assert stalled_seconds(reset, NOW + 60.0) == 10.0


def test_a_checkpoint_seen_to_move_without_an_update_time_moved_at_that_poll() -> None:
    first = judged(saved(BIRTH, updated_at=None), end_at(BIRTH + 5), oldest_at=NOW - 400.0)
    moved = judged(
        saved(BIRTH + 1, updated_at=None),
        end_at(BIRTH + 5),
        oldest_at=NOW - 390.0,
        previous=first,
        seen_at=NOW + 60.0,
    )
    assert moved.moved_at == NOW + 60.0


def test_an_update_time_that_lies_ahead_does_not_keep_a_dead_consumer_fresh() -> None:
    ahead = saved(BIRTH, updated_at=NOW + 86_400.0)
    first = judged(ahead, end_at(BIRTH + 5), oldest_at=NOW - 10.0)
    later = judged(
        ahead, end_at(BIRTH + 5), oldest_at=NOW - 10.0, previous=first, seen_at=NOW + 400.0
    )
    assert stalled_seconds(later, NOW + 400.0) == 400.0


def test_recent_state_is_carried_over_a_failed_reading_of_the_end() -> None:
    known = judged(
        saved(BIRTH, updated_at=NOW - 400.0),
        end_at(BIRTH + 5, readonly=True),
        oldest_at=NOW - 390.0,
        newest_at=NOW,
        expired=True,
    )
    blind = judged(saved(BIRTH, updated_at=NOW - 400.0), None, previous=known, seen_at=NOW + 180)
    carried = carry_over(blind, known, now=NOW + 180.0, max_age=180.0)
    assert carried == known
    assert stalled_seconds(carried, NOW + 180.0, interval=60.0) == 450.0
    assert state_of(carried, NOW + 180.0) is State.EXPIRED


@pytest.mark.parametrize("moved", [0.0, 50.0])
@pytest.mark.parametrize(
    ("waited", "kept"), [(290.0, State.CONSUMING), (310.0, State.STALLED)], ids=["below", "above"]
)
def test_failed_readings_of_the_end_neither_begin_nor_end_a_stall(
    waited: float, kept: State, moved: float
) -> None:
    line = judged(saved(BIRTH, updated_at=NOW - 900.0), end_at(BIRTH + 5), oldest_at=NOW - waited)
    reached = BIRTH + bool(moved)
    for seconds in (60.0, 120.0, 600.0):
        now = NOW + seconds
        updated_at = NOW + moved if moved else NOW - 900.0
        blind = judged(saved(reached, updated_at=updated_at), None, previous=line, seen_at=now)
        line = carry_over(blind, line, now=now, max_age=900.0)
        assert state_of(line, now) is (State.CONSUMING if moved else kept)
        stalled = stalled_seconds(line, now, interval=60.0)
        assert stalled is not None
        assert stalled <= (60.0 if moved else waited + 60.0)


def test_old_state_is_not_carried_over() -> None:
    known = judged(saved(BIRTH), end_at(BIRTH + 5), oldest_at=NOW - 20.0)
    blind = judged(saved(BIRTH), None, previous=known, seen_at=NOW + 181.0)
    assert carry_over(blind, known, now=NOW + 181.0, max_age=180.0) == blind


def test_a_state_that_was_never_judged_is_not_carried_over() -> None:
    blind = judged(saved(BIRTH), None)
    assert carry_over(blind, blind, now=NOW, max_age=180.0) == blind


def test_only_a_shard_that_is_behind_has_a_start_of_a_stall() -> None:
    line = judged(saved(BIRTH), end_at(BIRTH + 5), oldest_at=NOW - 20.0)
    assert stalled_since(line) == NOW - 20.0
    assert stalled_since(replace(line, unread=0)) is None
    assert stalled_since(replace(line, unread=None)) is None
    assert stalled_since(replace(line, checkpoint="")) is None


def test_carried_state_ends_when_the_checkpoint_has_moved() -> None:
    known = judged(saved(BIRTH, updated_at=NOW - 290.0), end_at(BIRTH + 5), oldest_at=NOW - 290.0)
    moved = saved(BIRTH + 3, updated_at=NOW + 30.0)
    blind = judged(moved, None, previous=known, seen_at=NOW + 60.0)
    carried = carry_over(blind, known, now=NOW + 60.0, max_age=180.0)
    assert stalled_seconds(carried, NOW + 60.0) == 30.0


# For any input


@st.composite
def behind(draw: st.DrawFn) -> ShardProgress:
    """Any shard with a readable checkpoint, behind or not, with or without a previous poll."""
    start, gap = draw(cursors), draw(st.integers(min_value=0, max_value=10**12))
    checkpoint = saved(start, updated_at=draw(maybe_instants))
    previous = draw(st.none() | st.just(start) | cursors)
    first = (
        None
        if previous is None
        else judged(saved(previous, updated_at=draw(maybe_instants)), None, seen_at=draw(instants))
    )
    return judged(
        checkpoint,
        end_at(start + gap, readonly=draw(st.booleans())),
        previous=first,
        seen_at=draw(instants),
        oldest_at=draw(maybe_instants),
        consumed_at=draw(maybe_instants),
        newest_at=draw(maybe_instants),
        first_cursor=draw(st.none() | st.integers(start, start + gap)),
        expired=draw(st.booleans()),
    )


@given(behind(), instants)
def test_stall_lag_and_unread_are_never_negative(progress: ShardProgress, now: float) -> None:
    for value in (stalled_seconds(progress, now), progress.lag_seconds, progress.unread):
        assert value is None or value >= 0


@given(behind(), instants)
def test_the_stall_and_the_lag_are_zero_when_caught_up(progress: ShardProgress, now: float) -> None:
    if progress.unread == 0:
        assert stalled_seconds(progress, now) == 0.0
        assert progress.lag_seconds == 0.0
        nothing_unread = {State.CAUGHT_UP, State.FINISHED}
        assert state_of(progress, now) in ({State.EXPIRED} if progress.expired else nothing_unread)


@given(behind(), instants, spans)
def test_a_stall_does_not_shrink_while_time_passes(
    progress: ShardProgress, now: float, span: float
) -> None:
    before, after = stalled_seconds(progress, now), stalled_seconds(progress, now + span)
    assert (before is None) == (after is None)
    if before is not None and after is not None:
        assert before <= after <= before + span + PRECISION


@given(behind(), instants)
def test_a_stall_is_no_longer_than_the_last_move_and_the_oldest_unread_log_are_ago(
    progress: ShardProgress, now: float
) -> None:
    stalled = stalled_seconds(progress, now)
    if stalled is not None:
        for since in (progress.moved_at, progress.oldest_unread_at):
            assert since is None or stalled <= max(0.0, now - since) + 0.001


@given(behind(), instants, st.floats(min_value=1.0, max_value=1e6))
def test_a_shard_is_called_stalled_only_beyond_stall_after(
    progress: ShardProgress, now: float, stall_after: float
) -> None:
    if state(progress, now, stall_after=stall_after) is State.STALLED:
        stalled = stalled_seconds(progress, now)
        assert stalled is not None
        assert stalled > stall_after


@given(
    cursor=cursors,
    first=instants,
    rewrites=st.lists(spans, min_size=1, max_size=8),
    oldest=instants,
)
def test_however_often_a_checkpoint_is_rewritten_its_stall_is_that_of_the_first_write(
    cursor: int, first: float, rewrites: list[float], oldest: float
) -> None:
    progress = judged(
        saved(cursor, updated_at=first), end_at(cursor + 1), seen_at=first, oldest_at=oldest
    )
    now = first
    for span in rewrites:
        now += span
        progress = judged(
            saved(cursor, updated_at=now),
            end_at(cursor + 1),
            previous=progress,
            seen_at=now,
            oldest_at=oldest,
        )
    expected = max(0.0, now - max(first, oldest))
    assert stalled_seconds(progress, now) == pytest.approx(expected, abs=PRECISION)


@given(st.text(min_size=1, max_size=40), cursors, maybe_instants)
def test_checkpoint_of_any_text_has_a_state(text: str, end: int, updated_at: float | None) -> None:
    progress = judged(saved(text, updated_at=updated_at), end_at(end), oldest_at=NOW)
    if decode_cursor(text) is None:
        assert state_of(progress) is State.UNKNOWN
    assert state_of(progress) in State


# Gaps in the tests that mutation testing found


def test_a_state_has_the_name_that_labels_show() -> None:
    assert [each.value for each in State] == [
        "caught_up",
        "consuming",
        "stalled",
        "unconsumed",
        "expired",
        "finished",
        "unknown",
    ]


def test_a_shard_that_was_never_consumed_has_no_lag_and_no_stall() -> None:
    progress = judged(
        saved(""),
        end_at(9),
        first_cursor=1,
        oldest_at=10.0,
        consumed_at=10.0,
        newest_at=20.0,
        expired=True,
    )
    assert (progress.unread, progress.lag_seconds, progress.expired) == (8, None, False)
    assert stalled_since(progress) is None
    assert stalled_seconds(judged(saved(""), end_at(1), first_cursor=1), NOW) is None


def test_shard_without_unread_data_has_no_old_or_expired_data() -> None:
    progress = judged(saved(9), end_at(9), oldest_at=10.0, newest_at=20.0, expired=True)
    assert (progress.oldest_unread_at, progress.expired) == (None, False)


def test_without_an_end_there_is_no_lag() -> None:
    assert judged(saved(9), None, consumed_at=10.0, newest_at=20.0).lag_seconds is None


def test_a_lag_is_never_negative() -> None:
    assert judged(saved(8), end_at(9), consumed_at=20.0, newest_at=10.0).lag_seconds == 0.0


def test_elapsed_time_since_a_future_event_is_zero() -> None:
    assert elapsed_seconds(10.0, 5.0) == 0.0
    assert elapsed_seconds(10.0, 10.0) == 0.0


@pytest.mark.parametrize(("checkpoint", "unread"), [("", None), (4, 5), (9, 0), (10, 0)])
def test_unread_count_needs_a_checkpoint_if_unread_data_is_unknown(
    checkpoint: str | int, unread: int | None
) -> None:
    progress = evaluate(
        saved(checkpoint), previous=None, end=end_at(9), unread=NOTHING_UNREAD, seen_at=NOW
    )
    assert (progress.unread, progress.oldest_unread_at) == (unread, None)


# The end


def test_the_last_known_end_is_kept_while_no_end_is_known() -> None:
    first = judged(saved(BIRTH), end_at(BIRTH + 7))
    assert first.end == BIRTH + 7
    without = judged(saved(BIRTH + 1), None, previous=first)
    assert (without.end, without.unread) == (BIRTH + 7, None)
    assert judged(saved(BIRTH + 1), end_at(BIRTH + 9), previous=without).end == BIRTH + 9
    assert judged(saved(BIRTH), None).end is None


@pytest.mark.parametrize(
    ("unread", "is_blind", "expected"),
    [
        (None, True, State.UNKNOWN),
        (None, False, State.UNCONSUMED),
        (3, True, State.UNCONSUMED),
    ],
)
def test_shard_without_a_checkpoint_is_unknown_only_if_its_end_could_not_be_read(
    unread: int | None,
    is_blind: bool,  # noqa: FBT001  a column of the table
    expected: State,
) -> None:
    progress = replace(judged(saved(""), None), unread=unread, is_blind=is_blind)
    assert state_of(progress) is expected
