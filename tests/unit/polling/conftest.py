"""Worlds that several tests of polls begin with."""

from collections.abc import Iterator

import pytest

from tests.support.fleet import Fleet, running_fleet
from tests.support.polling import Bench, bench
from tests.support.simulator_worlds import GROUP, LOGSTORE, PROJECT


@pytest.fixture
def behind() -> Iterator[Bench]:
    """Set up two shards with one unread log group each, at second 120; their consumer is dead.

    The consumer committed at second 60.
    """
    with bench(shards=2) as made:
        made.world.start_consumer(PROJECT, LOGSTORE, GROUP, "c1", shards=[0, 1])
        for shard in range(2):
            made.world.write(PROJECT, LOGSTORE, shard, 5)
        made.held.advance(60.0)
        assert len(made.world.checkpoints(PROJECT, LOGSTORE, GROUP)) == 2
        made.world.crash_consumer(PROJECT, LOGSTORE, GROUP, "c1")
        made.held.advance(60.0)
        for shard in range(2):
            made.world.write(PROJECT, LOGSTORE, shard)
        yield made


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    """Serve a world of several projects to discover."""
    with running_fleet() as made:
        yield made
