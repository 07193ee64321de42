"""Checks of a scrape against the recent states of a world."""

from collections.abc import Mapping

import pytest

from exporter.model.progress import State
from exporter.simulator.views import ShardTruth
from tests.conformance.truth import Watcher
from tests.support.held_clock import HeldClock

START = 1_700_000_000.0
STALL_AFTER = 8.0


def truth(
    *,
    checkpoint: int | None = 50,
    end: int = 60,
    owner: str = "c1",
    updated_at: float | None = START,
    readonly: bool = False,
) -> ShardTruth:
    return ShardTruth(
        checkpoint=checkpoint,
        begin=0,
        end=end,
        updated_at=updated_at,
        owner=owner,
        oldest_unread_at=START if checkpoint is None or checkpoint < end else None,
        readonly=readonly,
    )


class Looks:
    """A watcher of a world that a test changes, on a held clock."""

    def __init__(self) -> None:
        self.held = HeldClock(START)
        self.truths = {0: truth()}
        self.watcher = Watcher(lambda: dict(self.truths), monotonic=self.held.monotonic)
        self.watcher.look()

    def pass_seconds(self, seconds: int) -> None:
        for _ in range(seconds):
            self.held.advance(1.0)
            self.watcher.look()

    def check_states(self, states: Mapping[State, int]) -> None:
        self.watcher.check_states(states, STALL_AFTER, self.held.wall())


@pytest.fixture
def looks() -> Looks:
    return Looks()


def test_unread_data_is_right_within_the_states_of_the_last_seconds(looks: Looks) -> None:
    looks.truths = {0: truth(end=63)}
    looks.pass_seconds(1)
    for unread in (10, 11, 13):
        looks.watcher.check_unread(0, unread)
    for unread in (9, 14):
        with pytest.raises(AssertionError):
            looks.watcher.check_unread(0, unread)
    looks.pass_seconds(11)
    with pytest.raises(AssertionError):
        looks.watcher.check_unread(0, 10)


def test_checkpoint_is_right_if_a_shard_had_it_recently(looks: Looks) -> None:
    looks.truths = {0: truth(owner="c2", updated_at=START + 1.0)}
    looks.pass_seconds(1)
    looks.watcher.check_checkpoint(0, "c1", START)
    looks.watcher.check_checkpoint(0, "c2", START + 1.001)
    for owner, updated_at in [("", None), ("c2", START), ("c1", START + 1.0), ("c2", None)]:
        with pytest.raises(AssertionError):
            looks.watcher.check_checkpoint(0, owner, updated_at)
    looks.pass_seconds(11)
    with pytest.raises(AssertionError):
        looks.watcher.check_checkpoint(0, "c1", START)


def test_shard_without_checkpoint_has_neither_owner_nor_time(looks: Looks) -> None:
    looks.truths = {1: truth(checkpoint=None, owner="", updated_at=None)}
    looks.pass_seconds(1)
    looks.watcher.check_checkpoint(1, "", None)
    for owner, updated_at in [("c1", None), ("", START)]:
        with pytest.raises(AssertionError):
            looks.watcher.check_checkpoint(1, owner, updated_at)


def test_resets_are_at_most_those_of_checkpoints(looks: Looks) -> None:
    looks.watcher.check_resets(0)
    for checkpoint in (50, 60, None, 40):
        looks.truths = {0: truth(checkpoint=checkpoint)}
        looks.pass_seconds(1)
    with pytest.raises(AssertionError):
        looks.watcher.check_resets(1)
    looks.truths = {0: truth(checkpoint=39)}
    looks.pass_seconds(20)
    looks.watcher.check_resets(1)
    with pytest.raises(AssertionError):
        looks.watcher.check_resets(2)


def test_shard_may_be_missing_only_in_its_first_seconds(looks: Looks) -> None:
    looks.watcher.check_shards([])
    with pytest.raises(AssertionError, match="never existed"):
        looks.watcher.check_shards([0, 1])
    looks.pass_seconds(11)
    looks.truths = {0: truth(), 1: truth()}
    looks.pass_seconds(1)
    looks.watcher.check_shards([0])
    looks.watcher.check_shards([0, 1])
    with pytest.raises(AssertionError, match="missing"):
        looks.watcher.check_shards([1])
    looks.pass_seconds(11)
    with pytest.raises(AssertionError, match="missing"):
        looks.watcher.check_shards([0])


