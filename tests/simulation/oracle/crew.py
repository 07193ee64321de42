"""Consumers that start, stop, die, get stuck and change shards, and checkpoints set manually."""

import random
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from itertools import count
from typing import Unpack

from exporter.simulator.consumers import PaceOptions
from exporter.simulator.cursors import encode_cursor
from exporter.simulator.views import CheckpointRow
from exporter.simulator.world import World

GroupPlace = tuple[str, str, str]
"""A project, a logstore and a consumer group."""

_UNREADABLE = ("%%%", "bm8gbnVtYmVy", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk=", "MTc-")
_FLUSH_SECONDS = (10.0, 60.0, 120.0)


class Crew:
    """The consumers of a world by group, with the shards that each is stuck on."""

    def __init__(self, world: World, chance: random.Random, *, quiet: str) -> None:
        """In the ``quiet`` project nothing happens by chance."""
        self._world = world
        self._quiet = quiet
        self._chance = chance
        self._numbers = count(1)
        self._moved: deque[tuple[GroupPlace, int, str]] = deque(maxlen=4)
        self._members: defaultdict[GroupPlace, dict[str, set[int]]] = defaultdict(dict)
        self.acts: dict[str, Callable[[], str | None]] = {
            "consumer started": lambda: self._with_group(self.start),
            "consumer stopped": lambda: self._with_member(self._stop),
            "consumer crashed": lambda: self._with_member(self._crash),
            "rebalanced": lambda: self._with_group(self.rebalance),
            "shard frozen": lambda: self._with_member(self._freeze),
            "shard thawed": lambda: self._with_member(self._thaw),
            "checkpoint rewritten": self._rewrite,
            "rewriter at work": lambda: self._with_group(self._start_rewriter),
            "checkpoint moved": self._move,
            "checkpoint unreadable": lambda: self._with_group(self._garble),
            "checkpoint emptied": lambda: self._with_group(self._empty),
        }

    def forget(self, place: tuple[str, ...]) -> None:
        """Forget the consumers of a deleted project, logstore or group."""
        for group in [each for each in self._members if each[: len(place)] == place]:
            del self._members[group]

    def start(self, place: GroupPlace) -> str:
        """Add one consumer that reads some of the shards or all of them."""
        shards = self._shards(place)
        taken = self._chance.sample(shards, self._chance.randint(1, len(shards)))
        name = self._join(
            place,
            taken,
            max_rate=self._chance.choice((None, None, None, 0.02)),
            writes_as=self._chance.choice((None, None, None, "")),
        )
        return f"{name} reads {sorted(taken)}"

    def rebalance(self, place: GroupPlace) -> str | None:
        """Distribute the shards among the consumers again."""
        names = sorted(self._members[place])
        if not names:
            return None
        owners: dict[str, list[int]] = {name: [] for name in names}
        for shard in self._shards(place):
            owners[self._chance.choice(names)].append(shard)
        for name, stuck in self._members[place].items():
            stuck.intersection_update(owners[name])  # a new owner of a shard is not stuck
        self._world.assign(*place, owners)
        return f"{owners}"

    def _join(self, place: GroupPlace, shards: list[int], **pace: Unpack[PaceOptions]) -> str:
        name = f"w-{next(self._numbers)}"
        pace["flush_interval"] = self._chance.choice(_FLUSH_SECONDS)
        self._world.start_consumer(*place, name, shards=shards, **pace)
        self._members[place][name] = set()
        for stuck in self._members[place].values():
            stuck.difference_update(shards)
        return name

    def _stop(self, place: GroupPlace, name: str) -> str:
        self._world.stop_consumer(*place, name)
        del self._members[place][name]
        return name

    def _crash(self, place: GroupPlace, name: str) -> str:
        self._world.crash_consumer(*place, name)
        del self._members[place][name]
        return name

    def _freeze(self, place: GroupPlace, name: str) -> str | None:
        for shard in self._shards(place):
            try:
                self._world.freeze_shard(*place, name, shard)
            except KeyError:
                continue  # another one's
            self._members[place][name].add(shard)
            return f"{name} at {shard}"
        return None

    def _thaw(self, place: GroupPlace, name: str) -> str | None:
        stuck = self._members[place][name] & set(self._shards(place))
        if not stuck:
            return None
        shard = min(stuck)
        self._members[place][name].remove(shard)
        self._world.thaw_shard(*place, name, shard)
        return f"{name} at {shard}"

    def _rewrite(self) -> str | None:
        """Write a checkpoint again that was moved by hand, if one still stands, or any."""
        for place, shard, text in reversed(self._moved):
            if place in self._places():
                for row in self._world.checkpoints(*place, shard):
                    if row.checkpoint == text:
                        return self._write_again(place, [row])
        return self._with_group(
            lambda place: self._write_again(place, self._world.checkpoints(*place))
        )

    def _write_again(self, place: GroupPlace, rows: Sequence[CheckpointRow]) -> str | None:
        written = [row for row in rows if row.checkpoint]
        for row in written:
            self._world.update_checkpoint(*place, row.shard, row.checkpoint, consumer=row.consumer)
        return f"{'/'.join(place)} {[row.shard for row in written]}" if written else None

    def _start_rewriter(self, place: GroupPlace) -> str:
        shards = self._shards(place)
        name = self._join(place, shards, rewrite=True)
        for shard in shards[::2]:
            self._world.freeze_shard(*place, name, shard)
            self._members[place][name].add(shard)
        return name

    def _move(self) -> str | None:
        """Set a checkpoint, preferably in a group without consumers that would overwrite it."""
        places = self._places()
        idle = [place for place in places if not self._members.get(place)]
        if not places:
            return None
        place = self._chance.choice(idle or places)
        truths = {shard: self._world.truth(*place, shard) for shard in self._shards(place)}
        shard = max(truths, key=lambda shard: truths[shard].end - truths[shard].begin)
        truth = truths[shard]
        anywhere = self._chance.randint(truth.begin, truth.end)
        ahead = truth.end + self._chance.randint(1, 9)
        cursor = self._chance.choice((truth.begin - 1, anywhere, anywhere, ahead))
        owner = f"w-{self._chance.randint(1, 9)}"
        self._world.update_checkpoint(*place, shard, cursor, consumer=owner)
        if cursor < truth.end:
            self._moved.append((place, shard, encode_cursor(cursor)))
        return f"{'/'.join(place)}: {shard} to {cursor - truth.end} from its end"

    def _garble(self, place: GroupPlace) -> str:
        return self._overwrite(place, self._chance.choice(_UNREADABLE))

    def _empty(self, place: GroupPlace) -> str:
        return self._overwrite(place, "")

    def _overwrite(self, place: GroupPlace, text: str) -> str:
        shard = self._chance.choice(self._shards(place))
        self._world.update_checkpoint(*place, shard, text, consumer="by-hand")
        return f"{shard}: {text!r}"

    def _with_group(self, act: Callable[[GroupPlace], str | None]) -> str | None:
        """Call ``act`` for a random group, and return what it did to which group."""
        places = self._places()
        if not places:
            return None
        place = self._chance.choice(places)
        told = act(place)
        return None if told is None else f"{'/'.join(place)}: {told}"

    def _places(self) -> list[GroupPlace]:
        return [
            (project.name, logstore, group.name)
            for project in self._world.projects()
            if project.name != self._quiet
            for logstore in self._world.logstores(project.name)
            for group in self._world.groups(project.name, logstore)
        ]

    def _with_member(self, act: Callable[[GroupPlace, str], str | None]) -> str | None:
        """Call ``act`` for consumers in random order until it applies to one of them."""
        members = [(place, name) for place, names in self._members.items() for name in names]
        self._chance.shuffle(members)
        for place, name in members:
            told = act(place, name)
            if told is not None:
                return f"{'/'.join(place)}: {told}"
        return None

    def _shards(self, place: GroupPlace) -> list[int]:
        return [row.shard for row in self._world.shards(place[0], place[1])]
