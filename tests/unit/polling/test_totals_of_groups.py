"""The totals of consumer groups from poll to poll: consumed, written, resets, changes of owners."""

from collections.abc import Iterator

import pytest

from exporter.model.progress import Totals
from exporter.polling.targets import GroupTarget
from tests.support.faults import ErrorAnswer
from tests.support.polling import Bench, bench, owners
from tests.support.simulator_worlds import GROUP, LOGSTORE, PROJECT

STORE = (PROJECT, LOGSTORE)
BY = (*STORE, GROUP)
BROKEN = ErrorAnswer(status=500, code="InternalServerError")


@pytest.fixture
def consumed() -> Iterator[Bench]:
    """Let a consumer of two shards commit all but the last 30 log groups before each poll."""
    with bench(shards=2) as made:
        for shard in range(2):
            made.world.set_producer(*STORE, shard, 1.0)
        made.world.start_consumer(*BY, "c1", shards=[0, 1])
        made.held.advance(90.0)
        yield made


def totals(made: Bench) -> Totals | None:
    return made.group().totals


def test_totals_begin_with_the_first_poll(consumed: Bench) -> None:
    consumed.poll()
    assert totals(consumed) == Totals(written=0)


def test_totals_grow_by_what_is_consumed_and_written_between_polls(consumed: Bench) -> None:
    consumed.poll()
    consumed.poll(after=60.0)
    consumed.poll(after=60.0)
    assert totals(consumed) == Totals(consumed=240, written=240)


def test_totals_include_only_watched_shards() -> None:
    only = GroupTarget(name=GROUP, shards=frozenset({1}))
    with bench(shards=2, groups=(only,)) as made:
        for shard in range(2):
            made.world.set_producer(*STORE, shard, 1.0)
        made.world.start_consumer(*BY, "c1", shards=[0, 1])
        made.poll(after=90.0)
        made.poll(after=60.0)
        assert totals(made) == Totals(consumed=60, written=60)


def test_an_outage_is_counted_after_its_end(consumed: Bench) -> None:
    consumed.poll()
    consumed.simulator.faults.add(BROKEN)
    for _ in range(6):
        consumed.poll(after=60.0)
        assert totals(consumed) == Totals(written=0)
    consumed.simulator.faults.clear()
    assert consumed.group().visible(consumed.held.monotonic()) is None
    consumed.poll(after=60.0)
    assert totals(consumed) == Totals(consumed=840, written=840)


def test_ends_that_cannot_be_read_for_a_while_are_counted_later(consumed: Bench) -> None:
    consumed.poll()
    consumed.simulator.faults.add(BROKEN, operation="GetCursor")
    for _ in range(6):
        consumed.poll(after=60.0)
    assert consumed.shards()[0].unread is None
    assert totals(consumed) == Totals(consumed=720, written=0)
    consumed.simulator.faults.clear()
    consumed.poll(after=60.0)
    assert totals(consumed) == Totals(consumed=840, written=840)


def test_written_log_groups_are_unknown_without_the_permission_for_ends(consumed: Bench) -> None:
    consumed.simulator.deny("GetCursor")
    consumed.poll()
    consumed.poll(after=60.0)
    assert totals(consumed) == Totals(consumed=120, written=None)


def test_a_deleted_group_keeps_its_totals_and_counts_from_its_next_poll(consumed: Bench) -> None:
    consumed.poll()
    consumed.poll(after=60.0)
    consumed.world.delete_group(*BY)
    consumed.poll(after=60.0)
    assert consumed.group().snapshot is None
    assert totals(consumed) == Totals(consumed=120, written=120)
    consumed.world.create_group(*BY)
    consumed.world.start_consumer(*BY, "c1", shards=[0, 1])
    consumed.poll(after=60.0)
    assert totals(consumed) == Totals(consumed=120, written=120)
    consumed.poll(after=60.0)
    assert totals(consumed) == Totals(consumed=240, written=240)


