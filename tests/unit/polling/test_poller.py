"""A poll of one logstore: its results, and its handling of data that it cannot read."""

import json

import pytest

from exporter.model.progress import State
from exporter.model.shards import encode_cursor
from exporter.polling.targets import GroupTarget
from tests.support.faults import Body
from tests.support.polling import Bench, bench, owners
from tests.support.simulator_worlds import GROUP, LOGSTORE, PROJECT

STORE = (PROJECT, LOGSTORE)
BY = (*STORE, GROUP)


def test_a_poll_finds_where_each_shard_stands(behind: Bench) -> None:
    status = behind.poll(after=40.0)
    shard = behind.shards()[1]
    assert shard.unread == 1
    assert shard.consumer == "c1"
    assert shard.lag_seconds == 120.0
    assert behind.stalled(1) == 40.0
    assert behind.group().up
    assert status.shards_by_status == {"readwrite": 2, "readonly": 0}
    assert status.retention_seconds == 7 * 86_400.0
    assert status.cursor_access is True
    assert behind.observed.failures == []


# Permissions


def test_poll_without_cursor_permission_reads_checkpoints_and_reports_it_once(
    behind: Bench,
) -> None:
    behind.simulator.deny("GetCursor")
    for _ in range(12):
        status = behind.poll(after=60.0)
        assert behind.group().up
        assert status.cursor_access is False
        assert behind.state() is State.UNKNOWN
        assert behind.shards()[0].updated_at is not None
        assert behind.stalled() is None
    assert behind.observed.access == ["Unauthorized"]
    assert behind.observed.failures == []


@pytest.mark.parametrize("operation", ["ListShards", "GetCursor", "GetCursorTime"])
def test_checkpoints_are_read_without_any_of_the_three_permissions(
    behind: Bench, operation: str
) -> None:
    behind.simulator.deny(operation)
    status = behind.poll()
    assert status.cursor_access is False
    assert behind.state() is State.UNKNOWN
    assert behind.shards()[0].updated_at is not None


def test_missing_permission_is_checked_again_only_after_the_refresh_time(
    behind: Bench,
) -> None:
    behind.simulator.deny("GetCursor")
    behind.poll()
    behind.calls()
    behind.poll(after=299.0)
    assert behind.calls() == {"GetCheckPoint": 1}
    behind.poll(after=1.0)
    calls = behind.calls()
    assert (calls["ListShards"], calls["GetCursor"]) == (1, 1)


def test_granted_permission_is_detected_after_the_refresh_time(behind: Bench) -> None:
    behind.simulator.deny("GetCursor")
    behind.poll()
    behind.simulator.allow("GetCursor")
    status = behind.poll(after=300.0)
    assert status.cursor_access is True
    assert behind.stalled() == 300.0
    assert behind.observed.access == ["Unauthorized", None]


@pytest.mark.parametrize("operation", ["ListShards", "GetCursor"])
def test_revoked_permission_makes_the_state_unknown_in_the_next_poll(
    behind: Bench, operation: str
) -> None:
    behind.poll()
    behind.simulator.deny(operation)
    status = behind.poll(after=60.0)
    assert status.cursor_access is False
    assert behind.state() is State.UNKNOWN


def test_only_retention_is_unknown_without_permission_for_logstore_settings(
    behind: Bench,
) -> None:
    behind.simulator.deny("GetLogStore")
    status = behind.poll()
    assert status.retention_seconds is None
    assert status.cursor_access is True
    assert behind.stalled() == 0.0
    assert behind.observed.failures == []


def test_poll_without_lag_requests_only_checkpoints() -> None:
    with bench(lag=False) as made:
        made.world.update_checkpoint(*BY, 0, 5)
        status = made.poll()
        assert made.calls() == {"GetCheckPoint": 1}
        assert status.cursor_access is None
        assert made.state() is State.UNKNOWN


# Deleted objects


def test_deleted_group_is_removed_by_the_next_poll(behind: Bench) -> None:
    behind.poll()
    behind.world.delete_group(*BY)
    behind.poll(after=60.0)
    group = behind.group()
    assert group.snapshot is None
    assert not group.up
    assert group.last_success is not None
    assert group.failure is not None
    assert group.failure.code == "ConsumerGroupNotExist"


@pytest.mark.parametrize("gone", ["logstore", "project"])
def test_deleted_object_is_removed_by_the_next_poll(behind: Bench, gone: str) -> None:
    behind.poll()
    if gone == "logstore":
        behind.world.delete_logstore(*STORE)
    else:
        behind.world.delete_project(PROJECT)
    status = behind.poll(after=60.0)
    assert behind.group().snapshot is None
    assert status.shards_by_status is None
    assert status.retention_seconds is None
    assert status.cursor_access is None


