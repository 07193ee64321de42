"""A scene: a world, an exporter and consumers as processes, all on the real clock.

Every observation compares the values of the exporter with the actual state of the world.
"""

import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

from exporter.model.progress import State
from exporter.simulator.server import DEFAULT_CREDENTIALS
from exporter.simulator.world import World
from tests.conformance.libraries import Library
from tests.conformance.observation import Exact, Observation, differences
from tests.conformance.truth import Truths, WatchedSimulator, Watcher
from tests.support.daemon import Daemon, daemon
from tests.support.wait import wait_for

PROJECT, LOGSTORE, GROUP = "shop", "orders", "billing"
PLACE = (PROJECT, LOGSTORE)
BILLING = (*PLACE, GROUP)
DAY = 86400.0
STALL_AFTER = 8.0
"""Longer than three seconds, after which the consumers save."""
FLUSH_SECONDS = 45.0
"""Longer than 30 seconds, after which an idle consumer in Python saves its last progress."""
BUSY = (State.CAUGHT_UP, State.CONSUMING)
_POLL_SECONDS = 1.0
_PACE_SECONDS = 0.2


class Scene:
    """A running scene of one group, still without an exporter.

    With ``days_ago``, the world is in the past until ``return_to_present``.
    """

    def __init__(
        self,
        folder: Path,
        *,
        shards: int = 2,
        stall_after: float = STALL_AFTER,
        days_ago: float = 0.0,
    ) -> None:
        self.folder = folder
        self.consumers: dict[str, subprocess.Popen[bytes]] = {}
        self._seconds_ago = days_ago * DAY
        self.world = World(wall=lambda: time.time() - self._seconds_ago)
        self.world.create_project(PROJECT)
        self.world.create_logstore(*PLACE, shards=shards, ttl_days=1)
        self.world.create_group(*BILLING, timeout=2)
        self._stall_after = stall_after
        self._stack = ExitStack()
        self._watcher = Watcher(self.truths)
        self._exact: Exact | None = None
        self._exporter: Daemon

    def __enter__(self) -> Self:
        self._simulator = self._stack.enter_context(WatchedSimulator(self.world, self._watcher))
        self._stack.enter_context(self._watcher)
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.consumers.values():
            process.kill()
            process.wait(10.0)
        self._stack.close()

    def start_exporter(self) -> None:
        """Start the exporter."""
        config = self.folder / "config.yaml"
        config.write_text(
            f"""\
discovery: {{interval: 2s}}
polling: {{interval: {_POLL_SECONDS:g}s, stale_after: 1m, requests_per_second: 1000}}
stall_after: {self._stall_after:g}s
projects:
  - project: {PROJECT}
    endpoint: {self._simulator.endpoint}
    logstores:
      - {{logstore: {LOGSTORE}, consumer_groups: ["{GROUP}.*"]}}
"""
        )
        exporter = self._stack.enter_context(
            daemon(
                f"--config.file={config}",
                "--web.listen-address=127.0.0.1:0",
                environ={
                    "ALIBABA_CLOUD_ACCESS_KEY_ID": DEFAULT_CREDENTIALS.access_key_id,
                    "ALIBABA_CLOUD_ACCESS_KEY_SECRET": DEFAULT_CREDENTIALS.access_key_secret,
                },
            )
        )
        wait_for(lambda: exporter.get("/-/ready").status_code == 200, timeout=30.0)
        self._exporter = exporter

    def produce(self, interval: float | None = 0.5) -> None:
        """Write one log group per interval to each writable shard, or end that."""
        for row in self.world.shards(*PLACE):
            if row.status == "readwrite":
                self.world.set_producer(*PLACE, row.shard, interval)

    def start_consumer(self, name: str, *options: str, library: Library) -> None:
        """Start a consumer of a library."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self.consumers[name] = subprocess.Popen(
                [
                    *library.command(),
                    f"--address={self._simulator.endpoint.removeprefix('http://')}",
                    *(f"--project={PROJECT}", f"--logstore={LOGSTORE}", f"--group={GROUP}"),
                    *(f"--name={name}", *options),
                ],
                env={
                    "PATH": "/usr/bin:/bin",
                    "KEY_ID": DEFAULT_CREDENTIALS.access_key_id,
                    "KEY_SECRET": DEFAULT_CREDENTIALS.access_key_secret,
                },
                stdout=log,
                stderr=log,
            )

    def stop_consumer(self, name: str) -> None:
        """Stop a consumer gracefully."""
        process = self.consumers.pop(name)
        process.terminate()
        assert process.wait(30.0) == 0, self.log_of(name)

    def kill_consumer(self, name: str) -> None:
        """Kill a consumer without a last save."""
        process = self.consumers.pop(name)
        process.kill()
        process.wait(10.0)

    def pause_consumer(self, name: str) -> None:
        """Pause a consumer without an end of its connections."""
        self.consumers[name].send_signal(signal.SIGSTOP)

    def resume_consumer(self, name: str) -> None:
        """Let a paused consumer continue."""
        self.consumers[name].send_signal(signal.SIGCONT)

    def log_of(self, name: str) -> str:
        """Return the output of a consumer."""
        return (self.folder / f"{name}.log").read_text()

    def processed(self, shard: int) -> int:
        """Return how many log groups of a shard consumers have processed."""
        logs = "".join(path.read_text() for path in self.folder.glob("*.log"))
        return sum(map(int, re.findall(rf"processed shard {shard}: (\d+) log groups", logs)))

    def lost(self, shard: int) -> int:
        """Return how many log groups are before the checkpoint of a shard, but not processed.

        The data must not have expired.
        """
        truth = self.truths()[shard]
        if truth.checkpoint is None:  # as in an empty shard
            return 0
        return max(0, truth.checkpoint - truth.begin - self.processed(shard))

    def pulled_shards(self) -> set[int | None]:
        """Return the shards that consumers have read."""
        requests = self._simulator.requests
        return {each.shard for each in requests if each.operation == "PullLogs"}

    def return_to_present(self) -> None:
        """Move the clock of the world to the present."""
        self._seconds_ago = 0.0
        self._watcher.forget()

    def truths(self) -> Truths:
        """Return the actual state by shard."""
        return self.world.truths(*BILLING)

    def observe(self) -> Observation:
        """Scrape the exporter, and compare each value with the recent states of the world."""
        time.sleep(_PACE_SECONDS)  # spares the processors, and nothing else
        for name, process in self.consumers.items():
            assert process.poll() is None, f"{name} has ended: {self.log_of(name)}"
        seen = Observation(self._exporter.scrape(), BILLING)
        try:
            self._check(seen)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{seen}\n{self._exporter.log[-3000:]}") from error
        return seen

    def _check(self, seen: Observation) -> None:
        watcher = self._watcher
        watcher.look()
        now = self.world.now()
        for shard, unread in seen.unread.items():
            watcher.check_unread(shard, unread)
        for shard, owner in seen.owners.items():
            watcher.check_checkpoint(shard, owner, seen.updated_at.get(shard))
        for shard, seconds in seen.stalled_seconds.items():
            watcher.check_stalled(shard, seconds, self._stall_after, now)
        watcher.check_shards(seen.unread)
        watcher.check_states(seen.states, self._stall_after, now)
        watcher.check_resets(seen.resets)
        seen.check_agreement()

    def wait(
        self, condition: Callable[[Observation], bool], *, what: str, timeout: float = 60.0
    ) -> Observation:
        """Observe until a condition is true, and return that observation."""

        def observed() -> Observation | None:
            observation = self.observe()
            return observation if condition(observation) else None

        try:
            found = wait_for(observed, timeout=timeout, what=what)
        except AssertionError as error:
            logs = "\n".join(path.read_text()[-3000:] for path in self.folder.glob("*.log"))
            seen = self.observe()
            raise AssertionError(
                f"{error}: {seen}\n{self._differences(seen)}\n{self.truths()}\n{logs}"
            ) from error
        assert found is not None
        return found

    def wait_until_consumed(self) -> None:
        """Wait until consumers save progress in every shard."""
        self.wait(lambda seen: seen.all_are(*BUSY), what="checkpoints in every shard")

    def watch(self, seconds: float) -> Iterator[Observation]:
        """Observe for some time, with at least one observation."""
        deadline = time.monotonic() + seconds
        yield self.observe()
        while time.monotonic() < deadline:
            yield self.observe()

    def rest(self) -> Observation:
        """End the producers, and wait until the exporter shows exactly the actual state.

        Since the previous rest, its counters must have grown as the state did.
        """
        self.produce(None)
        return self.wait(self.is_exact, what="the actual state")

    def is_exact(self, seen: Observation) -> bool:
        """Return whether the exporter shows exactly the actual state of each shard."""
        truths = self.truths()
        if self._differences(seen) or truths != self.truths():
            return False
        self._exact = Exact(seen, truths, self._watcher.resets)
        return True

    def _differences(self, seen: Observation) -> Mapping[str, object]:
        found = differences(seen, self.world, BILLING, self._stall_after, moved=self._watcher.moved)
        exact = Exact(seen, self.truths(), self._watcher.resets)
        return found if self._exact is None else {**found, **exact.wrong_growth(self._exact)}


@contextmanager
def expired_scene(folder: Path, library: Library) -> Iterator[Scene]:
    """Run a scene in which data expired after the only consumer of a group was killed."""
    with Scene(folder, days_ago=2.0) as running:
        running.produce()
        running.start_consumer("c1", library=library)
        wait_for(
            lambda: all(truth.checkpoint for truth in running.truths().values()),
            timeout=60.0,
            what="checkpoints in every shard",
        )
        running.kill_consumer("c1")
        running.produce(60.0)
        running.return_to_present()
        running.start_exporter()
        yield running


@contextmanager
def scene(folder: Path, *, shards: int = 2, stall_after: float = STALL_AFTER) -> Iterator[Scene]:
    """Run a scene with an exporter until the block ends."""
    with Scene(folder, shards=shards, stall_after=stall_after) as running:
        running.start_exporter()
        yield running
