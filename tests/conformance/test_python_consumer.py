"""The vendor's Python consumer library against the simulator, watched by the exporter."""

from pathlib import Path

import pytest

from exporter.model.progress import Cause, State
from tests.conformance.scene import FLUSH_SECONDS, PLACE, STALL_AFTER, Scene, scene
from tests.support.wait import wait_for

pytestmark = pytest.mark.timeout(180)

BUSY = (State.CAUGHT_UP, State.CONSUMING)


def consumed(running: Scene) -> None:
    """Wait until a consumer reads every shard."""
    running.wait(lambda seen: seen.all_are(*BUSY), what="checkpoints in every shard")


@pytest.mark.parametrize("version", ["v1", "v4"])
def test_steady_consumer_is_never_stalled(tmp_path: Path, version: str) -> None:
    with scene(tmp_path) as running:
        running.produce()
        running.start_consumer("c1", f"--auth-version={version}")
        consumed(running)
        before = running.observe().consumed
        for seen in running.watch(STALL_AFTER + 4.0):
            assert seen.all_are(*BUSY)
            assert seen.owners == {0: "c1", 1: "c1"}
        assert running.observe().consumed > before + 20


def test_idle_consumer_saves_its_last_progress_late_and_stays_caught_up(tmp_path: Path) -> None:
    with scene(tmp_path, stall_after=60.0) as running:
        running.produce(0.2)
        running.start_consumer("c1")
        consumed(running)
        running.produce(None)
        running.wait(
            lambda seen: seen.all_are(State.CAUGHT_UP) and running.is_exact(seen),
            what="the last save",
            timeout=FLUSH_SECONDS,
        )
        for seen in running.watch(4.0):
            assert seen.all_are(State.CAUGHT_UP)
            assert seen.stalled_seconds == {0: 0.0, 1: 0.0}


def test_slow_consumer_falls_behind_without_a_stall(tmp_path: Path) -> None:
    with scene(tmp_path) as running:
        running.produce(0.1)
        running.start_consumer("c1", "--fetch-size=1", "--batch-seconds=0.5")
        consumed(running)
        before = sum(running.observe().unread.values())
        for seen in running.watch(STALL_AFTER + 4.0):
            assert seen.all_are(State.CONSUMING)
        assert sum(running.observe().unread.values()) > before + 50


def test_killed_consumer_leaves_a_silent_group(tmp_path: Path) -> None:
    with scene(tmp_path) as running:
        running.produce()
        running.start_consumer("c1")
        consumed(running)
        running.kill_consumer("c1")
        seen = running.wait(
            lambda seen: seen.is_stalled(Cause.GROUP_SILENT, 2), what="a silent group"
        )
        assert seen.owners == {0: "c1", 1: "c1"}
        assert min(seen.stalled_seconds.values()) >= STALL_AFTER


def test_graceful_stop_saves_what_was_read(tmp_path: Path) -> None:
    with scene(tmp_path) as running:
        running.produce(0.2)
        running.start_consumer("c1")
        consumed(running)
        running.produce(None)
        for _ in running.watch(3.0):
            pass
        running.stop_consumer("c1")
        assert {truth.unread for truth in running.truths().values()} == {0}
        running.wait(running.is_exact, what="the last checkpoints")
        running.produce()
        running.wait(lambda seen: seen.is_stalled(Cause.GROUP_SILENT, 2), what="a silent group")


def test_poisoned_shard_is_stuck_until_the_library_skips_the_batches(tmp_path: Path) -> None:
    poison = tmp_path / "poison"
    with scene(tmp_path) as running:
        running.produce()
        running.start_consumer("c1", f"--poison={poison}")
        consumed(running)
        poison.write_text("0")
        running.wait(lambda seen: seen.is_stalled(Cause.SHARD_STUCK, 1), what="a stuck shard")
        assert running.observe().unread[0] > 5
        poison.unlink()
        # The failed batches are lost: the next save is behind them, and nothing shows it.
        running.wait(lambda seen: seen.all_are(*BUSY), what="the end of the stall")


