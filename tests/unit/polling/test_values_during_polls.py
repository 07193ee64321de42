"""Values of a logstore while its poll runs: ages first, then one shard after the other."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from exporter.model.progress import ShardProgress, Totals
from exporter.model.snapshot import GroupStatus, TargetStatus
from exporter.polling.poller import Effort
from exporter.polling.targets import GroupTarget
from exporter.sls.errors import TimedOut
from tests.support.fault_plan import PlannedFault
from tests.support.faults import ErrorAnswer, Hang
from tests.support.polling import REFRESH_SECONDS, Bench, bench
from tests.support.simulator_worlds import GROUP, LOGSTORE, PROJECT
from tests.support.wait import wait_for

STORE = (PROJECT, LOGSTORE)
BY = (*STORE, GROUP)
BROKEN = ErrorAnswer(status=500, code="InternalServerError")


@contextmanager
def polling(made: Bench) -> Iterator[Future[TargetStatus]]:
    """Poll on another thread, with parallel requests."""
    with ThreadPoolExecutor(8) as threads:
        made.effort = Effort(submit=threads.submit, width=4)
        made.published.clear()
        made.simulator.forget_requests()
        try:
            yield threads.submit(made.poll)
        finally:
            made.simulator.faults.clear()


@contextmanager
def polling_one_after_the_other(
    made: Bench,
) -> Iterator[tuple[Future[TargetStatus], GroupStatus, PlannedFault]]:
    """Poll two shards until the first is published. Also yield what delays the second."""
    first, second = (
        made.simulator.faults.add(Hang(), operation="GetCursor", shard=shard) for shard in (0, 1)
    )
    with polling(made) as poll:
        wait_for(lambda: asked(made, "GetCursor", 0) and asked(made, "GetCursor", 1))
        made.held.advance(5.0)  # so that the next settled value is published
        made.simulator.faults.remove(first)
        yield poll, wait_for(lambda: made.published)[-1], second


def asked(made: Bench, operation: str, shard: int | None = None) -> bool:
    return (operation, shard) in {(each.operation, each.shard) for each in made.simulator.requests}


def lines(status: GroupStatus) -> dict[int, ShardProgress]:
    assert status.snapshot is not None
    return {line.shard: line for line in status.snapshot.shards}


def test_ages_of_a_group_show_before_any_end_is_read(behind: Bench) -> None:
    behind.simulator.faults.add(Hang(), operation="GetCursor")
    with polling(behind) as poll:
        (status,) = wait_for(lambda: behind.published)
        assert status.up
        assert status.last_success == behind.held.wall()
        assert {shard: line.unread for shard, line in lines(status).items()} == {0: None, 1: None}
        assert [line.updated_at for line in lines(status).values()] == [1_700_000_060.0] * 2
        assert not poll.done()
    poll.result(10)
    assert behind.shards()[0].unread == 1
    assert behind.published[-1] == behind.group()


def test_values_of_a_known_group_stay_until_newer_ones_are_settled(behind: Bench) -> None:
    behind.poll()
    behind.held.advance(60.0)
    behind.simulator.faults.add(Hang(), operation="GetCursor")
    with polling(behind) as poll:
        wait_for(lambda: asked(behind, "GetCursor", 0))
        assert behind.published == []
    poll.result(10)
    assert behind.published == [behind.group()]


def test_failing_group_is_down_while_the_poll_of_its_logstore_runs() -> None:
    with bench(groups=(GroupTarget(name=GROUP), GroupTarget(name="other"))) as made:
        made.world.create_group(*STORE, "other")
        made.poll()
        made.simulator.faults.add(BROKEN, operation="GetCheckPoint", consumer_group="other")
        made.simulator.faults.add(Hang(), operation="GetCursor")
        with polling(made) as poll:
            (status,) = wait_for(lambda: made.published)
            assert status.key.consumer_group == "other"
            assert not status.up
            assert status.snapshot is not None
            wait_for(lambda: asked(made, "GetCursor", 0))
            assert not poll.done()
        poll.result(10)
        assert not made.group("other").up
        assert made.group(GROUP).up


def test_new_checkpoint_never_shows_with_an_old_end(behind: Bench) -> None:
    behind.poll()
    before = behind.shards()
    behind.held.advance(60.0)
    for shard in (0, 1):
        behind.world.write(*STORE, shard, 4)
        behind.world.update_checkpoint(*BY, shard, behind.world.end_cursor(*STORE, shard) - 2)
    with polling_one_after_the_other(behind) as (poll, status, second):
        assert lines(status)[0].unread == 2
        assert lines(status)[0].checkpoint != before[0].checkpoint
        assert lines(status)[1] == before[1]
        assert not poll.done()
        behind.simulator.faults.remove(second)
        poll.result(10)
    after = behind.shards()
    assert [after[shard].unread for shard in (0, 1)] == [2, 2]
    for status in behind.published:
        for shard, line in lines(status).items():
            of_before = line.checkpoint == before[shard].checkpoint
            assert line.unread == (before if of_before else after)[shard].unread


def test_totals_never_fall_if_the_permission_for_ends_is_taken_during_a_poll(
    behind: Bench,
) -> None:
    behind.poll()
    behind.held.advance(60.0)
    for shard in (0, 1):
        behind.world.write(*STORE, shard, 4)
    with polling_one_after_the_other(behind) as (poll, status, second):
        assert status.totals == Totals(written=4)
        behind.simulator.deny("GetCursor")
        behind.simulator.faults.remove(second)
        poll.result(60)
    assert behind.group().cursor_access is False
    assert {line.unread for line in lines(behind.group()).values()} == {None}
    assert behind.group().totals == Totals(written=4)
    behind.simulator.allow("GetCursor")
    behind.poll(after=REFRESH_SECONDS)
    assert behind.group().totals == Totals(written=8)


def test_group_whose_checkpoints_hang_leaves_the_others() -> None:
    slow = GroupTarget(name="slow")
    with bench(groups=(GroupTarget(name=GROUP), slow)) as made:
        made.world.create_group(*STORE, "slow")
        made.poll()
        made.poller.unresponsive.note(slow, TimedOut("late", operation="GetCheckPoint"))
        made.simulator.faults.add(Hang(), operation="GetCheckPoint", consumer_group="slow")
        made.world.write(*STORE, 0)
        with polling(made) as poll:
            made.held.advance(5.0)
            wait_for(lambda: asked(made, "GetCursor", 0), what="the end, for the other group")
            assert not poll.done()
        poll.result(10)
        assert made.group("slow").up
