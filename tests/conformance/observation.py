"""The values of the exporter in one scrape, and their differences from the actual state."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import NamedTuple, Self

from exporter.model.progress import Cause, State
from exporter.simulator.views import ShardTruth
from exporter.simulator.world import World
from tests.conformance.truth import (
    ROUNDED_SECONDS,
    WRITTEN_SECONDS,
    Truths,
    are_close,
    since,
    state_of,
)
from tests.support.scrape import Scrape

Place = tuple[str, str, str]
"""The project, the logstore and the group."""
Found = Mapping[int, float]
"""A value by shard."""


class Observation:
    """The values of one scrape of the exporter about one group."""

    def __init__(self, scrape: Scrape, place: Place) -> None:
        self._scrape = scrape
        self._labels = dict(zip(("project", "logstore", "consumer_group"), place, strict=True))
        self.unread = self._by_shard("unread_log_groups")
        self.stalled_seconds = self._by_shard("stalled_seconds")
        self.ages = self._by_shard("checkpoint_age_seconds")
        self.updated_at = self._by_shard("checkpoint_update_timestamp_seconds")
        self.oldest_unread_at = self._by_shard("oldest_unread_timestamp_seconds")
        self.lags = self._by_shard("lag_seconds")
        self.consumed = self._total("consumed_log_groups_total")
        self.written = self._total("written_log_groups_total")
        self.owner_changes = self._total("owner_changes_total")
        self.resets = self._total("checkpoint_resets_total")
        self.consumers = self._total("consumers")
        states = self._counts("sls_consumer_group_shards", "state")
        self.states = {State(state): count for state, count in states.items()}
        self.causes = self._counts("sls_consumer_group_stalled_shards", "cause")
        self.statuses = self._counts("sls_logstore_shards", "status")
        self.owners = {
            int(sample.labels["shard"]): sample.labels["consumer"]
            for name in ("unread_log_groups", "checkpoint_age_seconds")
            for sample in scrape.find(f"sls_consumer_group_{name}")
        }

    def __repr__(self) -> str:
        return f"{self.states} {self.causes} unread={self.unread} owners={self.owners}"

    def all_are(self, *states: State) -> bool:
        """Return whether every shard is in one of some states."""
        return bool(self.states) and self.states.keys() <= set(states)

    def is_stalled(self, cause: Cause, shards: int) -> bool:
        """Return whether so many shards are stalled, all with one cause."""
        return self.causes == {cause: shards} and self.states.get(State.STALLED) == shards

    def check_agreement(self) -> None:
        """Raise AssertionError unless the values agree with each other, as they do in a poll."""
        consumed = self.updated_at.keys()
        unread = {shard for shard, count in self.unread.items() if count}
        consumers = {owner for owner in self.owners.values() if owner}
        wrong = {
            "ages": self.ages.keys() != consumed,
            "stalled seconds": self.stalled_seconds.keys() != consumed & self.unread.keys(),
            "lags": not self.lags.keys() <= consumed,
            "oldest unread at": not self.oldest_unread_at.keys() <= unread,
            "causes": sum(self.causes.values()) != self.states.get(State.STALLED, 0),
            "consumers": self.consumers != len(consumers),
            "states": sum(self.states.values()) < len(self.unread),
        }
        assert not any(wrong.values()), f"not as many as expected: {wrong}"

    def _by_shard(self, name: str) -> dict[int, float]:
        samples = self._scrape.find(f"sls_consumer_group_{name}")
        found = {int(sample.labels["shard"]): sample.value for sample in samples}
        assert len(found) == len(samples), f"a shard has several series of {name}"
        for sample in samples:
            assert self._labels.items() <= sample.labels.items()
        return found

    def _counts(self, name: str, label: str) -> dict[str, int]:
        samples = self._scrape.find(name)
        return {sample.labels[label]: int(sample.value) for sample in samples if sample.value}

    def _total(self, name: str) -> float:
        return sum(sample.value for sample in self._scrape.find(f"sls_consumer_group_{name}"))


class Exact(NamedTuple):
    """An observation and the actual state that it shows.

    - resets: how many checkpoints were set back until then.
    """

    seen: Observation
    truths: Truths
    resets: int

    def wrong_growth(self, before: Self) -> Mapping[str, object]:
        """Return the counters that have not grown as the state did, by name.

        A poll counts nothing for a new shard, and not exactly if a checkpoint is set back.
        """
        growth = {}
        if self.truths.keys() == before.truths.keys():
            ends = sum(each.end - before.truths[shard].end for shard, each in self.truths.items())
            growth["written"] = (self.seen.written - before.seen.written, ends)
            if self.resets == before.resets:
                growth["consumed"] = (self.seen.consumed - before.seen.consumed, self._read(before))
        return {name: pair for name, pair in growth.items() if pair[0] != pair[1]}

    def _read(self, before: Self) -> int:
        return sum(
            (self.truths[shard].checkpoint or 0) - each.checkpoint
            for shard, each in before.truths.items()
            if each.checkpoint is not None
        )


def differences(
    seen: Observation,
    world: World,
    place: Place,
    stall_after: float,
    *,
    moved: Callable[[Truths], Truths],
) -> Mapping[str, object]:
    """Return the values that are not the actual ones, by name: the value and the actual one.

    ``moved`` returns a state with the time of the last move of each checkpoint as its last write.
    """
    project, logstore, _ = place
    truths, now = world.truths(*place), world.now()
    moves = moved(truths)
    consumed = {shard: each for shard, each in truths.items() if each.checkpoint is not None}
    unread = {shard: each for shard, each in truths.items() if each.unread}
    rows = world.shards(project, logstore)
    equal: dict[str, tuple[object, object]] = {
        "unread log groups": (seen.unread, {shard: each.unread for shard, each in truths.items()}),
        "owners": (seen.owners, {shard: each.owner for shard, each in truths.items()}),
        "states": (
            seen.states,
            Counter(state_of(each, now, stall_after) for each in moves.values()),
        ),
        "statuses": (seen.statuses, Counter(row.status for row in rows)),
    }
    near = {
        "updated at": (
            seen.updated_at,
            {shard: each.updated_at or 0.0 for shard, each in consumed.items()},
            WRITTEN_SECONDS,
        ),
        "ages": (
            seen.ages,
            {shard: now - (each.updated_at or 0.0) for shard, each in consumed.items()},
            ROUNDED_SECONDS,
        ),
        "stalled seconds": (
            seen.stalled_seconds,
            {shard: max(0.0, now - since(moves[shard])) for shard in consumed},
            ROUNDED_SECONDS,
        ),
        "oldest unread at": (
            seen.oldest_unread_at,
            {shard: each.oldest_unread_at or 0.0 for shard, each in unread.items()},
            ROUNDED_SECONDS,
        ),
        "lags": (
            seen.lags,
            {
                shard: _lag(world, (project, logstore, shard), each)
                for shard, each in consumed.items()
            },
            ROUNDED_SECONDS,
        ),
    }
    return {name: pair for name, pair in equal.items() if pair[0] != pair[1]} | {
        name: (found, wanted)
        for name, (found, wanted, within) in near.items()
        if not _are_near(found, wanted, within)
    }


def _are_near(found: Found, wanted: Found, within: float) -> bool:
    return found.keys() == wanted.keys() and all(
        are_close(found[each], wanted[each], within=within) for each in found
    )


def _lag(world: World, shard: tuple[str, str, int], truth: ShardTruth) -> float:
    """Return the receive time of the newest log group minus that of the last consumed one."""
    if not truth.unread:
        return 0.0
    newest = world.received(*shard, truth.end - 1) or 0.0
    consumed = None
    if truth.checkpoint is not None and truth.checkpoint > truth.begin:
        consumed = world.received(*shard, truth.checkpoint - 1)
    return newest - (consumed or truth.oldest_unread_at or 0.0)
