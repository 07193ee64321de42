"""The likely cause of a stall, from the checkpoints of a consumer group."""

import pytest

from exporter.evaluation.causes import Trace, likely_causes, traces, waiting_for_parents
from exporter.model.progress import Cause, OwnerChange, ShardProgress
from exporter.model.shards import Shard
from tests.support.snapshots import shard

NOW = 10_000.0
STALL_AFTER = 300.0
SINCE = NOW - 600.0  # the start of the stall of shard 0
DURING = SINCE + 200.0  # later than half of stall_after, and longer ago than stall_after


def behind(number: int, consumer: str, moved_at: float | None) -> ShardProgress:
    return shard(
        number, consumer=consumer, moved_at=moved_at, unread=5, oldest_unread_at=1.0, read_at=NOW
    )


def read(number: int, consumer: str, moved_at: float | None) -> ShardProgress:
    return shard(number, consumer=consumer, moved_at=moved_at, read_at=NOW)


def cause(
    *others: ShardProgress,
    consumer: str = "c1",
    since: float = SINCE,
    changes: tuple[OwnerChange, ...] = (),
    of_others: tuple[OwnerChange, ...] = (),
    is_waiting: bool = False,
) -> Cause:
    """Return the cause of the stall of shard 0."""
    stalled = behind(0, consumer, since)
    known = {0: changes, 1: of_others}
    found = likely_causes(
        [stalled],
        traces([stalled, *others], known),
        changes=known,
        waiting={0} if is_waiting else (),
        now=NOW,
        stall_after=STALL_AFTER,
    )
    assert found.keys() == {0}
    return found[0]


def changed(at: float, *, moved_at: float | None = None) -> OwnerChange:
    return OwnerChange(at, "c0", moved_at)


def test_without_a_stall_there_are_no_causes() -> None:
    assert likely_causes([], [], changes={}, waiting=(), now=NOW, stall_after=STALL_AFTER) == {}


# One consumer in several shards


@pytest.mark.parametrize(
    ("ago", "found"), [(300.0, Cause.SHARD_STUCK), (300.3, Cause.GROUP_SILENT)]
)
def test_an_owner_moves_for_stall_after_after_its_last_move(ago: float, found: Cause) -> None:
    assert cause(behind(1, "c1", NOW - ago)) is found


@pytest.mark.parametrize("moves", [(NOW - 200.0, NOW - 100.0), (NOW - 100.0, NOW - 200.0)])
def test_cause_depends_on_the_latest_move_of_the_owner(moves: tuple[float, ...]) -> None:
    others = [behind(number, "c1", at) for number, at in enumerate(moves, start=1)]
    assert cause(*others, since=NOW - 310.0) is Cause.SHARD_STUCK


def test_cause_is_a_stuck_shard_while_its_owner_moves_in_another_one() -> None:
    assert cause(behind(1, "c1", NOW - 30.0)) is Cause.SHARD_STUCK


def test_cause_is_a_stuck_shard_if_its_owner_has_read_another_one_to_the_end_since() -> None:
    assert cause(read(1, "c1", DURING)) is Cause.SHARD_STUCK


def test_cause_is_a_silent_group_if_its_owner_stopped_in_all_shards() -> None:
    assert cause(behind(1, "c1", SINCE)) is Cause.GROUP_SILENT
    assert cause(behind(1, "c1", DURING)) is Cause.GROUP_SILENT  # it went on, and then stopped


def test_cause_is_a_silent_group_if_its_owner_has_had_nothing_to_read_since() -> None:
    assert cause(read(1, "c1", SINCE)) is Cause.GROUP_SILENT
    assert cause(read(1, "c1", SINCE + 100.0)) is Cause.GROUP_SILENT  # the flush before it died


def test_cause_of_a_single_stalled_shard_is_a_silent_group() -> None:
    assert cause() is Cause.GROUP_SILENT


@pytest.mark.parametrize(
    ("consumer", "after", "found"),
    [
        ("c1", 40.0, Cause.UNKNOWN),
        ("c1", 150.0, Cause.UNKNOWN),
        ("c1", 151.0, Cause.SHARD_STUCK),
        ("c2", 40.0, Cause.UNKNOWN),
        ("c2", 150.0, Cause.UNKNOWN),
        ("c2", 151.0, Cause.OWNER_STUCK),
    ],
)
def test_cause_is_unknown_while_the_last_flushes_of_a_dead_consumer_look_like_moves(
    consumer: str, after: float, found: Cause
) -> None:
    since = NOW - STALL_AFTER - 10.0
    assert cause(behind(1, consumer, since + after), since=since) is found


