"""Prediction from the world, poll by poll, of what a scrape must or may show."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from exporter.simulator.server import RequestRecord
from exporter.simulator.world import World
from tests.simulation.oracle.account import Entry
from tests.simulation.oracle.comparing import Allowed, Series, between, exactly, named
from tests.simulation.oracle.fates import Fates
from tests.simulation.oracle.listings import Failures, Listings, Place, Watch
from tests.simulation.oracle.logstore import Logstore
from tests.simulation.oracle.reading import Asked


class Oracle:
    """A prediction for the exporter of an account. The tests report each discovery and each poll.

    ``endpoint`` returns the address of the service. ``seen`` counts the situations that occurred,
    to verify that none was missing.
    """

    def __init__(self, world: World, entries: Sequence[Entry], endpoint: Callable[[], str]) -> None:
        self.seen: Counter[str] = Counter()
        self._world = world
        self._listings = Listings(world, entries, endpoint)
        self._watched: Mapping[Place, Watch] = {}
        self._logstores: dict[Place, Logstore] = {}
        self._errors: Failures = Counter()
        self._polls = 0
        self._take_over(self._listings.before_any())

    @property
    def watched(self) -> Mapping[Place, Watch]:
        """The targets to poll."""
        return self._watched

    def discover(self, fates: Fates) -> None:
        """Apply the current listings, and forget targets that are not listed."""
        watched = self._listings.resolve(fates)
        self._errors += self._listings.failures
        self._take_over(watched)

    def poll(self, records: Sequence[RequestRecord], places: Iterable[Place], fates: Fates) -> None:
        """Poll logstores now. The records are the requests that the service received for it."""
        now = self._world.now()
        for place in places:
            logstore = self._logstores[place]
            logstore.poll(Asked(records, place), fates, now)
            self._errors += logstore.failures
            self._polls += 1

    def series(self) -> dict[Series, Allowed]:
        """Return all that a scrape must or may show now."""
        now = self._world.now()
        polled = {
            named(name, labels): allowed
            for logstore in self._logstores.values()
            for name, labels, allowed in logstore.series(now)
        }
        polled |= {
            named(name, labels): allowed for name, labels, allowed in self._listings.series()
        }
        for (name, labels), allowed in polled.items():
            if name == "sls_consumer_group_shards" and allowed.least:
                self.seen[dict(labels)["state"]] += 1
        errors = {
            named(
                "sls_exporter_poll_errors_total",
                {"project": project, "logstore": logstore, "consumer_group": group, "code": code},
            ): exactly(count)
            for (project, logstore, group, code), count in self._errors.items()
        }
        required = sum(not allowed.optional for allowed in polled.values())
        own = {
            "sls_exporter_series": between(len(polled), required, len(polled)),
            "sls_exporter_series_dropped": exactly(0),
            "sls_exporter_targets": exactly(len(self._watched)),
            "sls_exporter_polls_total": exactly(self._polls),
        }
        return polled | errors | {named(name, {}): allowed for name, allowed in own.items()}

    def _take_over(self, watched: Mapping[Place, Watch]) -> None:
        before, self._watched = self._watched, watched
        for place in before.keys() - watched.keys():
            del self._logstores[place]
            self.seen["logstore left"] += 1
        for place, watch in watched.items():
            left = before.get(place, {}).keys() - watch.keys()
            self.seen["group left"] += len(left)
            if place in self._logstores:
                self._logstores[place].watch(watch)
            else:
                self._logstores[place] = Logstore(self._world, place, watch, self.seen)
        failing = {(project, logstore) for project, logstore, _, _ in self._listings.failures}
        self._errors = Counter(
            {
                (project, logstore, group, code): count
                for (project, logstore, group, code), count in self._errors.items()
                if group in watched.get((project, logstore), {})
                or (not group and (project, logstore) in watched.keys() | failing)
            }
        )