def test_a_shard_that_vanished_is_dropped() -> None:
    with bench(shards=2, ttl_days=1) as made:
        made.world.split_shard(*STORE, 0)
        made.poll()
        assert set(made.shards()) == {0, 1, 2, 3}
        status = made.poll(after=86_400.0)
        assert set(made.shards()) == {1, 2, 3}
        assert status.shards_by_status == {"readwrite": 3, "readonly": 0}


def test_a_checkpoint_of_a_shard_that_is_not_listed_is_left_out(behind: Bench) -> None:
    behind.simulator.faults.add(
        Body(text='[{"shardID": 1, "status": "readwrite"}]'), operation="ListShards"
    )
    behind.poll()
    assert set(behind.shards()) == {1}


# Selections


def test_only_configured_shards_are_requested_and_shown() -> None:
    groups = (GroupTarget(name=GROUP, shards=frozenset({1, 7})),)
    with bench(shards=3, groups=groups) as made:
        made.world.start_consumer(*BY, "c1", shards=[0, 1, 2])
        for shard in range(3):
            made.world.write(*STORE, shard)
        made.poll(after=60.0)
        assert set(made.shards()) == {1}
        asked = {record.shard for record in made.simulator.requests if record.shard is not None}
        assert asked == {1}


def test_sidecar_shows_only_the_shards_of_its_own_consumer_while_others_are_in_order() -> None:
    groups = (GroupTarget(name=GROUP, consumers=owners("worker-[01]")),)
    with bench(shards=4, groups=groups) as made:
        for shard in range(3):
            made.world.write(*STORE, shard)
            made.world.start_consumer(*BY, f"worker-{shard}", shards=[shard])
        made.poll(after=60.0)
        assert made.shown() == {0, 1}
        made.world.assign(*BY, {"worker-2": [0]})
        made.world.write(*STORE, 0)
        made.poll(after=60.0)
        assert made.shown() == {1}


def test_shards_of_excluded_consumers_are_left_out() -> None:
    groups = (
        GroupTarget(
            name=GROUP,
            consumers=owners("worker-.*"),
            exclude_consumers=owners("worker-1", "canary-.*"),
        ),
    )
    with bench(shards=3, groups=groups) as made:
        for shard, owner in enumerate(("worker-0", "worker-1", "canary-0")):
            made.world.write(*STORE, shard)
            made.world.start_consumer(*BY, owner, shards=[shard])
        made.poll(after=60.0)
        assert made.shown() == {0}


def test_shards_without_an_owner_are_not_excluded() -> None:
    groups = (GroupTarget(name=GROUP, exclude_consumers=owners(".*")),)
    with bench(shards=2, groups=groups) as made:
        made.world.write(*STORE, 0)
        made.world.write(*STORE, 1)
        made.world.start_consumer(*BY, "worker-0", shards=[0])
        made.poll(after=60.0)
        assert made.shown() == {1}


def test_a_group_without_any_checkpoint_has_every_shard_unconsumed() -> None:
    with bench(shards=2, groups=(GroupTarget(name="new"),)) as made:
        made.world.create_group(*STORE, "new", empty_until_heartbeat=True)
        made.world.write(*STORE, 0, 3)
        made.poll(after=60.0)
        shards = made.shards("new")
        assert {shard: each.unread for shard, each in shards.items()} == {0: 3, 1: 0}
        assert shards[0].oldest_unread_at == made.held.wall() - 60.0
        assert not any(each.is_consumed for each in shards.values())


@pytest.mark.parametrize(
    ("wanted", "shown"),
    [
        (GroupTarget(name="new", shards=frozenset({1})), {1}),
        (GroupTarget(name="new", consumers=owners("worker-1")), set()),
    ],
    ids=["some shards", "a sidecar, which owns none"],
)
def test_group_without_checkpoints_shows_only_configured_shards(
    wanted: GroupTarget, shown: set[int]
) -> None:
    with bench(shards=3, groups=(wanted,)) as made:
        made.world.create_group(*STORE, "new", empty_until_heartbeat=True)
        made.poll()
        assert made.shown("new") == shown


def test_new_shard_without_a_checkpoint_is_unconsumed_next_to_the_others(
    behind: Bench,
) -> None:
    behind.world.split_shard(*STORE, 0)
    behind.poll()
    assert behind.state(2) is State.UNCONSUMED
    assert behind.state(0) is State.CONSUMING


