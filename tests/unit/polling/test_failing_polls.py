"""Polls in which requests fail: what is kept, what becomes unknown, and what is reported."""

import pytest

from exporter.model.progress import State
from exporter.polling.targets import GroupTarget
from tests.support.faults import Body, ErrorAnswer, Html
from tests.support.polling import Bench, bench
from tests.support.simulator_worlds import GROUP, LOGSTORE, PROJECT

STORE = (PROJECT, LOGSTORE)
BY = (*STORE, GROUP)
BROKEN = ErrorAnswer(status=500, code="InternalServerError")


@pytest.mark.parametrize("operation", ["GetCursor", "ListShards"])
def test_last_state_is_kept_while_the_end_of_a_shard_cannot_be_read(
    behind: Bench, operation: str
) -> None:
    behind.poll(after=30.0)
    behind.simulator.faults.add(BROKEN, operation=operation)
    behind.poll(after=180.0)
    assert behind.stalled() == 210.0
    assert behind.shards()[0].unread == 1
    assert behind.group().up
    assert set(behind.observed.failures) == {("", "InternalServerError")}


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (BROKEN, "InternalServerError"),
        (Body(text="{}"), "invalid_response"),
        (Body(text='{"cursor": null}'), "invalid_response"),
        (Body(text='{"cursor": "bm8="}'), "invalid_response"),
    ],
    ids=["an error", "no cursor", "null", "no number"],
)
def test_the_end_of_one_shard_that_cannot_be_read_leaves_the_others(
    behind: Bench, answer: ErrorAnswer | Body, code: str
) -> None:
    behind.poll(after=30.0)
    behind.simulator.faults.add(answer, operation="GetCursor", shard=0)
    behind.world.write(*STORE, 0)
    behind.world.write(*STORE, 1)
    behind.poll(after=60.0)
    assert behind.shards()[0].unread == 1
    assert behind.shards()[1].unread == 2
    assert behind.observed.failures == [("", code)]


def test_state_is_unknown_and_age_is_kept_after_stale_after(behind: Bench) -> None:
    behind.poll()
    behind.simulator.faults.add(BROKEN, operation="GetCursor", shard=0)
    behind.poll(after=181.0)
    assert behind.state(0) is State.UNKNOWN
    assert behind.stalled(0) is None
    assert behind.shards()[0].updated_at is not None
    assert behind.stalled(1) == 181.0


def test_without_a_listing_for_long_shards_are_unknown_one_stale_after_later(
    behind: Bench,
) -> None:
    behind.poll()
    behind.simulator.faults.add(BROKEN, operation="ListShards")
    for _ in range(7):
        behind.poll(after=60.0)
    assert behind.state() is State.UNKNOWN


def test_state_that_needs_no_time_is_known_if_times_cannot_be_read(behind: Bench) -> None:
    behind.poll(after=30.0)
    behind.world.write(*STORE, 0)
    behind.simulator.faults.add(BROKEN, operation="GetCursorTime", shard=0)
    behind.poll(after=60.0)
    assert behind.shards()[0].unread == 2
    assert behind.stalled(0) == 90.0


def test_state_that_needs_a_time_is_unknown_until_times_can_be_read(behind: Bench) -> None:
    fault = behind.simulator.faults.add(BROKEN, operation="GetCursorTime")
    behind.poll(after=400.0)
    assert behind.state() is State.UNKNOWN
    assert behind.shards()[0].updated_at is not None
    behind.simulator.faults.remove(fault)
    behind.poll(after=60.0)
    assert behind.state() is State.STALLED
    assert behind.stalled() == 460.0


def test_state_is_kept_while_expiry_of_data_cannot_be_read() -> None:
    with bench(ttl_days=1) as made:
        made.world.start_consumer(*BY, "c1", shards=[0])
        made.world.set_producer(*STORE, 0, 10.0)
        made.held.advance(60.0)
        made.world.crash_consumer(*BY, "c1")
        made.poll(after=86_140.0)
        unread = made.shards()[0].unread
        assert unread is not None
        fault = made.simulator.faults.add(BROKEN, operation="GetCursor", cursor="begin")
        made.poll(after=170.0)
        assert made.shards()[0].unread == unread
        assert made.stalled() == 86_300.0
        assert made.state() is State.STALLED
        made.simulator.faults.remove(fault)
        made.poll()
        assert made.shards()[0].unread == unread + 17


def test_carried_state_does_not_hide_that_the_checkpoint_moved(behind: Bench) -> None:
    behind.poll(after=250.0)
    behind.simulator.faults.add(BROKEN, operation="GetCursor")
    behind.held.advance(50.0)
    behind.world.update_checkpoint(*BY, 0, behind.world.end_cursor(*STORE, 0))
    behind.poll(after=10.0)
    assert behind.stalled(0) == 10.0
    assert behind.stalled(1) == 310.0


def test_a_shard_without_a_checkpoint_stays_known_while_the_listing_fails() -> None:
    with bench(groups=(GroupTarget(name="silent"),)) as made:
        made.world.create_group(*STORE, "silent", empty_until_heartbeat=True)
        made.poll()
        made.simulator.faults.add(BROKEN, operation="ListShards")
        made.poll(after=60.0)
        assert not made.shards("silent")[0].is_consumed