def test_shard_that_was_created_again_counts_from_its_first_poll(consumed: Bench) -> None:
    consumed.poll()
    for _ in range(2):
        consumed.world.delete_logstore(*STORE)
        consumed.held.advance(30.0)
        consumed.world.create_logstore(*STORE, shards=2)
        consumed.world.create_group(*BY)
        consumed.world.set_producer(*STORE, 0, 1.0)
        consumed.world.start_consumer(*BY, "c2", shards=[0, 1])
        # The end cannot be read in the first poll of the new shard.
        consumed.simulator.faults.add(BROKEN, operation="GetCursor", cursor="end")
        consumed.poll(after=60.0)
        assert consumed.shards()[0].unread is None
        consumed.simulator.faults.clear()
        consumed.poll(after=60.0)
    assert totals(consumed) == Totals(consumed=120, written=0)


@pytest.mark.parametrize("unseen", ["without readings of ends", "while cursors are denied"])
def test_shard_that_was_created_again_unnoticed_counts_from_its_first_poll(unseen: str) -> None:
    with bench(lag=unseen != "without readings of ends") as made:
        made.world.set_producer(*STORE, 0, 1.0)
        made.world.start_consumer(*BY, "c1", shards=[0])
        made.poll(after=90.0)
        made.poll(after=60.0)
        if unseen == "while cursors are denied":
            made.simulator.deny("GetCursor")
            made.poll(after=60.0)
        made.world.delete_logstore(*STORE)
        made.held.advance(30.0)
        made.world.create_logstore(*STORE, shards=1)
        made.world.create_group(*BY)
        made.world.set_producer(*STORE, 0, 1.0)
        made.world.start_consumer(*BY, "c1", shards=[0])
        made.poll(after=90.0)
        made.simulator.allow("GetCursor")
        for _ in range(6):
            made.poll(after=60.0)
        found = totals(made)
        assert found is not None
        assert found.consumed <= 60 * 9
        assert (found.written or 0) <= 60 * 9
        assert found.consumed >= 60 * 6


def test_group_that_was_never_read_has_no_totals(consumed: Bench) -> None:
    consumed.simulator.faults.add(BROKEN)
    consumed.poll()
    assert totals(consumed) is None


def test_a_checkpoint_that_is_set_back_is_a_reset(consumed: Bench) -> None:
    consumed.poll()
    consumed.world.stop_consumer(*BY, "c1")
    back = consumed.world.begin_cursor(*STORE, 1)
    consumed.world.update_checkpoint(*BY, 1, back, consumer="c1")
    consumed.poll(after=60.0)
    # The consumer commits what it has read of shard 0 when it stops.
    assert totals(consumed) == Totals(consumed=30, written=120, checkpoint_resets=1)


def test_an_owner_that_changes_is_counted(consumed: Bench) -> None:
    consumed.poll()
    consumed.world.start_consumer(*BY, "c2", shards=[0, 1])
    consumed.poll(after=60.0)
    consumed.poll(after=60.0)
    found = totals(consumed)
    assert found is not None
    assert found.owner_changes == 2


def test_log_groups_of_rarely_read_shards_are_counted_at_their_turn() -> None:
    """Count written log groups once for a sidecar, which reads other consumers' ends rarely."""
    mine = GroupTarget(name=GROUP, consumers=owners("c1"))
    with bench(shards=3, groups=(mine,)) as made:
        for shard in range(3):
            made.world.set_producer(*STORE, shard, 1.0)
        made.world.start_consumer(*BY, "c1", shards=[0])
        made.world.start_consumer(*BY, "c2", shards=[1, 2])
        made.held.advance(90.0)
        for _ in range(20):
            made.poll(after=60.0)
        found = totals(made)
        assert found is not None
        assert found.consumed == 3 * 60 * 19
        assert found.written is not None
        # The ends of two shards were first read in one of the first 10 polls, as the last time.
        assert 60 * 19 + 2 * 60 * 9 <= found.written <= 3 * 60 * 19
