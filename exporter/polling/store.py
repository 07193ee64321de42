"""The newest status of each target and of each listing. Readers get an immutable view.

A poll replaces the status of a group whenever it has read more of it. At its end, it replaces the
status of the whole target. A value that the new status lacks is removed.
"""

import threading
from collections.abc import Collection, Mapping
from types import MappingProxyType

from msgspec.structs import replace

from exporter.model.names import EntryKey, TargetKey
from exporter.model.snapshot import Conflict, EntryStatus, GroupStatus, TargetStatus, View


class Store:
    """The newest status of each target and listing. Readers get an immutable view of them all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._statuses: dict[TargetKey, TargetStatus | None] = {}
        self._pending: set[TargetKey] = set()
        self._entries: dict[EntryKey, EntryStatus] = {}
        self._expected: Mapping[TargetKey, Collection[str]] = MappingProxyType({})
        self._conflicts: tuple[Conflict, ...] = ()
        self._matches: Mapping[str, int] = MappingProxyType({})

    def expect(
        self,
        targets: Mapping[TargetKey, Collection[str]],
        conflicts: tuple[Conflict, ...] = (),
        matches: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        """Apply new targets with their groups: forget removed ones, wait for new ones."""
        with self._lock:
            self._conflicts, self._matches = conflicts, matches
            known, self._expected = self._statuses, targets
            self._statuses = {key: _only(known.get(key), targets[key]) for key in sorted(targets)}
            self._pending = {
                key for key in targets if key in self._pending or known.get(key) is None
            }

    def get(self, key: TargetKey) -> TargetStatus | None:
        """Return the newest status of a target, None if nothing of it has been read."""
        return self._statuses.get(key)

    def put(self, status: TargetStatus) -> None:
        """Store the status of a target after a poll, without groups that have been removed."""
        with self._lock:
            groups = self._expected.get(status.key)
            if groups is not None:
                # Change it in place. Readers make the copy, as scrapes are rarer than polls.
                self._statuses[status.key] = _only(status, groups)
                self._pending.discard(status.key)

    def put_group(self, key: TargetKey, group: GroupStatus, *, monotonic: float) -> bool:
        """Store the status of a group during a poll; return False if it has been removed.

        ``monotonic`` is the time of the poll.
        """
        name = group.key.consumer_group
        with self._lock:
            if name not in self._expected.get(key, ()):
                return False
            known = self._statuses.get(key)
            if known is None:
                known = TargetStatus(
                    key=key, groups=(), polled_monotonic=monotonic, stale_after=group.stale_after
                )
            groups = {each.key.consumer_group: each for each in known.groups} | {name: group}
            in_order = tuple(groups[each] for each in sorted(groups))
            self._statuses[key] = replace(known, groups=in_order)
            return True

    def put_entry(self, status: EntryStatus) -> None:
        """Store the status of a listing after an attempt."""
        with self._lock:
            self._entries[status.key] = status

    def keep_entries(self, keys: Collection[EntryKey]) -> None:
        """Forget all other listings."""
        with self._lock:
            self._entries = {key: each for key, each in self._entries.items() if key in keys}

    def view(self) -> View:
        """Return the current view of all targets and listings."""
        with self._lock:
            statuses, pending = self._statuses.copy(), frozenset(self._pending)
            entries, conflicts, matches = self._entries.copy(), self._conflicts, self._matches
        return View(
            targets=tuple(status for status in statuses.values() if status is not None),
            entries=tuple(entries[key] for key in sorted(entries)),
            conflicts=conflicts,
            matches=matches,
            pending=pending,
        )


def _only(status: TargetStatus | None, groups: Collection[str]) -> TargetStatus | None:
    if status is None:
        return None
    kept = tuple(group for group in status.groups if group.key.consumer_group in groups)
    return status if len(kept) == len(status.groups) else replace(status, groups=kept)
