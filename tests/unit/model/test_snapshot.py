"""Snapshots of groups and targets: how long they are served, and views of them."""

import pytest
from msgspec.structs import replace

from exporter.model.names import TargetKey
from exporter.model.progress import Outlook
from exporter.model.snapshot import (
    CONFLICT_REMEDY,
    Conflict,
    Failure,
    GroupSettings,
    GroupSnapshot,
    GroupStatus,
    Instant,
    TargetStatus,
    View,
)
from tests.support.snapshots import ENDPOINT, KEY, group, shard, target

OTHER = TargetKey(ENDPOINT, "shop", "clicks")
FAILURE = Failure(code="timeout", message="late", since=1.0)


# Time


def test_the_servers_clock_goes_on_with_our_monotonic_one() -> None:
    polled = Instant(server=1000.0, monotonic=50.0)
    assert polled.server_now(50.0) == 1000.0
    assert polled.server_now(50.5) == 1000.5
    assert polled.server_now(110.0) == 1060.0


def test_the_servers_clock_never_goes_back_behind_the_poll() -> None:
    assert Instant(server=1000.0, monotonic=50.0).server_now(49.0) == 1000.0


@pytest.mark.parametrize(
    ("server", "monotonic", "expected"), [(2010.0, 60.0, 2000.0), (995.0, 50.0, 995.0)]
)
def test_moment_has_the_servers_time_of_a_later_instant(
    server: float, monotonic: float, expected: float
) -> None:
    later = Instant(server=server, monotonic=monotonic)
    seen = Instant(server=1000.0, monotonic=50.0).seen_from(later)
    assert seen == Instant(server=expected, monotonic=50.0)


# Groups


def test_hidden_shards_are_not_shown() -> None:
    shards = tuple(shard(number) for number in range(3))
    snapshot = GroupSnapshot(polled=Instant(server=0.0, monotonic=0.0), shards=shards)
    assert snapshot.shown is shards
    assert replace(snapshot, hidden=frozenset({1, 7})).shown == (shards[0], shards[2])


def test_each_consumer_that_has_a_name_counts_once() -> None:
    shards = (
        shard(0, consumer="a"),
        shard(1, consumer="b"),
        shard(2, consumer="a"),
        shard(3, consumer=""),
    )
    snapshot = GroupSnapshot(polled=Instant(server=0.0, monotonic=0.0), shards=shards)
    assert snapshot.consumers == frozenset({"a", "b"})


def test_a_group_is_up_unless_its_newest_poll_failed() -> None:
    assert group(shard()).up
    assert not group(shard(), failure=FAILURE).up


def test_snapshot_of_a_failing_group_is_served_for_exactly_stale_after() -> None:
    status = group(shard(), failure=FAILURE)
    assert status.visible(50.0) is status.snapshot
    assert status.visible(230.0) is status.snapshot
    assert status.visible(230.1) is None
    assert not status.is_up(50.0)


def test_snapshot_of_a_group_whose_polls_succeed_is_served_until_they_are_stuck() -> None:
    status = group(shard())
    assert status.visible(950.0) is status.snapshot
    assert status.is_up(950.0)
    assert status.visible(950.1) is None
    assert not status.is_up(950.1)


def test_stale_after_beyond_stuck_polls_is_kept() -> None:
    status = replace(group(shard()), stale_after=2000.0)
    assert status.is_up(2050.0)
    assert not status.is_up(2050.1)


def test_a_group_that_was_never_polled_has_nothing_to_serve() -> None:
    assert group(has_snapshot=False).visible(50.0) is None
    assert not group(has_snapshot=False).is_up(50.0)


def test_group_attributes_are_unknown_by_default() -> None:
    status = GroupStatus(key=group().key, interval=60, stale_after=1.0)
    known = (status.last_success, status.failure, status.snapshot, status.listing)
    assert known == (None, None, None, None)


def test_group_has_the_default_limits_and_no_labels_by_default() -> None:
    status = GroupStatus(key=group().key, interval=60, stale_after=1.0)
    assert status.settings == GroupSettings(stall_after=300.0, lag_limit=600.0, labels=())


def test_snapshot_of_a_group_has_only_shards_by_default() -> None:
    snapshot = GroupSnapshot(polled=Instant(server=0.0, monotonic=0.0), shards=())
    assert snapshot.unnamed == 0
    assert snapshot.hidden == frozenset()
    assert (snapshot.causes, snapshot.owner_changes, snapshot.tracks) == ({}, {}, {})
    assert snapshot.outlook == Outlook(catch_up_seconds=None, data_loss_seconds=None)


def test_failure_is_not_a_refusal_by_default() -> None:
    assert not FAILURE.is_refusal


# Logstores


def test_logstore_has_no_labels_by_default() -> None:
    status = TargetStatus(key=KEY, groups=(), polled_monotonic=50.0, stale_after=1.0)
    assert status.labels == ()


def test_logstore_is_fresh_for_exactly_stale_after_while_all_of_its_groups_fail() -> None:
    status = target(group(failure=FAILURE))
    assert status.is_fresh(50.0)
    assert status.is_fresh(230.0)
    assert not status.is_fresh(230.1)


def test_logstore_is_fresh_until_its_polls_are_stuck_while_a_group_succeeds() -> None:
    status = target(group(failure=FAILURE), group(name="mail"))
    assert status.is_fresh(950.0)
    assert not status.is_fresh(950.1)


# Views


def test_target_whose_first_poll_is_under_way_counts_once() -> None:
    view = View(targets=(target(),), pending=frozenset({KEY, OTHER}))
    assert view.target_count == 2


def test_view_without_age_limit_serves_values_of_any_age() -> None:
    status = target(group(shard(), failure=FAILURE))
    view = View(targets=(status,), pending=frozenset({OTHER})).without_age_limit()
    assert view.pending == frozenset({OTHER})
    (kept,) = view.targets
    assert kept.is_fresh(1e9)
    assert kept.groups[0].visible(1e9) is status.groups[0].snapshot


def test_conflicts_are_counted_for_the_project_of_every_target() -> None:
    far, bank = KEY._replace(sls_endpoint="https://example.net"), KEY._replace(project="bank")
    view = View(
        targets=(target(), target(key=OTHER)),
        pending=frozenset({far}),
        conflicts=(Conflict(key=bank, polled=far), Conflict(key=far, polled=KEY)),
    )
    assert [*view.conflict_counts.items()] == [
        (("https://example.com", "bank"), 1),
        (("https://example.com", "shop"), 0),
        (("https://example.net", "shop"), 1),
    ]


def test_remedy_of_a_conflict_is_about_labels() -> None:
    assert CONFLICT_REMEDY == (
        "set different labels for the projects of the two endpoints, or exclude one"
    )


def test_a_view_of_nothing_is_empty() -> None:
    view = View()
    assert (view.targets, view.entries, view.conflicts) == ((), (), ())
    assert view.pending == frozenset()


def test_view_is_immutable() -> None:
    with pytest.raises(AttributeError):
        setattr(View(), "targets", (target(),))  # noqa: B010  the type checker refuses an assignment
