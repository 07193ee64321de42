"""Turns of shards of other consumers: when they come, and for how long their ends are used."""

import pytest

from exporter.model.shards import Checkpoint, encode_cursor
from exporter.polling.readings import Pair
from exporter.polling.turns import EVERY, Turns, age_limit
from tests.support.settings import project_settings

NOW = 10_000.0
STALL_AFTER = 300.0


def pair(*, moved_before: float | None) -> Pair:
    """Build a group in a shard whose checkpoint moved some seconds ago, or never."""
    updated_at = None if moved_before is None else NOW - moved_before
    checkpoint = Checkpoint(shard=0, cursor=encode_cursor(5), updated_at=updated_at, consumer="c")
    return pair_of(checkpoint)


def pair_of(checkpoint: Checkpoint) -> Pair:
    """Build a group whose filter does not name the owner of a shard."""
    return Pair("billing", checkpoint, None, NOW, stall_after=STALL_AFTER, is_named=False)


MOVING = [pair(moved_before=STALL_AFTER)]
STANDING = [pair(moved_before=STALL_AFTER + 1)]


def chosen(turns: Turns, shards: dict[int, list[Pair]], *, most: int = 100) -> list[int]:
    """Begin a poll, choose shards, and read their ends."""
    turns.begin_poll()
    found = list(turns.choose(shards, most=most))
    for shard in found:
        turns.note_read(shard)
    return found


def test_each_moving_shard_has_its_turn_in_one_of_five_polls() -> None:
    turns, shards = Turns(), dict.fromkeys(range(10), MOVING)
    polls = [chosen(turns, shards) for _ in range(2 * EVERY)]
    assert polls[:EVERY] == polls[EVERY:]
    assert sorted(shard for poll in polls[:EVERY] for shard in poll) == list(range(10))
    assert {len(poll) for poll in polls} == {2}


def test_shard_that_may_be_stalled_is_read_in_the_first_poll_and_then_at_its_turn() -> None:
    turns, shards = Turns(), dict.fromkeys(range(EVERY), STANDING)
    polls = [chosen(turns, shards) for _ in range(3 * EVERY)]
    assert sorted(polls[0]) == list(range(EVERY))
    assert polls[1:EVERY] == [[]] * (EVERY - 1)
    assert {len(poll) for poll in polls[EVERY:]} == {1}
    assert sorted(shard for poll in polls[EVERY : 2 * EVERY] for shard in poll) == [0, 1, 2, 3, 4]


def test_shard_without_a_readable_checkpoint_may_be_stalled() -> None:
    unread = Checkpoint(shard=0, cursor="", updated_at=None, consumer="")
    for each in (pair(moved_before=None), pair_of(unread)):
        assert chosen(Turns(), {shard: [each] for shard in range(EVERY)}) == list(range(EVERY))


def test_one_group_that_may_be_stalled_is_enough() -> None:
    assert chosen(Turns(), {shard: [*MOVING, *STANDING] for shard in range(2)}) == [0, 1]


def test_first_turns_beyond_the_limit_go_to_the_checkpoints_that_moved_longest_ago() -> None:
    turns = Turns()
    shards = {number: [pair(moved_before=400.0 + number)] for number in range(7)}
    shards[2] = [pair(moved_before=None)]
    assert chosen(turns, shards, most=3) == [2, 6, 5]
    assert chosen(turns, shards, most=3) == [4, 3, 1]
    assert chosen(turns, shards, most=3) == [0]


def test_reading_in_any_poll_postpones_the_turn() -> None:
    turns, shards = Turns(), {4: MOVING}
    assert chosen(turns, shards) == [4]
    for _ in range(EVERY - 1):
        assert chosen(turns, shards) == []
    turns.note_read(4)
    assert [chosen(turns, shards) for _ in range(EVERY + 1)] == [[], [], [], [], [], [4]]


def test_shard_that_vanished_is_forgotten() -> None:
    turns = Turns()
    turns.begin_poll()
    for shard in range(2):
        turns.note_read(shard)
    turns.keep_only({1, 2})
    assert [turns.last(shard) for shard in range(3)] == [0, 1, 0]


@pytest.mark.parametrize(("interval", "limit"), [(60.0, 780.0), (10.0, 280.0)])
def test_ends_are_used_ten_polls_longer_than_others(interval: float, limit: float) -> None:
    polling = project_settings(interval=interval, stale_after=180.0).polling
    assert age_limit(polling) == limit