def test_a_shard_that_vanished_is_not_made_up_from_an_earlier_listing() -> None:
    with bench(shards=2, ttl_days=1) as made:
        made.world.write(*STORE, 0, 5)
        for shard in range(2):
            made.world.update_checkpoint(*BY, shard, made.world.end_cursor(*STORE, shard))
        made.world.split_shard(*STORE, 0)
        made.poll(after=86_370.0)
        assert made.state(0) is State.FINISHED
        made.simulator.faults.add(BROKEN, operation="ListShards")
        made.poll(after=60.0)
        assert set(made.shards()) == {1, 2, 3}
        assert made.state(2) is State.UNCONSUMED


def test_failed_poll_keeps_the_last_snapshot_and_reports_the_failure(behind: Bench) -> None:
    behind.poll()
    known = behind.group().snapshot
    behind.simulator.faults.add(Html(status=502), operation="GetCheckPoint")
    behind.poll(after=60.0)
    group = behind.group()
    assert not group.up
    assert group.failure is not None
    assert group.failure.code == "invalid_response"
    assert group.failure.since == behind.held.wall()
    assert group.snapshot == known
    assert behind.observed.failures == [(GROUP, "invalid_response")]


def test_a_failure_keeps_the_moment_at_which_it_began(behind: Bench) -> None:
    behind.simulator.faults.add(BROKEN, operation="GetCheckPoint")
    behind.poll()
    began = behind.held.wall()
    behind.poll(after=60.0)
    failure = behind.group().failure
    assert failure is not None
    assert failure.since == began


def test_state_of_a_shard_is_remembered_across_an_outage(behind: Bench) -> None:
    behind.poll(after=30.0)
    moved_at = behind.shards()[0].moved_at
    outage = behind.simulator.faults.add(BROKEN, operation="GetCheckPoint")
    behind.poll(after=600.0)
    behind.simulator.faults.remove(outage)
    behind.world.update_checkpoint(*BY, 0, behind.world.checkpoints(*BY, 0)[0].checkpoint)
    behind.poll(after=60.0)
    assert behind.shards()[0].moved_at == moved_at


def test_a_group_that_fails_leaves_the_other_groups() -> None:
    groups = (GroupTarget(name=GROUP), GroupTarget(name="other"))
    with bench(groups=groups) as made:
        made.world.create_group(*STORE, "other")
        made.simulator.faults.add(BROKEN, operation="GetCheckPoint", consumer_group=GROUP)
        made.poll()
        assert not made.group(GROUP).up
        assert made.group("other").up
        assert made.shards("other")[0].unread == 0


def test_poll_sends_no_other_requests_if_every_group_fails(behind: Bench) -> None:
    behind.simulator.faults.add(Html(status=200), operation="GetCheckPoint")
    behind.poll()
    assert behind.calls() == {"GetCheckPoint": 1}


@pytest.mark.parametrize(
    "fault",
    [
        BROKEN,
        ErrorAnswer(status=404, code="ConsumerGroupNotExist"),
        ErrorAnswer(status=400, code="LogStoreNotExist"),
    ],
    ids=["broken", "no such group", "not quite a definite response"],
)
def test_logstore_data_keeps_its_age_if_every_group_fails(
    behind: Bench, fault: ErrorAnswer
) -> None:
    read_at = behind.poll().polled_monotonic
    behind.simulator.faults.add(fault, operation="GetCheckPoint")
    for _ in range(2):
        status = behind.poll(after=90.0)
        assert status.shards_by_status == {"readwrite": 2, "readonly": 0}
        assert status.retention_seconds == 7 * 86_400.0
        assert status.cursor_access is True
        assert status.polled_monotonic == read_at
        assert status.is_fresh(read_at + 180.0)
        assert not status.is_fresh(read_at + 180.1)


def test_logstore_data_is_unknown_if_no_group_has_ever_been_read(behind: Bench) -> None:
    behind.simulator.faults.add(BROKEN, operation="GetCheckPoint")
    for _ in range(2):
        status = behind.poll(after=60.0)
        assert status.shards_by_status is None
        assert status.retention_seconds is None
        assert status.cursor_access is None


def test_logstore_counts_as_missing_only_if_every_group_gets_that_error() -> None:
    groups = (GroupTarget(name=GROUP), GroupTarget(name="other"))
    with bench(groups=groups) as made:
        made.world.create_group(*STORE, "other")
        made.poll()
        made.simulator.faults.add(
            ErrorAnswer(status=404, code="LogStoreNotExist"),
            operation="GetCheckPoint",
            consumer_group=GROUP,
        )
        made.simulator.faults.add(BROKEN, operation="GetCheckPoint", consumer_group="other")
        status = made.poll(after=60.0)
        assert made.group(GROUP).snapshot is None
        assert status.shards_by_status == {"readwrite": 1, "readonly": 0}


def test_invalid_entries_of_a_response_are_reported_and_valid_ones_used(behind: Bench) -> None:
    behind.simulator.faults.add(
        Body(text='[{"shard": 0, "checkpoint": ""}, {"shard": "x"}, 7]'),
        operation="GetCheckPoint",
    )
    behind.poll()
    assert behind.group().up
    assert [(group, len(faults)) for group, faults in behind.observed.skipped] == [(GROUP, 2)]
