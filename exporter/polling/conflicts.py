"""Targets whose series would be those of another target, so that they are not polled.

The endpoint is not a label of a series. Two logstores of one name at two endpoints therefore need
different labels in the configuration.
"""

from collections.abc import Collection, Iterable, Iterator

from exporter.logs.logger import Logger
from exporter.model.snapshot import CONFLICT_REMEDY, Conflict, Labels
from exporter.polling.targets import Target

_Series = tuple[tuple[str, ...], Labels]
"""The names and the constant labels of series."""


def separate(targets: Iterable[Target]) -> tuple[tuple[Target, ...], tuple[Conflict, ...]]:
    """Return the targets to poll, and the conflicts of the others.

    The first of several targets with the same series is polled.
    """
    owners: dict[_Series, Target] = {}
    polled: list[Target] = []
    conflicts: list[Conflict] = []
    for target in targets:
        series = [*_series(target)]
        owner = next((owners[each] for each in series if each in owners), None)
        if owner is None:
            owners |= dict.fromkeys(series, target)
            polled.append(target)
        else:
            conflicts.append(Conflict(key=target.key, polled=owner.key))
    return tuple(polled), tuple(sorted(conflicts, key=lambda conflict: conflict.key))


class ConflictReports:
    """The conflicts of the newest targets. Those that begin and those that end are logged."""

    def __init__(self, log: Logger) -> None:
        self._log = log
        self._conflicts: frozenset[Conflict] = frozenset()

    def report(self, conflicts: Collection[Conflict]) -> None:
        """Log the conflicts that are new, and those that have ended."""
        before, self._conflicts = self._conflicts, frozenset(conflicts)
        for conflict in sorted(self._conflicts - before, key=lambda each: each.key):
            self._log.warning(
                "logstore is not polled, because its series would be those of another endpoint",
                **conflict.key._asdict(),
                polled_at=conflict.polled.sls_endpoint,
                remedy=CONFLICT_REMEDY,
            )
        for key in sorted({each.key for each in before} - {each.key for each in conflicts}):
            self._log.info(
                "series of logstore are not those of another endpoint any more", **key._asdict()
            )


def _series(target: Target) -> Iterator[_Series]:
    names = target.key.names
    yield names, target.labels
    for group in target.groups:
        yield (*names, group.name), group.settings.labels
