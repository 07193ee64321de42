"""Projects, logstores, shards and producers by a wall clock: an account without consumers.

It needs no thread, since each call first updates everything to the time of the clock, in the order
of time. Events since the last call are computed, not replayed.
"""

import heapq
import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from exporter.simulator.cursors import decode_cursor
from exporter.simulator.errors import (
    ServiceError,
    invalid_cursor,
    logstore_not_exist,
    project_not_exist,
)
from exporter.simulator.logstore import Logstore, Project
from exporter.simulator.views import LogGroupRow, LogstoreRow, ProjectRow, PulledRows, ShardRow


class Storage:
    """A thread-safe account. If an object does not exist, methods raise the error of the API.

    If the wall clock steps back, the time of the world stops until the clock has caught up.
    """

    def __init__(self, *, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._lock = threading.RLock()
        self._now = wall()
        self._projects: dict[str, Project] = {}
        self._events: list[tuple[float, int, float, Callable[[], None]]] = []
        self._event_ids = itertools.count()
        self._in_event = False
        self.times_empty_shards = False
        """Whether GetCursorTime returns the current time for a shard without data.

        Otherwise it returns InvalidCursor. The documentation allows both.
        """
        self.times_end = False
        """Whether GetCursorTime returns the current time for the END cursor of any shard."""

    def now(self) -> float:
        """Return the world's time in unix seconds."""
        with self._present() as now:
            return now

    def every(self, seconds: float, action: Callable[[], None]) -> None:
        """Run an action repeatedly, with the world at exactly that time. It must not fail.

        This is for spontaneous events, such as rebalances.
        """
        with self._present() as now:
            event = (now + seconds, next(self._event_ids), seconds, action)
            heapq.heappush(self._events, event)

    # Projects and logstores

    def create_project(self, name: str, region: str = "cn-shanghai") -> None:
        """Create a project. Raises ServiceError if it exists."""
        with self._present() as now:
            if name in self._projects:
                raise ServiceError(400, "ProjectAlreadyExist", f"project {name} already exists")
            self._projects[name] = Project(name=name, region=region, created=now)

    def delete_project(self, name: str) -> None:
        """Delete a project with its logstores."""
        with self._present():
            self._project(name)
            del self._projects[name]

    def create_logstore(
        self,
        project: str,
        name: str,
        *,
        shards: int = 2,
        ttl_days: int = 7,
        first_cursor: int | None = None,
    ) -> None:
        """Create a logstore whose shards, numbered from 0, divide the keys evenly.

        The cursors of each shard begin at first_cursor; without it, at about its birth in ns.
        """
        with self._present() as now:
            logstores = self._project(project).logstores
            if name in logstores:
                raise ServiceError(400, "LogStoreAlreadyExist", f"logstore {name} already exists")
            logstores[name] = Logstore(
                name, shards=shards, ttl_days=ttl_days, now=now, first_cursor=first_cursor
            )

    def delete_logstore(self, project: str, name: str) -> None:
        """Delete a logstore with its data and its consumer groups."""
        with self._present():
            self._logstore(project, name)
            del self._project(project).logstores[name]

    def projects(self) -> list[ProjectRow]:
        """List the projects by name."""
        with self._present():
            return [
                ProjectRow(name=name, region=project.region, created=int(project.created))
                for name, project in sorted(self._projects.items())
            ]

    def logstores(self, project: str) -> list[str]:
        """List the names of a project's logstores, sorted."""
        with self._present():
            return sorted(self._project(project).logstores)

    def logstore(self, project: str, logstore: str) -> LogstoreRow:
        """Describe a logstore."""
        with self._present():
            store = self._logstore(project, logstore)
            writable = [shard for shard in store.shards.values() if shard.readonly_since is None]
            return LogstoreRow(
                name=store.name,
                ttl_days=store.ttl_days,
                shard_count=len(writable),
                created=int(store.created),
            )

    # Shards and data

    def shards(self, project: str, logstore: str) -> list[ShardRow]:
        """List the shards by id, including read-only ones until they expire."""
        with self._present():
            return [
                ShardRow(
                    shard=shard.shard_id,
                    status=shard.status,
                    inclusive_begin_key=f"{shard.begin_key:032x}",
                    exclusive_end_key=f"{shard.end_key:032x}",
                    created=int(shard.created),
                )
                for shard in self._logstore(project, logstore).shards.values()
            ]

    def split_shard(self, project: str, logstore: str, shard: int) -> tuple[int, int]:
        """Split a shard into two new ones. It stays as read-only until its data has expired.

        Its producer writes to the new shards at the same total rate. They have no consumer until
        they are assigned to one.
        """
        with self._present() as now:
            return self._logstore(project, logstore).split(shard, now)

    def merge_shards(self, project: str, logstore: str, shard: int) -> int:
        """Merge a shard and its right neighbor into a new one. Both stay as read-only."""
        with self._present() as now:
            return self._logstore(project, logstore).merge(shard, now)

    def write(self, project: str, logstore: str, shard: int, count: int = 1) -> None:
        """Write some log groups now."""
        with self._present() as now:
            self._logstore(project, logstore).writable(shard).log.append(now, count)

    def put_log_group(self, project: str, logstore: str, hash_key: str | None = None) -> int:
        """Write one log group now, and return its shard.

        It is the writable shard for the hash key, or the emptiest one without a key.
        """
        with self._present() as now:
            shard = self._logstore(project, logstore).route(hash_key, now)
            shard.log.append(now, 1)
            return shard.shard_id

    def set_producer(
        self, project: str, logstore: str, shard: int, interval: float | None = 1.0
    ) -> None:
        """Write one log group per interval (seconds), the first after one; None stops it."""
        with self._present() as now:
            self._logstore(project, logstore).writable(shard).log.set_producer(now, interval)

    def begin_cursor(
        self, project: str, logstore: str, shard: int, *, seconds_ago: float = 0.0
    ) -> int:
        """Return the position of the first log group that is retained, or was ``seconds_ago``."""
        with self._present() as now:
            return self._logstore(project, logstore).shard(shard).begin_cursor(now - seconds_ago)

    def end_cursor(self, project: str, logstore: str, shard: int) -> int:
        """Return the position of the next log group to be written."""
        with self._present() as now:
            return self._logstore(project, logstore).shard(shard).end_cursor(now)

    def cursor_since(self, project: str, logstore: str, shard: int, instant: float) -> int:
        """Return the position of the first retained log group received at or after an instant."""
        with self._present() as now:
            found = self._logstore(project, logstore).shard(shard)
            index = min(found.log.since(instant), found.log.end(now))
            return found.birth + max(found.log.begin(now), index)

    def cursor_time(self, project: str, logstore: str, shard: int, cursor: str) -> int:
        """Return when the log group at a cursor was received, in whole unix seconds.

        Raises ServiceError InvalidCursor if it has expired, is not written yet or is unreadable.
        It may return the current time, see ``times_empty_shards`` and ``times_end``.
        """
        with self._present() as now:
            found = self._logstore(project, logstore).shard(shard)
            position = decode_cursor(cursor)
            begin, end = found.begin_cursor(now), found.end_cursor(now)
            if position is not None and begin == end >= position and self.times_empty_shards:
                return int(now)
            if position == end and self.times_end:
                return int(now)
            if position is None or not begin <= position < end:
                raise invalid_cursor(cursor)
            return int(found.log.received(position - found.birth))

    def pull(
        self,
        project: str,
        logstore: str,
        shard: int,
        cursor: str,
        *,
        end_cursor: str | None = None,
        count: int = 1000,
    ) -> PulledRows:
        """Return the log groups from a cursor on, up to a number or to an END cursor.

        Raises ServiceError InvalidCursor if the first one has expired or a cursor is unreadable.
        """
        with self._present() as now:
            found = self._logstore(project, logstore).shard(shard)
            first, end = decode_cursor(cursor), found.end_cursor(now)
            if first is None or not found.begin_cursor(now) <= first <= end:
                raise invalid_cursor(cursor)
            last = end if end_cursor is None else decode_cursor(end_cursor)
            if last is None:
                raise invalid_cursor(end_cursor or "")
            until = max(first, min(first + count, last, end))
            rows = [
                LogGroupRow(position, found.log.received(position - found.birth))
                for position in range(first, until)
            ]
            return PulledRows(rows, until, until == end)

    def received(self, project: str, logstore: str, shard: int, cursor: int) -> float | None:
        """Return when a log group was received, even one that has expired; None if there is none.

        This is for test oracles, since the API does not return the times of expired log groups.
        """
        with self._present() as now:
            found = self._logstore(project, logstore).shard(shard)
            index = cursor - found.birth
            return found.log.received(index) if 0 <= index < found.log.end(now) else None

    # Time and lookups

    @contextmanager
    def _present(self) -> Iterator[float]:
        """Hold the lock, with the world updated to the time of the clock."""
        with self._lock:
            if not self._in_event:
                self._catch_up(max(self._now, self._wall()))
            yield self._now

    def _catch_up(self, now: float) -> None:
        # Only events need to be run in order. Readers, flushes and retention are computed from
        # the logs when they are queried.
        while self._events and self._events[0][0] <= now:
            at, event_id, seconds, action = self._events[0]
            heapq.heapreplace(self._events, (at + seconds, event_id, seconds, action))
            self._now = at
            self._in_event = True
            try:
                action()
            finally:
                self._in_event = False
        self._now = now

    def _project(self, name: str) -> Project:
        try:
            return self._projects[name]
        except KeyError:
            raise project_not_exist(name) from None

    def _logstore(self, project: str, name: str) -> Logstore:
        try:
            store = self._project(project).logstores[name]
        except KeyError:
            raise logstore_not_exist(name) from None
        store.catch_up(self._now)
        return store
