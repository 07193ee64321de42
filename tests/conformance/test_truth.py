"""Checks of a scrape against the recent states of a world."""

import pytest

from exporter.simulator.views import ShardTruth
from tests.conformance.truth import Watcher
from tests.support.held_clock import HeldClock

START = 1_700_000_000.0
STALL_AFTER = 8.0


def truth(*, checkpoint: int | None = 50, end: int = 60, owner: str = "c1") -> ShardTruth:
    return ShardTruth(
        checkpoint=checkpoint,
        begin=0,
        end=end,
        updated_at=START,
        owner=owner,
        oldest_unread_at=START if checkpoint is None or checkpoint < end else None,
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

    def check_stalls(self, count: int) -> None:
        self.watcher.check_stalls(count, STALL_AFTER, self.held.wall())


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


def test_owner_is_right_if_it_was_one_recently(looks: Looks) -> None:
    looks.truths = {0: truth(owner="c2")}
    looks.pass_seconds(1)
    looks.watcher.check_owner(0, "c1")
    looks.watcher.check_owner(0, "c2")
    with pytest.raises(AssertionError):
        looks.watcher.check_owner(0, "")
    looks.pass_seconds(11)
    with pytest.raises(AssertionError):
        looks.watcher.check_owner(0, "c1")


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


def test_stalls_are_counted_from_the_limit_on_and_must_be_shown_some_seconds_later(
    looks: Looks,
) -> None:
    looks.pass_seconds(5)
    looks.check_stalls(0)
    with pytest.raises(AssertionError):
        looks.check_stalls(1)
    looks.pass_seconds(5)
    looks.check_stalls(0)
    looks.check_stalls(1)
    looks.pass_seconds(11)
    looks.check_stalls(1)
    for count in (0, 2):
        with pytest.raises(AssertionError):
            looks.check_stalls(count)


@pytest.mark.parametrize(
    "healthy", [truth(checkpoint=60), truth(checkpoint=None), truth(checkpoint=-1)]
)
def test_shard_that_is_read_or_unconsumed_or_expired_does_not_stall(
    looks: Looks, healthy: ShardTruth
) -> None:
    looks.truths = {0: healthy}
    looks.pass_seconds(30)
    looks.check_stalls(0)
    with pytest.raises(AssertionError):
        looks.check_stalls(1)


def test_stalled_seconds_are_at_most_those_since_the_last_move(looks: Looks) -> None:
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


def test_checkpoint_that_is_written_again_with_the_same_value_has_not_moved(looks: Looks) -> None:
    looks.pass_seconds(11)
    looks.truths = {0: truth()._replace(updated_at=looks.held.wall())}
    looks.pass_seconds(11)
    now = looks.held.wall()
    looks.watcher.check_stalled(0, 22.0, STALL_AFTER, now)
    looks.check_stalls(1)
    looks.truths = {0: truth(checkpoint=51)._replace(updated_at=now)}
    looks.pass_seconds(11)
    with pytest.raises(AssertionError):
        looks.watcher.check_stalled(0, 33.0, STALL_AFTER, looks.held.wall())
