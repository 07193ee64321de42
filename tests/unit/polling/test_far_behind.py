"""Consumers that move far behind their producers, of which a new exporter knows no history.

The alerts about lags and expiring data need the worst shard of each group, however few readings
a poll can afford.
"""

import pytest

from exporter.polling.poller import Effort
from exporter.polling.targets import GroupTarget
from tests.support.polling import Bench, bench
from tests.support.simulator_worlds import LOGSTORE, PROJECT

STORE = (PROJECT, LOGSTORE)
HOUR = 3600.0
SHARDS = 6
WORST_HOURS = 19.5
INTERVAL = 60.0


def fall_behind(made: Bench, group: str, worst: int) -> None:
    """Let a consumer of each shard keep its distance of at most 2 hours, and one that of 19.5."""
    made.world.create_group(*STORE, group)
    for shard in range(SHARDS):
        hours = WORST_HOURS if shard == worst else 2.0 - shard / SHARDS
        behind = made.world.end_cursor(*STORE, shard) - round(hours * HOUR)
        made.world.update_checkpoint(*STORE, group, shard, behind)
        made.world.start_consumer(*STORE, group, f"c{shard}", shards=[shard], max_rate=1.0)


def longest(made: Bench, group: str) -> tuple[float, float]:
    """Return the longest wait of unread data and the longest lag that are shown, in hours."""
    shards = made.shards(group).values()
    now = made.held.wall()
    waits = [now - each.oldest_unread_at for each in shards if each.oldest_unread_at is not None]
    lags = [each.lag_seconds for each in shards if each.lag_seconds is not None]
    return max(waits, default=0.0) / HOUR, max(lags, default=0.0) / HOUR


@pytest.mark.parametrize("effort", [Effort(budget=2, exact=0), Effort(budget=8, exact=8)], ids=str)
@pytest.mark.parametrize("worst", [0, SHARDS - 1])
def test_longest_wait_and_lag_are_shown_after_two_polls_for_each_shard(
    effort: Effort, worst: int
) -> None:
    with bench(shards=SHARDS, groups=(GroupTarget(name="slow"),), effort=effort) as made:
        for shard in range(SHARDS):
            made.world.set_producer(*STORE, shard, 1.0)
        made.held.advance(20 * HOUR)
        fall_behind(made, "slow", worst)
        made.held.advance(600.0)
        for _ in range(2 * SHARDS):
            made.poll(after=INTERVAL)
        for _ in range(20):
            made.poll(after=INTERVAL)
            assert longest(made, "slow") == pytest.approx((WORST_HOURS, WORST_HOURS), abs=0.1)


def test_group_that_is_furthest_behind_is_read_first() -> None:
    groups = tuple(GroupTarget(name=f"group-{number}") for number in range(4))
    with bench(shards=SHARDS, groups=groups, effort=Effort(budget=2, exact=0)) as made:
        for shard in range(SHARDS):
            made.world.set_producer(*STORE, shard, 1.0)
        made.held.advance(20 * HOUR)
        for number, group in enumerate(groups):
            fall_behind(made, group.name, worst=5 if number == 2 else -1)
            made.held.advance(60.0)
        for _ in range(SHARDS * len(groups)):
            made.poll(after=INTERVAL)
        for _ in range(20):
            made.poll(after=INTERVAL)
            assert longest(made, "group-2") == pytest.approx((WORST_HOURS, WORST_HOURS), abs=0.1)