def test_cause_is_unknown_while_the_owner_may_be_alive_and_others_move() -> None:
    since = NOW - STALL_AFTER - 10.0
    others = behind(1, "c1", since + 40.0), behind(2, "c2", NOW - 30.0)
    assert cause(*others, since=since) is Cause.UNKNOWN


def test_the_last_flush_at_the_end_of_a_shard_does_not_look_like_a_move() -> None:
    since = NOW - STALL_AFTER - 10.0
    assert cause(read(1, "c1", since + 40.0), since=since) is Cause.GROUP_SILENT


# Several consumers


def test_cause_is_a_stuck_owner_while_other_consumers_move() -> None:
    assert cause(behind(1, "c1", SINCE), behind(2, "c2", NOW - 30.0)) is Cause.OWNER_STUCK


def test_cause_is_a_stuck_owner_if_another_consumer_has_read_its_shard_to_the_end_since() -> None:
    assert cause(read(1, "c2", SINCE + 10.0)) is Cause.OWNER_STUCK
    last_flush = read(2, "c1", SINCE + 100.0)
    assert cause(read(1, "c2", SINCE + 10.0), last_flush) is Cause.OWNER_STUCK


def test_cause_is_a_silent_group_if_other_consumers_have_had_nothing_to_read_since() -> None:
    assert cause(read(1, "c2", SINCE - 10.0)) is Cause.GROUP_SILENT
    assert cause(read(1, "c2", SINCE)) is Cause.GROUP_SILENT


def test_cause_is_a_silent_group_if_all_consumers_stopped() -> None:
    others = [behind(number, f"c{number}", SINCE + number) for number in range(2, 5)]
    assert cause(*others) is Cause.GROUP_SILENT


def test_cause_depends_on_the_latest_move_of_all_other_consumers() -> None:
    since = NOW - 310.0
    moves = [NOW - 290.0, NOW - 30.0, NOW - 200.0]
    for start in range(3):
        order = moves[start:] + moves[:start]
        others = [behind(number, f"c{number}", at) for number, at in enumerate(order, start=2)]
        assert cause(behind(1, "c1", since), *others, since=since) is Cause.OWNER_STUCK


def test_a_move_in_a_shard_that_has_another_owner_now_counts_for_the_former_owner() -> None:
    others = (behind(1, "c2", NOW - 5.0),)
    moved = OwnerChange(NOW - 20.0, "c1", NOW - 60.0)
    assert cause(*others, of_others=(moved,)) is Cause.SHARD_STUCK
    assert cause(*others, of_others=(moved._replace(moved_at=None),)) is Cause.OWNER_STUCK


def test_a_former_owner_is_not_assumed_to_have_read_its_shard_to_the_end() -> None:
    moved = OwnerChange(NOW - 400.0, "c2", DURING)
    assert cause(of_others=(moved,)) is Cause.GROUP_SILENT


# Checkpoints without a name


def test_consumers_without_names_count_as_one_owner() -> None:
    assert cause(behind(1, "", NOW - 30.0), consumer="") is Cause.SHARD_STUCK
    assert cause(behind(1, "", SINCE), consumer="") is Cause.GROUP_SILENT


def test_cause_of_a_shard_without_a_name_is_unknown_while_consumers_with_names_move() -> None:
    assert cause(behind(1, "c2", NOW - 30.0), consumer="") is Cause.UNKNOWN
    assert cause(behind(1, "c2", SINCE), consumer="") is Cause.GROUP_SILENT


def test_cause_of_a_shard_without_a_name_or_a_time_is_unknown_while_others_move() -> None:
    stalled = shard(0, consumer="", moved_at=None, unread=5, oldest_unread_at=SINCE, read_at=NOW)
    found = likely_causes(
        [stalled],
        [Trace("c2", NOW - 30.0)],
        changes={},
        waiting=(),
        now=NOW,
        stall_after=STALL_AFTER,
    )
    assert found == {0: Cause.UNKNOWN}


# Changes of owners


@pytest.mark.parametrize(
    ("ago", "found"), [((300.0,), Cause.OWNER_CHANGING), ((300.3,), Cause.SHARD_STUCK)]
)
def test_cause_is_a_changing_owner_for_stall_after(ago: tuple[float, ...], found: Cause) -> None:
    changes = tuple(changed(NOW - each) for each in ago)
    assert cause(behind(1, "c1", NOW - 30.0), changes=changes) is found


