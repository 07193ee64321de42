"""Targets whose series would be those of another target, so that they are not polled.

The endpoint is not a label of a series. Two logstores of one name at two endpoints therefore need
different labels in the configuration.
"""

from collections.abc import Iterable, Iterator

from exporter.model.snapshot import Conflict, Labels
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


def _series(target: Target) -> Iterator[_Series]:
    names = target.key.names
    yield names, target.labels
    for group in target.groups:
        yield (*names, group.name), group.settings.labels
