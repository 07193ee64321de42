"""Consumer groups of one logstore with different settings, each by its own measure."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from msgspec.structs import replace

from exporter.model.progress import State
from exporter.model.snapshot import GroupSettings
from exporter.polling.targets import GroupTarget
from tests.support.polling import Bench, bench, owners
from tests.support.simulator_worlds import LOGSTORE, PROJECT

STORE = (PROJECT, LOGSTORE)
STALL_AFTER = {"payments": 120.0, "reports": 900.0, "nightly": 7200.0}
SHARDS = range(3)


def target(name: str, stall_after: float) -> GroupTarget:
    return GroupTarget(name=name, settings=GroupSettings(stall_after=stall_after))


@contextmanager
def three_measures() -> Iterator[Bench]:
    """Set up shards of several producers, and groups that commit exactly every stall_after."""
    groups = tuple(target(name, seconds) for name, seconds in STALL_AFTER.items())
    with bench(shards=len(SHARDS), groups=groups) as made:
        for shard, every in zip(SHARDS, (1.0, 50.0, 400.0), strict=True):
            made.world.set_producer(*STORE, shard, every)
        for name, seconds in STALL_AFTER.items():
            made.world.create_group(*STORE, name)
            made.world.start_consumer(*STORE, name, "worker", shards=SHARDS, flush_interval=seconds)
        made.held.advance(2 * 7200.0)
        yield made


def stalled(made: Bench) -> set[str]:
    return {
        f"{name}/{shard}"
        for name in STALL_AFTER
        for shard in SHARDS
        if made.state(shard, name) is State.STALLED
    }


@pytest.mark.parametrize("interval", [47.0, 60.0])
def test_group_that_commits_every_stall_after_is_never_stalled(interval: float) -> None:
    with three_measures() as made:
        for _ in range(200):
            made.poll(after=interval)
            assert stalled(made) == set()


def test_each_group_is_stalled_by_its_own_measure() -> None:
    with three_measures() as made:
        made.poll()
        for name in STALL_AFTER:
            made.world.crash_consumer(*STORE, name, "worker")
        wrong = []
        for _ in range(180):
            made.poll(after=60.0)
            now = made.held.wall()
            for name, seconds in STALL_AFTER.items():
                for shard in SHARDS:
                    truth = made.world.truth(*STORE, name, shard)
                    assert truth.updated_at is not None
                    waiting = truth.oldest_unread_at
                    since = now - max(truth.updated_at, waiting) if waiting else 0.0
                    # Receive times are whole seconds.
                    is_clear = abs(since - seconds) > 1.0
                    is_stalled = made.state(shard, name) is State.STALLED
                    if is_clear and is_stalled is not (since > seconds):
                        wrong.append((name, shard, since))
        assert wrong == []
        assert stalled(made) == {f"{name}/{shard}" for name in STALL_AFTER for shard in SHARDS}


def test_groups_at_one_checkpoint_have_different_states() -> None:
    with bench(groups=(target("strict", 120.0), target("patient", 3600.0))) as made:
        for name in ("strict", "patient"):
            made.world.create_group(*STORE, name)
            made.world.start_consumer(*STORE, name, "worker", shards=[0])
        made.world.write(*STORE, 0, 5)
        made.held.advance(60.0)
        for name in ("strict", "patient"):
            made.world.crash_consumer(*STORE, name, "worker")
        made.world.write(*STORE, 0, 5)
        made.poll(after=600.0)
        assert made.state(0, "strict") is State.STALLED
        assert made.state(0, "patient") is State.CONSUMING
        made.poll(after=3600.0)
        assert made.state(0, "patient") is State.STALLED


def test_new_settings_of_a_group_hold_from_the_next_poll() -> None:
    with three_measures() as made:
        made.world.crash_consumer(*STORE, "nightly", "worker")
        made.poll(after=1200.0)
        assert made.state(0, "nightly") is State.CONSUMING
        groups = tuple(target(name, 300.0) for name in STALL_AFTER)
        made.poller.target = replace(made.poller.target, groups=groups)
        made.poll(after=60.0)
        assert made.state(0, "nightly") is State.STALLED
        assert made.group("nightly").settings.stall_after == 300.0


def test_shard_of_another_owner_is_shown_once_it_is_stalled_by_the_measure_of_its_group() -> None:
    mine = owners("mine")
    groups = tuple(
        GroupTarget(name=name, consumers=mine, settings=GroupSettings(stall_after=seconds))
        for name, seconds in (("strict", 120.0), ("patient", 7200.0))
    )
    with bench(groups=groups) as made:
        for name in ("strict", "patient"):
            made.world.create_group(*STORE, name)
            made.world.start_consumer(*STORE, name, "other", shards=[0])
        made.world.write(*STORE, 0, 5)
        made.held.advance(60.0)
        for name in ("strict", "patient"):
            made.world.crash_consumer(*STORE, name, "other")
        made.world.write(*STORE, 0, 5)
        for _ in range(12):
            made.poll(after=60.0)
        assert made.shown("strict") == {0}
        assert made.shown("patient") == set()
