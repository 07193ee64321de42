"""The newest status of each target. Readers get an immutable view.

A poll replaces the status of its target whole, so a value that the new one lacks is removed.
"""

import threading
from collections.abc import Collection, Mapping
from types import MappingProxyType

from msgspec.structs import replace

from exporter.model.names import TargetKey
from exporter.model.snapshot import TargetStatus, View


class Store:
    """The newest status of each target; readers get an immutable view of all of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._statuses: dict[TargetKey, TargetStatus | None] = {}
        self._expected: Mapping[TargetKey, Collection[str]] = MappingProxyType({})

    def expect(self, targets: Mapping[TargetKey, Collection[str]]) -> None:
        """Take over new targets with their groups: forget what left, await what came."""
        with self._lock:
            known, self._expected = self._statuses, targets
            self._statuses = {key: _only(known.get(key), targets[key]) for key in sorted(targets)}

    def get(self, key: TargetKey) -> TargetStatus | None:
        """Return the newest status of a target, None before its first poll."""
        return self._statuses.get(key)

    def put(self, status: TargetStatus) -> None:
        """Put in a target's newest status, but nothing of what has left meanwhile."""
        with self._lock:
            groups = self._expected.get(status.key)
            if groups is not None:
                # In place, and the readers make the copy: there are more polls than scrapes.
                self._statuses[status.key] = _only(status, groups)

    def view(self) -> View:
        """Return what is known now."""
        with self._lock:
            statuses = self._statuses.copy()
        return View(
            targets=tuple(status for status in statuses.values() if status is not None),
            pending=frozenset(key for key, status in statuses.items() if status is None),
        )


def _only(status: TargetStatus | None, groups: Collection[str]) -> TargetStatus | None:
    if status is None:
        return None
    kept = tuple(group for group in status.groups if group.key.consumer_group in groups)
    return status if len(kept) == len(status.groups) else replace(status, groups=kept)
