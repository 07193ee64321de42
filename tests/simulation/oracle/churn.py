"""An account with random creation and deletion of logstores, groups, shards, data and consumers."""

import random
from collections import Counter
from collections.abc import Callable
from itertools import count

from exporter.simulator.errors import ServiceError
from exporter.simulator.world import World
from tests.simulation.oracle.crew import Crew
from tests.simulation.oracle.deck import Deck
from tests.simulation.oracle.listings import Place
from tests.support.held_clock import HeldClock

START = 1_700_000_000.0
_HOUR = 3600.0
_PAST_HOURS = 27  # longer than the shortest retention time
_LEAST_LOGSTORES = 6
_MOST_LOGSTORES = 5  # of the project in which more come
_MOST_SHARDS = 6
_MOST_GROUPS = 4
_PROJECTS = ("bank", "shop", "yard")
_LITERALS = (("bank", "ledger"), ("bank", "cards"), ("bank", "fees"), ("yard", "gate"))
# Here nothing happens but that data expires, so that the exporter's memory lasts until then.
_QUIET = ("vault", "old")
_QUIET_GROUPS = ("audit", "risk", "sweep", "job-1")
_GROUPS = ("audit", "risk", "sweep", "job-1", "job-2", "etl-1")
_OFTEN = (
    *("logstore created", "group created", "consumer started") * 2,
    *("logstore created", "logstore recreated") * 2,
    *("checkpoint moved", "checkpoint rewritten"),
)