def test_a_logstore_that_lists_no_shards_shows_none(behind: Bench) -> None:
    behind.poll()
    behind.simulator.faults.add(Body(text="[]"), operation="ListShards")
    status = behind.poll(after=60.0)
    assert behind.shards() == {}
    assert status.shards_by_status == {"readwrite": 0, "readonly": 0}


# Retention


def test_data_that_expires_unread_is_noticed_by_the_poll_after() -> None:
    with bench(ttl_days=1) as made:
        made.world.start_consumer(*BY, "c1", shards=[0])
        made.world.set_producer(*STORE, 0, 10.0)
        made.held.advance(60.0)
        made.world.crash_consumer(*BY, "c1")
        made.poll(after=60.0)
        made.poll(after=86_400.0 - 120.0)
        assert made.state() is State.STALLED
        made.poll(after=60.0)
        assert made.state() is State.STALLED
        made.poll(after=60.0)
        assert made.state() is State.EXPIRED


def test_without_a_known_retention_expired_data_is_noticed_within_minutes() -> None:
    with bench(ttl_days=1) as made:
        made.simulator.deny("GetLogStore")
        made.world.start_consumer(*BY, "c1", shards=[0])
        made.world.set_producer(*STORE, 0, 10.0)
        made.held.advance(60.0)
        made.world.crash_consumer(*BY, "c1")
        made.poll(after=86_400.0)
        assert made.state() is State.STALLED
        for _ in range(5):
            made.poll(after=60.0)
        assert made.state() is State.EXPIRED


def test_end_of_a_read_only_shard_that_was_read_too_early_is_corrected() -> None:
    with bench() as made:
        made.world.write(*STORE, 0, 10)
        end = made.world.end_cursor(*STORE, 0)
        made.world.update_checkpoint(*BY, 0, end - 2)
        made.world.split_shard(*STORE, 0)
        early = Body(text=json.dumps({"cursor": encode_cursor(end - 2)}))
        made.simulator.faults.add(early, operation="GetCursor", shard=0, cursor="end", times=1)
        made.poll(after=60.0)
        assert made.state() is State.FINISHED
        made.poll(after=60.0)
        assert made.shards()[0].unread == 2
        for _ in range(6):
            made.poll(after=60.0)
        assert made.state() is State.STALLED


# A logstore that was deleted and created again between two polls


def recreate(made: Bench) -> None:
    made.world.delete_logstore(*STORE)
    made.world.create_logstore(*STORE, shards=1)
    made.world.create_group(*BY)
    made.world.write(*STORE, 0, 3)


def test_the_final_end_of_a_shard_is_not_that_of_another_one_of_its_number() -> None:
    with bench() as made:
        made.world.write(*STORE, 0, 10)
        made.world.update_checkpoint(*BY, 0, made.world.end_cursor(*STORE, 0))
        made.world.split_shard(*STORE, 0)
        made.poll(after=60.0)
        assert made.state() is State.FINISHED
        recreate(made)
        made.world.update_checkpoint(*BY, 0, made.world.begin_cursor(*STORE, 0))
        made.poll(after=60.0)
        assert made.state() is State.CONSUMING
        assert made.shards()[0].unread == 3
        made.world.split_shard(*STORE, 0)
        made.poll(after=60.0)
        recreate(made)
        made.world.split_shard(*STORE, 0)
        made.world.update_checkpoint(*BY, 0, made.world.begin_cursor(*STORE, 0))
        made.poll(after=60.0)
        assert made.shards()[0].unread == 3


def test_the_first_log_group_of_a_shard_is_not_that_of_another_one_of_its_number() -> None:
    with bench() as made:
        made.world.write(*STORE, 0, 10)
        made.poll(after=60.0)
        assert made.shards()[0].unread == 10
        recreate(made)
        recreated_at = made.held.wall()
        made.poll(after=60.0)
        assert made.shards()[0].unread == 3
        assert made.shards()[0].oldest_unread_at == recreated_at


# The service's clock


@pytest.mark.parametrize("ahead", [300.0, -300.0])
def test_instants_are_those_of_the_services_clock(ahead: float) -> None:
    with bench(our_clock_ahead=ahead) as made:
        made.world.update_checkpoint(*BY, 0, made.world.end_cursor(*STORE, 0))
        made.poll(after=40.0)
        snapshot = made.group().snapshot
        assert snapshot is not None
        assert snapshot.polled.server == pytest.approx(made.held.wall(), abs=1.0)
        assert made.group().last_success == made.held.wall() + ahead
