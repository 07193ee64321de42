"""The logstores and groups to watch, according to the listings.

A successful listing replaces the previous one, even if it is empty. A failed listing changes
nothing. If the project or logstore does not exist, the listing becomes empty.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from exporter.simulator.views import GroupRow
from exporter.simulator.world import World
from tests.simulation.oracle.account import Entry, is_plain
from tests.simulation.oracle.comparing import Allowed, exactly
from tests.simulation.oracle.fates import Fate, Fates, Refused, answer

Place = tuple[str, str]
"""A project and a logstore."""

Failures = Counter[tuple[str, str, str, str]]
"""By project, logstore, consumer group and code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A watched group: the entry that selects it, and its row in the listing, if any."""

    entry: Entry
    row: GroupRow | None


Watch = Mapping[str, Watched]
"""The groups of a logstore by name."""


class Listings:
    """The last successful listings."""

    def __init__(self, world: World, entries: Sequence[Entry], endpoint: Callable[[], str]) -> None:
        self._world = world
        self._entries = entries
        self._endpoint = endpoint
        self._logstores: dict[str, list[str]] = {}
        self._groups: dict[Place, list[GroupRow]] = {}
        self._asked: set[Place] = set()
        self._successes: dict[Place, float] = {}
        self.failures: Failures = Counter()
        """Failures of the latest round."""

    def before_any(self) -> dict[Place, Watch]:
        """Return what the configuration names in full."""
        places = [
            (each.project, each.logstore) for each in self._entries if is_plain(each.logstore)
        ]
        return self._merged(
            (place, entry, _chosen(entry, [])) for entry, place in self._matching(places)
        )

    def resolve(self, fates: Fates) -> dict[Place, Watch]:
        """List all names, and return the targets to watch."""
        self.failures = Counter()
        self._asked = set()
        found = []
        listed: dict[Place, list[GroupRow]] = {}
        places = [
            (entry.project, logstore)
            for entry in self._entries
            for logstore in self._names(entry, fates)
        ]
        for entry, place in self._matching(places):
            rows: list[GroupRow] = []
            if not all(map(is_plain, entry.groups)):
                rows = listed[place] = self._rows(place, fates)
            found.append((place, entry, _chosen(entry, rows)))
        asked = self._asked
        self._groups = {place: rows for place, rows in self._groups.items() if place in asked}
        self._successes = {place: at for place, at in self._successes.items() if place in asked}
        # The listing that one entry needs describes the groups of all entries.
        rows_of = {place: {row.name: row for row in rows} for place, rows in listed.items()}
        return {
            place: {
                name: replace(each, row=rows_of.get(place, {}).get(name))
                for name, each in watch.items()
            }
            for place, watch in self._merged(found).items()
        }

    def series(self) -> Iterator[tuple[str, dict[str, str], Allowed]]:
        """Yield the series of the listings of the latest round."""
        failing = {(project, logstore) for project, logstore, _, _ in self.failures}
        for place in self._asked:
            labels = {
                "sls_endpoint": self._endpoint(),
                "project": place[0],
                "logstore": place[1],
            }
            yield "sls_exporter_discovery_success", labels, exactly(place not in failing)
            if place in self._successes:
                name = "sls_exporter_discovery_last_success_timestamp_seconds"
                yield name, labels, exactly(self._successes[place])

    def _matching(self, places: Iterable[Place]) -> Iterator[tuple[Entry, Place]]:
        """Yield each entry with the places that it matches, whichever entry found them."""
        every = dict.fromkeys(places)
        for entry in self._entries:
            for place in every:
                if entry.project == place[0] and re.fullmatch(entry.logstore, place[1]):
                    yield entry, place

    def _names(self, entry: Entry, fates: Fates) -> list[str]:
        if is_plain(entry.logstore):
            return [entry.logstore]
        project = entry.project
        if self._is_first(project, ""):
            fate = fates.of("ListLogStores", project)
            listed = answer(lambda: self._world.logstores(project), fate)
            if not isinstance(listed, Refused):
                self._logstores[project] = listed
                self._successes[project, ""] = self._world.now()
            elif self._is_gone(listed, (project, "")):
                self._logstores.pop(project, None)
        known = self._logstores.get(project, [])
        return [name for name in known if re.fullmatch(entry.logstore, name)]

    def _rows(self, place: Place, fates: Fates) -> list[GroupRow]:
        if self._is_first(*place):
            fate = fates.of("ListConsumerGroup", *place)
            listed = answer(lambda: self._world.groups(*place), fate)
            if not isinstance(listed, Refused):
                self._groups[place] = listed
                self._successes[place] = self._world.now()
            elif self._is_gone(listed, place):
                self._groups.pop(place, None)
        return self._groups.get(place, [])

    def _is_first(self, project: str, logstore: str) -> bool:
        """Return whether the round has not read a listing yet, which it does once."""
        place = project, logstore
        is_first = place not in self._asked
        self._asked.add(place)
        return is_first

    def _is_gone(self, refused: Refused, place: Place) -> bool:
        self.failures[(*place, "", refused.code)] += 1
        return refused.fate is Fate.GONE

    @staticmethod
    def _merged(
        found: Iterable[tuple[Place, Entry, Mapping[str, GroupRow | None]]],
    ) -> dict[Place, Watch]:
        """Assign a group that several entries select to the first of them."""
        merged: dict[Place, dict[str, Watched]] = {}
        for place, entry, rows in found:
            for name in sorted(rows):
                watch = merged.setdefault(place, {})
                watch.setdefault(name, Watched(entry=entry, row=rows[name]))
        return dict(merged)


def _chosen(entry: Entry, rows: Sequence[GroupRow]) -> dict[str, GroupRow | None]:
    """Return the groups that are named in full, and listed groups that match a pattern."""
    found: dict[str, GroupRow | None] = dict.fromkeys(filter(is_plain, entry.groups))
    found |= {
        row.name: row for row in rows if any(re.fullmatch(each, row.name) for each in entry.groups)
    }
    return {
        name: row
        for name, row in found.items()
        if not any(re.fullmatch(each, name) for each in entry.exclude)
    }