class Churn:
    """Makes a world with a past of more than a day, then changes it at random.

    ``counts`` are the changes so far by kind, ``told`` those of the newest round in words.
    """

    def __init__(self, chance: random.Random) -> None:
        self.held = HeldClock(START - _PAST_HOURS * _HOUR)
        self.world = World(wall=self.held.wall)
        self.counts: Counter[str] = Counter()
        self.told: list[str] = []
        self._chance = chance
        self._numbers = count(1)
        self._crew = Crew(self.world, chance, quiet=_QUIET[0])
        self._drained: set[tuple[tuple[str, str, int], int]] = set()
        self._acts: dict[str, Callable[[], str | None]] = {
            "logstore created": self._create_logstore,
            "logstore deleted": self._delete_logstore,
            "logstore recreated": self._recreate_logstore,
            "project deleted": self._delete_project,
            "project restored": self._restore_project,
            "group created": self._create_group,
            "group deleted": self._delete_group,
            "group recreated": self._recreate_group,
            "shard split": self._split,
            "shards merged": self._merge,
            "producers started": self._start_producers,
            "producers stopped": self._stop_producers,
            "burst written": self._write,
            **self._crew.acts,
        }
        # Create as much as is deleted, so that the world does not shrink.
        self._deck = Deck((*self._acts, *_OFTEN), chance)
        self._begin()

    @property
    def kinds(self) -> list[str]:
        """All kinds of changes."""
        return [*self._acts, "shard vanished"]

    def step(self, most: int) -> None:
        """Let up to so many things happen now."""
        self.told = []
        self._look_for_vanished()
        for _ in range(self._chance.randint(0, most)):
            kind = self._deck.draw()
            told = self._acts[kind]() if kind is not None else None
            if kind is not None and told is not None:
                self.counts[kind] += 1
                self.told.append(f"{kind}: {told}")

    def _begin(self) -> None:
        for project in _PROJECTS:
            self.world.create_project(project)
        for place in (*_LITERALS, ("shop", "orders"), ("shop", "clicks")):
            self._furnish(place, shards=3, ttl_days=1 if place[1] != "cards" else 3)
        self.world.create_project(_QUIET[0])
        self.world.create_logstore(*_QUIET, shards=3, ttl_days=1)
        for shard in range(3):
            self.world.set_producer(*_QUIET, shard, 30.0)
        for name in _QUIET_GROUPS:
            self._open_group((*_QUIET, name))
            self.world.start_consumer(*_QUIET, name, "w-0", shards=range(3))
        # The drained shards are deleted 15 minutes after the start. From then on, data expires
        # unread now and then.
        self.held.set(START - 23.75 * _HOUR)
        for place in (("bank", "ledger"), ("bank", "fees"), ("shop", "orders")):
            self.world.split_shard(*place, 0)
            for group in self.world.groups(*place):
                self._crew.rebalance((*place, group.name))
        for number, name in enumerate(_QUIET_GROUPS):
            self.held.set(START - (23.7 - 1.3 * number) * _HOUR)
            self.world.crash_consumer(*_QUIET, name, "w-0")
            if number < 2:
                self.world.split_shard(*_QUIET, number)
        self.held.set(START)

    def _furnish(self, place: Place, *, shards: int, ttl_days: int) -> None:
        """Create a logstore with some activity."""
        self.world.create_logstore(*place, shards=shards, ttl_days=ttl_days)
        for shard in range(shards):
            self.world.write(*place, shard, 3)
            self.world.set_producer(*place, shard, self._chance.choice((None, 5.0, 20.0, 60.0)))
        for name in ("audit", "risk", "job-1"):
            self._open_group((*place, name))
            for _ in range(self._chance.choice((0, 1, 2, 2))):
                self._crew.start((*place, name))

    def _create_logstore(self) -> str | None:
        absent = [each for each in (*_LITERALS, ("yard", "shed")) if each not in self._places()]
        absent = [each for each in absent if each[0] in self._projects()]
        if "shop" in self._projects() and len(self.world.logstores("shop")) < _MOST_LOGSTORES:
            absent.append(("shop", f"l-{next(self._numbers)}"))
        if not absent:
            return None
        place = self._chance.choice(absent)
        self._furnish(place, shards=self._chance.randint(1, 4), ttl_days=1)
        return "/".join(place)

    def _delete_logstore(self) -> str | None:
        places = self._places()
        if len(places) < _LEAST_LOGSTORES:
            return None
        place = self._chance.choice(places)
        self.world.delete_logstore(*place)
        self._crew.forget(place)
        return "/".join(place)

    def _recreate_logstore(self) -> str | None:
        places = self._places()
        if not places:
            return None
        place = self._chance.choice(places)
        self.world.delete_logstore(*place)
        self._crew.forget(place)
        self._furnish(
            place, shards=self._chance.randint(1, 3), ttl_days=self._chance.choice((1, 2))
        )
        return "/".join(place)

    def _delete_project(self) -> str | None:
        if len(self._projects()) < len(_PROJECTS):
            return None
        project = self._chance.choice(_PROJECTS)
        self.world.delete_project(project)
        self._crew.forget((project,))
        return project

    def _restore_project(self) -> str | None:
        gone = [each for each in _PROJECTS if each not in self._projects()]
        for project in gone:
            self.world.create_project(project)
            for place in (*_LITERALS, ("shop", "orders")):
                if place[0] == project:
                    self._furnish(place, shards=self._chance.randint(1, 4), ttl_days=2)
        return gone[0] if gone else None

    def _create_group(self) -> str | None:
        place = self._place()
        there = {row.name for row in self.world.groups(*place)} if place else set()
        absent = [name for name in _GROUPS if name not in there]
        if place is None or not absent or len(there) >= _MOST_GROUPS:
            return None
        name = self._chance.choice(absent)
        self._open_group((*place, name))
        return f"{'/'.join(place)}/{name}"

    def _delete_group(self) -> str | None:
        place = self._removed_group()
        return "/".join(place) if place else None

    def _recreate_group(self) -> str | None:
        place = self._removed_group()
        if place is None:
            return None
        self._open_group(place)
        self._crew.start(place)
        return "/".join(place)

    def _removed_group(self) -> tuple[str, str, str] | None:
        place = self._place()
        groups = self.world.groups(*place) if place else []
        if place is None or not groups:
            return None
        removed = (*place, self._chance.choice(groups).name)
        self.world.delete_group(*removed)
        self._crew.forget(removed)
        return removed

    def _split(self) -> str | None:
        place = self._place()
        if place is None or len(self.world.shards(*place)) >= _MOST_SHARDS:
            return None
        parent = self._chance.choice(self._writable(place))
        children = self.world.split_shard(*place, parent)
        return f"{'/'.join(place)}: {parent} into {children}{self._maybe_rebalanced(place)}"

    def _merge(self) -> str | None:
        place = self._place()
        if place is None:
            return None
        for shard in self._writable(place):
            try:
                child = self.world.merge_shards(*place, shard)
            except ServiceError:
                continue  # it has no neighbor
            return f"{'/'.join(place)}: {shard} into {child}{self._maybe_rebalanced(place)}"
        return None

    def _maybe_rebalanced(self, place: Place) -> str:
        """Let some of the groups detect new shards."""
        groups = [row.name for row in self.world.groups(*place) if self._chance.random() < 0.6]
        for name in groups:
            self._crew.rebalance((*place, name))
        return f", noticed by {groups}"

    def _start_producers(self) -> str | None:
        return self._with_shards(
            lambda place, shard: self.world.set_producer(
                *place, shard, self._chance.choice((3.0, 20.0, 90.0))
            )
        )

    def _stop_producers(self) -> str | None:
        return self._with_shards(lambda place, shard: self.world.set_producer(*place, shard, None))

    def _write(self) -> str | None:
        return self._with_shards(
            lambda place, shard: self.world.write(*place, shard, self._chance.randint(1, 40))
        )

    def _with_shards(self, act: Callable[[Place, int], None]) -> str | None:
        place = self._place()
        if place is None:
            return None
        writable = self._writable(place)
        shards = self._chance.sample(writable, self._chance.randint(1, len(writable)))
        for shard in shards:
            act(place, shard)
        return f"{'/'.join(place)} {sorted(shards)}"

    def _look_for_vanished(self) -> None:
        logstores = {
            (*place, self.world.logstore(*place).created): place
            for place in (*self._places(), _QUIET)
        }
        drained = {
            (logstore, row.shard)
            for logstore, place in logstores.items()
            for row in self.world.shards(*place)
            if row.status == "readonly"
        }
        for logstore, shard in sorted(self._drained - drained):
            if logstore in logstores:
                self.counts["shard vanished"] += 1
                self.told.append(f"shard vanished: {logstore[0]}/{logstore[1]} {shard}")
        self._drained = drained

    def _open_group(self, place: tuple[str, str, str]) -> None:
        self.world.create_group(
            *place,
            timeout=self._chance.choice((30, 60)),
            order=self._chance.random() < 0.5,
            empty_until_heartbeat=self._chance.random() < 0.5,
        )

    def _projects(self) -> list[str]:
        return [row.name for row in self.world.projects() if row.name != _QUIET[0]]

    def _place(self) -> Place | None:
        places = self._places()
        return self._chance.choice(places) if places else None

    def _places(self) -> list[Place]:
        return [
            (project, name)
            for project in self._projects()
            for name in self.world.logstores(project)
        ]

    def _writable(self, place: Place) -> list[int]:
        return [row.shard for row in self.world.shards(*place) if row.status == "readwrite"]
