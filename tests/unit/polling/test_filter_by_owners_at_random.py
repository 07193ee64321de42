"""A filtered poller next to an unfiltered one, while consumers and producers change at random."""

import random

import pytest
from msgspec.structs import replace

from exporter.evaluation.shard import state
from exporter.model.progress import State
from exporter.model.snapshot import GroupSnapshot, TargetStatus
from exporter.polling.logstore_reader import LogstoreReader
from exporter.polling.poller import Effort, Poller
from exporter.polling.targets import GroupTarget
from tests.support.polling import Bench, Observed, bench, owners
from tests.support.simulator_worlds import GROUP, LOGSTORE, PROJECT

STORE = (PROJECT, LOGSTORE)
BY = (*STORE, GROUP)
MINE, *OTHERS = PODS = ("pod-0", "pod-1", "pod-2")
SHARDS = 8
INTERVAL = 60.0
POLLS = 80
SLOWEST = 10
"""Polls after which a stall must be shown, also after a shard has changed its owner."""
BAD = {State.STALLED, State.EXPIRED}


class Fleet:
    """Pods that consume the shards of a group, and what happens to them."""

    def __init__(self, made: Bench, chance: random.Random) -> None:
        self._world = made.world
        self._chance = chance
        self._owned: dict[str, set[int]] = {pod: set() for pod in PODS}
        for shard in range(SHARDS):
            self._world.set_producer(*STORE, shard, 5.0)
        for pod in PODS:
            self._world.start_consumer(*BY, pod, shards=[])
        for shard in range(SHARDS - 1):  # the last one is never consumed at first
            self._move(shard, PODS[shard % 3])

    def happen(self) -> None:
        """Let something happen to a random shard or pod."""
        shard, pod = self._chance.randrange(SHARDS), self._chance.choice(PODS)
        events = (
            lambda: self._move(shard, pod),
            lambda: self._world.set_producer(*STORE, shard, self._chance.choice((None, 1.0, 30.0))),
            lambda: self._world.write(*STORE, shard, 3),
            lambda: self._freeze(shard),
            lambda: self._thaw(shard),
            lambda: self._replace(pod),
            lambda: self._reset(shard),
        )
        self._chance.choice(events)()

    def _owner(self, shard: int) -> str | None:
        return next((pod for pod, owned in self._owned.items() if shard in owned), None)

    def _move(self, shard: int, pod: str) -> None:
        for owned in self._owned.values():
            owned.discard(shard)
        self._owned[pod].add(shard)
        self._world.assign(*BY, {pod: [shard]})

    def _freeze(self, shard: int) -> None:
        if owner := self._owner(shard):
            self._world.freeze_shard(*BY, owner, shard)

    def _thaw(self, shard: int) -> None:
        if owner := self._owner(shard):
            self._world.thaw_shard(*BY, owner, shard)

    def _replace(self, pod: str) -> None:
        """Replace a pod; its shards wait for another one."""
        self._world.crash_consumer(*BY, pod)
        self._world.start_consumer(*BY, pod, shards=[])
        self._owned[pod].clear()

    def _reset(self, shard: int) -> None:
        back = self._world.end_cursor(*STORE, shard) - 1
        if back >= 0:
            self._world.update_checkpoint(*BY, shard, back, consumer=self._chance.choice(PODS))


def unfiltered(made: Bench) -> Poller:
    """Return a poller of the same group without a filter."""
    target = replace(made.poller.target, groups=(GroupTarget(name=GROUP),))
    client, clock, observer = made.poller.client, made.poller.clock, Observed()
    reader = LogstoreReader(target, client, clock=clock, observer=observer)
    return Poller(target, client, logstore=reader, clock=clock, observer=observer)


def states(status: TargetStatus) -> tuple[GroupSnapshot, dict[int, State]]:
    """Return the snapshot of the group with the state of each shard."""
    snapshot = status.groups[0].snapshot
    assert snapshot is not None
    now = snapshot.polled.server
    return snapshot, {each.shard: state(each, now, stall_after=300.0) for each in snapshot.shards}


@pytest.mark.parametrize("seed", range(6))
def test_filtered_poller_shows_every_lasting_stall_and_none_that_there_is_not(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  not for cryptography
    group = GroupTarget(name=GROUP, consumers=owners(MINE))
    with bench(shards=SHARDS, groups=(group,), effort=Effort(exact=0)) as made:
        fleet, reference, whole = Fleet(made, chance), unfiltered(made), None
        since: dict[int, int] = {}
        shown_bad = 0
        for number in range(POLLS):
            for _ in range(chance.choice((0, 0, 1, 2))):
                fleet.happen()
            made.held.advance(INTERVAL)
            whole = reference.poll(whole, effort=Effort(exact=0))
            filtered, found = states(made.poll())
            snapshot, true = states(whole)
            assert found.keys() == true.keys()
            assert filtered.consumers == snapshot.consumers
            for line in snapshot.shards:
                shard = line.shard
                bad = true[shard] in BAD
                since.setdefault(shard, number) if bad else since.pop(shard, None)
                if found[shard] in BAD:
                    assert bad, "no stall without a stall"
                    assert shard not in filtered.hidden
                    shown_bad += line.consumer in OTHERS
                if line.consumer == MINE:
                    assert found[shard] is true[shard]
                    assert shard not in filtered.hidden
                if bad and number - since[shard] >= SLOWEST:
                    assert found[shard] is true[shard]
                assert found[shard] is not State.UNKNOWN
        assert shown_bad > 20