def test_failed_batch_is_skipped_and_leaves_no_trace(tmp_path: Path) -> None:
    with scene(tmp_path) as running:
        running.produce()
        running.start_consumer("c1", "--fails-once")
        consumed(running)
        assert "the first batch fails" in running.log_of("c1")
        for seen in running.watch(4.0):
            assert seen.all_are(*BUSY)


def test_consumer_that_never_saves_leaves_its_shards_unconsumed(tmp_path: Path) -> None:
    with scene(tmp_path) as running:
        running.produce()
        running.start_consumer("c1", "--never-saves")
        running.wait(lambda seen: min(seen.unread.values()) > 10, what="unread data")
        assert running.pulled_shards() == {0, 1}
        for seen in running.watch(4.0):
            assert seen.all_are(State.UNCONSUMED)
            assert seen.owners == {0: "", 1: ""}


def test_consumer_whose_query_lets_nothing_through_looks_dead(tmp_path: Path) -> None:
    with scene(tmp_path) as running:
        running.produce()
        running.start_consumer("c1")
        consumed(running)
        running.stop_consumer("c1")
        running.start_consumer("c2", "--query=* | where false")
        running.wait(lambda seen: seen.is_stalled(Cause.GROUP_SILENT, 2), what="a silent group")
        assert running.observe().owners == {0: "c1", 1: "c1"}


@pytest.mark.parametrize("order", [(), ("--in-order",)], ids=["any order", "in order"])
def test_split_and_merged_shards_are_finished_and_their_children_consumed(
    tmp_path: Path, order: tuple[str, ...]
) -> None:
    with scene(tmp_path, shards=3, stall_after=60.0) as running:
        running.produce()
        running.start_consumer("c1", *order)
        consumed(running)
        running.world.split_shard(*PLACE, 0)
        running.world.merge_shards(*PLACE, 1)
        seen = running.wait(
            lambda seen: (
                seen.states.get(State.FINISHED) == 3
                and sum(seen.states.get(state, 0) for state in BUSY) == 3
            ),
            what="three finished shards and three children",
            timeout=2 * FLUSH_SECONDS,
        )
        assert [shard for shard, unread in sorted(seen.unread.items()) if not unread][:3] == [
            0,
            1,
            2,
        ]


def test_rebalance_among_three_consumers_is_not_a_stall(tmp_path: Path) -> None:
    with scene(tmp_path, shards=3) as running:
        running.produce()
        running.start_consumer("c1")
        consumed(running)
        running.start_consumer("c2")
        running.start_consumer("c3")
        seen = running.wait(
            lambda seen: sorted(seen.owners.values()) == ["c1", "c2", "c3"], what="three owners"
        )
        assert seen.owner_changes == 2
        for seen in running.watch(STALL_AFTER + 2.0):
            assert seen.all_are(*BUSY)
        running.kill_consumer("c2")
        running.wait(
            lambda seen: set(seen.owners.values()) == {"c1", "c3"} and seen.all_are(*BUSY),
            what="other owners of its shard",
        )


def test_expired_data_under_a_stopped_consumer_is_reported_until_the_library_skips_it(
    tmp_path: Path,
) -> None:
    with Scene(tmp_path, days_ago=2.0) as running:
        running.produce()
        running.start_consumer("c1")
        wait_for(
            lambda: all(truth.checkpoint for truth in running.truths().values()),
            timeout=30.0,
            what="checkpoints in every shard",
        )
        running.kill_consumer("c1")
        running.produce(60.0)
        running.return_to_present()
        running.start_exporter()
        running.wait(
            lambda seen: seen.states == {State.EXPIRED: 2} and running.is_exact(seen),
            what="expired data",
        )
        running.produce()
        # The library jumps to the END cursor, so it skips the log groups that are retained too.
        running.start_consumer("c2")
        seen = running.wait(
            lambda seen: seen.all_are(*BUSY) and set(seen.owners.values()) == {"c2"},
            what="progress after the jump",
        )
        assert max(seen.unread.values()) < 100