def test_cause_is_a_changing_owner_if_it_changed_more_than_once_since_the_stall_began() -> None:
    since = NOW - 3000.0
    twice = changed(NOW - 1300.0), changed(NOW - 800.0)
    assert cause(since=since, changes=twice) is Cause.OWNER_CHANGING
    assert cause(since=since, changes=twice[1:]) is Cause.GROUP_SILENT
    assert cause(since=NOW - 1000.0, changes=twice) is Cause.GROUP_SILENT


@pytest.mark.parametrize(
    ("ago", "found"), [(900.0, Cause.OWNER_CHANGING), (901.0, Cause.GROUP_SILENT)]
)
def test_repeated_changes_count_for_three_times_stall_after(ago: float, found: Cause) -> None:
    twice = changed(NOW - 1300.0), changed(NOW - ago)
    assert cause(since=NOW - 3000.0, changes=twice) is found


def test_a_change_with_the_last_progress_is_not_after_the_start_of_the_stall() -> None:
    since = NOW - 800.0
    twice = changed(since), changed(NOW - 700.0)
    assert cause(since=since, changes=twice) is Cause.GROUP_SILENT
    assert cause(since=since - 1.0, changes=twice) is Cause.OWNER_CHANGING


# Parents


def test_a_shard_that_waits_for_its_parent_has_this_cause_first() -> None:
    changes = (changed(NOW - 10.0),)
    others = behind(1, "c1", NOW - 30.0)
    assert cause(others, changes=changes, is_waiting=True) is Cause.WAITING_FOR_PARENT


def listed(number: int, begin: int | None, end: int | None, *, at: int | None = None) -> Shard:
    return Shard(shard=number, status="readwrite", created_at=at, begin_key=begin, end_key=end)


@pytest.mark.parametrize(
    ("parent", "child", "is_waiting"),
    [
        (listed(0, 0, 100), listed(2, 0, 50), True),
        (listed(0, 0, 100), listed(2, 50, 100), True),
        (listed(0, 0, 50), listed(2, 0, 100), True),  # one of two that were merged
        (listed(0, 0, 100), listed(2, 100, 200), False),
        (listed(0, 100, 200), listed(2, 0, 100), False),
        (listed(2, 0, 100), listed(0, 0, 50), False),
        (listed(2, 0, 100, at=5), listed(0, 0, 50, at=6), True),
        (listed(0, 0, 100, at=6), listed(2, 0, 50, at=5), False),
        (listed(0, 0, 100, at=5), listed(2, 0, 50, at=5), True),
        (listed(0, 0, 100, at=6), listed(2, 0, 50), True),
        (listed(0, 0, 100), listed(2, 0, 50, at=5), True),
        (listed(0, None, 100), listed(2, 0, 50), False),
        (listed(0, 0, 100), listed(2, 0, None), False),
    ],
)
def test_a_shard_waits_for_an_older_one_with_a_part_of_its_keys(
    parent: Shard, child: Shard, *, is_waiting: bool
) -> None:
    shards = {each.shard: each for each in (parent, child)}
    found = waiting_for_parents([child.shard], [parent.shard], shards)
    assert found == ({child.shard} if is_waiting else set())


def test_a_shard_waits_only_for_shards_that_are_listed() -> None:
    parent, child = listed(0, 0, 100), listed(2, 0, 50)
    assert waiting_for_parents([2], [], {0: parent, 2: child}) == set()
    assert waiting_for_parents([2], [0], {2: child}) == set()
    assert waiting_for_parents([2], [0], {0: parent}) == set()


@pytest.mark.parametrize("at", [None, 5])
def test_a_shard_does_not_wait_for_itself(at: int | None) -> None:
    assert waiting_for_parents([0], [0], {0: listed(0, 0, 100, at=at)}) == set()


def test_a_shard_waits_for_any_parent_among_the_unfinished_shards() -> None:
    shards = {0: listed(0, 0, 100), 1: listed(1, 100, 200), 2: listed(2, 0, 50)}
    assert waiting_for_parents([2], [1, 0], shards) == {2}
    assert waiting_for_parents([2], [1], shards) == set()


# Missing times


def test_a_shard_without_a_time_of_its_last_move_proves_nothing() -> None:
    assert cause(behind(1, "c1", None)) is Cause.GROUP_SILENT


def test_cause_is_unknown_if_the_start_of_the_stall_is() -> None:
    stalled = shard(0, unread=5, moved_at=None, oldest_unread_at=None)
    found = likely_causes(
        [stalled],
        [Trace("c2", NOW)],
        changes={},
        waiting=(),
        now=NOW,
        stall_after=STALL_AFTER,
    )
    assert found == {0: Cause.UNKNOWN}
