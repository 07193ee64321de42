"""Consumers of each library in a world that changes at random, observed by the exporter."""

import os
import random
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exporter.model.progress import State
from exporter.simulator.errors import ServiceError
from tests.conformance.libraries import LIBRARIES, Library
from tests.conformance.scene import FLUSH_SECONDS, PLACE, Scene, scene

if TYPE_CHECKING:
    from collections.abc import Callable

MINUTES = float(os.environ.get("SLS_EXPORTER_CONFORMANCE_SOAK_MINUTES", "1"))
SEED = int(os.environ.get("SLS_EXPORTER_CONFORMANCE_SOAK_SEED", "1"))
CONSUMERS = ("c1", "c2", "c3")
SECONDS_PER_CHANGE = 3.0
"""Longer than the timeout of the group, so that a paused consumer loses its shards."""
MOST_SHARDS, LEAST_SHARDS = 6, 3
GRACE_SECONDS = 30.0
"""The default of ``terminationGracePeriodSeconds`` in Kubernetes."""


class Churn:
    """Random changes of the shards, producers and consumers of a scene."""

    def __init__(self, running: Scene, library: Library) -> None:
        self._running = running
        self._library = library
        self._chance = random.Random(SEED)  # noqa: S311  # reproducible, not secret
        self._paused: set[str] = set()
        self._kinds: list[Callable[[], None]] = []

    def change(self) -> None:
        """Restore the consumers, and make one change. Seven calls make each kind of change."""
        if not self._kinds:
            self._kinds = [
                *(self._split, self._merge, self._change_producer, self._end_producer),
                *(self._kill, self._stop, self._pause),
            ]
            self._chance.shuffle(self._kinds)
        self.restore()
        self._kinds.pop()()

    def restore(self) -> None:
        """Start the consumers that have stopped, and let the paused ones continue."""
        for name in sorted(self._paused):
            self._running.resume_consumer(name)
        self._paused.clear()
        for name in CONSUMERS:
            if name not in self._running.consumers:
                self._running.start_consumer(name, library=self._library)

    def start_first(self) -> None:
        """Start one consumer, which reads all shards.

        A consumer in Python or Go that gets and loses a shard before it begins to read it reports
        that shard as its own from then on, so that no consumer reads it. One consumer loses none.
        """
        self._running.start_consumer(CONSUMERS[0], library=self._library)

    def kill_all(self) -> None:
        """End all consumers without a last save."""
        self.restore()
        for name in CONSUMERS:
            self._running.kill_consumer(name)

    def _writable(self) -> list[int]:
        rows = self._running.world.shards(*PLACE)
        return [row.shard for row in rows if row.status == "readwrite"]

    def _split(self) -> None:
        if len(self._writable()) < MOST_SHARDS:
            self._running.world.split_shard(*PLACE, self._chance.choice(self._writable()))

    def _merge(self) -> None:
        if len(self._writable()) > LEAST_SHARDS:
            with suppress(ServiceError):  # The last shard has no neighbor.
                self._running.world.merge_shards(*PLACE, self._chance.choice(self._writable()))

    def _change_producer(self) -> None:
        interval = self._chance.choice([0.05, 0.2, 1.0])
        shard = self._chance.choice(self._writable())
        self._running.world.set_producer(*PLACE, shard, interval)

    def _end_producer(self) -> None:
        self._running.world.set_producer(*PLACE, self._chance.choice(self._writable()), None)

    def _kill(self) -> None:
        self._running.kill_consumer(self._chance.choice(CONSUMERS))

    def _stop(self) -> None:
        """Stop a consumer as Kubernetes does. A consumer of many shards may need more time."""
        process = self._running.consumers.pop(self._chance.choice(CONSUMERS))
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)
        process.kill()
        process.wait()

    def _pause(self) -> None:
        name = self._chance.choice(CONSUMERS)
        self._running.pause_consumer(name)
        self._paused.add(name)


@pytest.mark.timeout(600 + 60 * MINUTES)
@pytest.mark.parametrize("library", LIBRARIES, ids=str)
def test_every_value_is_right_while_shards_producers_and_consumers_change(
    tmp_path: Path, library: Library
) -> None:
    with scene(tmp_path, shards=4) as running:
        churn = Churn(running, library)
        running.produce()
        churn.start_first()
        running.wait_until_consumed()
        deadline = time.monotonic() + 60 * MINUTES
        while time.monotonic() < deadline:
            churn.change()
            for _ in running.watch(SECONDS_PER_CHANGE):
                pass
        churn.kill_all()
        churn.start_first()
        running.produce(None)
        for row in running.world.shards(*PLACE):
            if row.status == "readwrite":
                running.world.write(*PLACE, row.shard)
        running.wait(
            lambda seen: seen.all_are(State.CAUGHT_UP, State.FINISHED) and running.is_exact(seen),
            what="the last saves",
            timeout=3 * FLUSH_SECONDS,
        )
        assert {running.lost(shard) for shard in running.truths()} == {0}
