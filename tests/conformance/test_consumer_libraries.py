"""Each of the vendor's consumer libraries against the simulator, watched by the exporter."""

from pathlib import Path

import pytest

from exporter.model.progress import Cause, State
from tests.conformance.libraries import LIBRARIES, Library
from tests.conformance.scene import BUSY, FLUSH_SECONDS, PLACE, STALL_AFTER, scene

pytestmark = [
    pytest.mark.timeout(600),  # the first test builds the consumers
    pytest.mark.parametrize("library", LIBRARIES, ids=str),
]


@pytest.mark.parametrize("version", ["v1", "v4"])
def test_steady_consumer_is_never_stalled(tmp_path: Path, library: Library, version: str) -> None:
    with scene(tmp_path) as running:
        running.produce()
        running.start_consumer("c1", f"--auth-version={version}", library=library)
        running.wait_until_consumed()
        before = running.rest().consumed
        running.produce()
        for seen in running.watch(STALL_AFTER + 4.0):
            assert seen.all_are(*BUSY)
            assert seen.owners == {0: "c1", 1: "c1"}
        assert running.rest().consumed > before + 20


def test_idle_consumer_saves_its_last_progress_late_and_stays_caught_up(
    tmp_path: Path, library: Library
) -> None:
    with scene(tmp_path, stall_after=60.0) as running:
        running.produce(0.2)
        running.start_consumer("c1", library=library)
        running.wait_until_consumed()
        running.produce(None)
        running.wait(
            lambda seen: seen.all_are(State.CAUGHT_UP) and running.is_exact(seen),
            what="the last save",
            timeout=FLUSH_SECONDS,
        )
        for seen in running.watch(4.0):
            assert seen.all_are(State.CAUGHT_UP)
            assert seen.stalled_seconds == seen.lags == {0: 0.0, 1: 0.0}


def test_slow_consumer_falls_behind_without_a_stall(tmp_path: Path, library: Library) -> None:
    with scene(tmp_path) as running:
        running.produce(0.1)
        running.start_consumer("c1", "--fetch-size=1", "--batch-seconds=0.5", library=library)
        running.wait_until_consumed()
        before = sum(running.observe().unread.values())
        for seen in running.watch(STALL_AFTER + 4.0):
            assert seen.all_are(State.CONSUMING)
        assert sum(running.observe().unread.values()) > before + 50
        running.rest()


def test_killed_consumer_leaves_a_silent_group(tmp_path: Path, library: Library) -> None:
    with scene(tmp_path) as running:
        running.produce()
        running.start_consumer("c1", library=library)
        running.wait_until_consumed()
        running.kill_consumer("c1")
        seen = running.wait(
            lambda seen: seen.is_stalled(Cause.GROUP_SILENT, 2), what="a silent group"
        )
        assert seen.owners == {0: "c1", 1: "c1"}
        assert min(seen.stalled_seconds.values()) >= STALL_AFTER
        assert running.rest().is_stalled(Cause.GROUP_SILENT, 2)


def test_graceful_stop_saves_what_was_read(tmp_path: Path, library: Library) -> None:
    with scene(tmp_path) as running:
        running.produce(0.2)
        running.start_consumer("c1", library=library)
        running.wait_until_consumed()
        running.produce(None)
        for _ in running.watch(3.0):
            pass
        running.stop_consumer("c1")
        assert {truth.unread for truth in running.truths().values()} == {0}
        running.wait(running.is_exact, what="the last checkpoints")
        running.produce()
        running.wait(lambda seen: seen.is_stalled(Cause.GROUP_SILENT, 2), what="a silent group")
        running.rest()


def test_poisoned_shard_is_stuck_until_its_batches_succeed(
    tmp_path: Path, library: Library
) -> None:
    poison = tmp_path / "poison"
    with scene(tmp_path) as running:
        running.produce(0.1)  # so that no batch is empty: Java saves after that
        running.start_consumer("c1", f"--poison={poison}", library=library)
        running.wait_until_consumed()
        poison.write_text("0")
        running.wait(lambda seen: seen.is_stalled(Cause.SHARD_STUCK, 1), what="a stuck shard")
        assert running.observe().unread[0] > 5
        poison.unlink()
        running.wait(lambda seen: seen.all_are(*BUSY), what="the end of the stall")
        # The next save is after dropped batches too, and nothing shows it.
        assert (running.lost(0) > 0) == library.drops_failed_batches
        assert running.lost(1) == 0
        running.rest()


def test_graceful_stop_saves_past_failed_batches_only_in_python(
    tmp_path: Path, library: Library
) -> None:
    poison = tmp_path / "poison"
    with scene(tmp_path) as running:
        running.produce(0.1)  # so that no batch is empty
        running.start_consumer("c1", f"--poison={poison}", library=library)
        running.wait_until_consumed()
        poison.write_text("0")
        running.wait(lambda seen: seen.is_stalled(Cause.SHARD_STUCK, 1), what="a stuck shard")
        running.stop_consumer("c1")
        assert (running.lost(0) > 0) == library.saves_at_the_stop
        running.rest()


def test_failed_batch_leaves_no_trace(tmp_path: Path, library: Library) -> None:
    with scene(tmp_path) as running:
        running.produce(0.05)
        running.wait(lambda seen: min(seen.unread.values()) > 100, what="a first batch")
        running.produce()
        running.start_consumer("c1", "--fails-once", library=library)
        running.wait_until_consumed()
        assert "the first batch fails" in running.log_of("c1")
        for seen in running.watch(4.0):
            assert seen.all_are(*BUSY)
        assert (running.lost(0) > 0) == library.drops_failed_batches
        running.rest()


def test_consumer_that_never_saves_leaves_its_shards_unconsumed(
    tmp_path: Path, library: Library
) -> None:
    with scene(tmp_path) as running:
        running.produce()
        running.start_consumer("c1", "--never-saves", library=library)
        running.wait(lambda seen: min(seen.unread.values()) > 10, what="unread data")
        assert running.pulled_shards() == {0, 1}
        for seen in running.watch(4.0):
            assert seen.all_are(State.UNCONSUMED)
            assert seen.owners == {0: "", 1: ""}
        running.rest()
        running.stop_consumer("c1")
        are_saved = {truth.checkpoint is not None for truth in running.truths().values()}
        assert are_saved == {library.saves_at_the_stop}


@pytest.mark.parametrize("order", [(), ("--in-order",)], ids=["any order", "in order"])
def test_split_and_merged_shards_are_finished_and_their_children_consumed(
    tmp_path: Path, library: Library, order: tuple[str, ...]
) -> None:
    with scene(tmp_path, shards=3, stall_after=60.0) as running:
        running.produce()
        running.start_consumer("c1", *order, library=library)
        running.wait_until_consumed()
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
        running.rest()


def test_rebalance_among_three_consumers_is_not_a_stall(tmp_path: Path, library: Library) -> None:
    with scene(tmp_path, shards=3) as running:
        running.produce()
        running.start_consumer("c1", library=library)
        running.wait_until_consumed()
        running.start_consumer("c2", library=library)
        # Consumers that lose a shard before they begin to read it would never let it go.
        running.wait(lambda seen: "c2" in seen.owners.values(), what="two owners")
        running.start_consumer("c3", library=library)
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
        running.rest()
        assert {running.lost(shard) for shard in running.truths()} == {0}