def test_stall_counts_from_the_limit_on_and_must_be_shown_some_seconds_later(
    looks: Looks,
) -> None:
    consuming, stalled = {State.CONSUMING: 1}, {State.STALLED: 1}
    looks.pass_seconds(5)
    looks.check_states(consuming)
    with pytest.raises(AssertionError):
        looks.check_states(stalled)
    looks.pass_seconds(5)
    looks.check_states(consuming)
    looks.check_states(stalled)
    looks.pass_seconds(11)
    looks.check_states(stalled)
    for states in ({}, consuming, {State.STALLED: 2}, {**consuming, **stalled}):
        with pytest.raises(AssertionError):
            looks.check_states(states)


@pytest.mark.parametrize(
    ("actual", "state"),
    [
        (truth(checkpoint=60), State.CAUGHT_UP),
        (truth(checkpoint=60, readonly=True), State.FINISHED),
        (truth(checkpoint=None), State.UNCONSUMED),
        (truth(checkpoint=None, end=0, readonly=True), State.FINISHED),
        (truth(checkpoint=-1), State.EXPIRED),
        (truth(checkpoint=50), State.STALLED),
    ],
)
def test_shard_at_rest_has_exactly_one_state(
    looks: Looks, actual: ShardTruth, state: State
) -> None:
    looks.truths = {0: actual}
    looks.pass_seconds(30)
    looks.check_states({state: 1})
    for other in State:
        if other is not state:
            with pytest.raises(AssertionError):
                looks.check_states({other: 1})


def test_shard_that_moves_has_caught_up_or_is_consuming(looks: Looks) -> None:
    looks.truths = {0: truth(checkpoint=60)}
    looks.pass_seconds(11)
    looks.truths = {0: truth(checkpoint=61, end=61)}
    looks.pass_seconds(1)
    # A poll reads the checkpoint before the end.
    looks.check_states({State.CONSUMING: 1})
    looks.check_states({State.CAUGHT_UP: 1})
    looks.pass_seconds(11)
    with pytest.raises(AssertionError):
        looks.check_states({State.CONSUMING: 1})


def test_stalled_seconds_are_those_since_the_last_move(looks: Looks) -> None:
    looks.pass_seconds(5)
    now = looks.held.wall()
    looks.watcher.check_stalled(0, 7.0, 6.0, now)
    with pytest.raises(AssertionError):
        looks.watcher.check_stalled(0, 7.5, 6.0, now)
    # Below the limit, the exporter interpolates.
    looks.watcher.check_stalled(0, 7.5, STALL_AFTER, now)
    looks.watcher.check_stalled(0, 14.0, 60.0, now)
    with pytest.raises(AssertionError):
        looks.watcher.check_stalled(0, 16.0, 60.0, now)
    looks.pass_seconds(25)
    looks.watcher.check_stalled(0, 18.0, STALL_AFTER, looks.held.wall())
    with pytest.raises(AssertionError):
        looks.watcher.check_stalled(0, 17.0, STALL_AFTER, looks.held.wall())


def test_shard_without_unread_data_has_no_stall(looks: Looks) -> None:
    looks.truths = {0: truth(checkpoint=60)}
    looks.pass_seconds(20)
    looks.watcher.check_stalled(0, 0.0, STALL_AFTER, looks.held.wall())
    with pytest.raises(AssertionError):
        looks.watcher.check_stalled(0, 9.0, STALL_AFTER, looks.held.wall())


def test_checkpoint_that_is_written_again_with_the_same_value_has_not_moved(looks: Looks) -> None:
    looks.pass_seconds(11)
    looks.truths = {0: truth(updated_at=looks.held.wall())}
    looks.pass_seconds(11)
    now = looks.held.wall()
    looks.watcher.check_stalled(0, 22.0, STALL_AFTER, now)
    looks.check_states({State.STALLED: 1})
    looks.truths = {0: truth(checkpoint=51, updated_at=now)}
    looks.pass_seconds(11)
    with pytest.raises(AssertionError):
        looks.watcher.check_stalled(0, 33.0, STALL_AFTER, looks.held.wall())
