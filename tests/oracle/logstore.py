"""One watched logstore: what its newest poll found, and what a scrape shows of it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from exporter.simulator.views import CheckpointRow, GroupRow
from exporter.simulator.world import World
from tests.oracle.account import STALE_AFTER, STALL_AFTER
from tests.oracle.fates import Fate, Fates, Refused, answer
from tests.oracle.listings import Failures, Place, Watch
from tests.oracle.reading import Asked, Reading
from tests.oracle.verdicts import STATES, Stand, Verdict, stand

Labels = dict[str, str]

_GROUP = "sls_consumer_group_"
_LOGSTORE = "sls_logstore_"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """A group after its newest poll; without stands there is nothing to be shown of its shards."""

    up: bool = False
    row: GroupRow | None = None
    read_at: float | None = None
    stands: Mapping[int, Stand] | None = None


class Logstore:
    """Follows the polls of one logstore; ``seen`` counts the situations that it met."""

    def __init__(self, world: World, place: Place, watch: Watch, seen: Counter[str]) -> None:
        self._world = world
        self._place = place
        self._watch = watch
        self._seen = seen
        self._reading = Reading(world, place)
        self._groups: dict[str, _Group] = {}
        self._statuses: Counter[str] | None = None
        self._retention: float | None = None
        self._access: bool | None = None
        self._read_at: float | None = None
        """When a poll last had an answer of a group, and so asked for the logstore itself."""
        self._is_polled = self._is_kept = False
        self.failures: Failures = Counter()
        """Those of the newest poll."""

    def watch(self, watch: Watch) -> None:
        """Take over what is to be watched; groups that have left are forgotten."""
        if watch != self._watch:
            self._watch = watch
            self._groups = {name: group for name, group in self._groups.items() if name in watch}

    def poll(self, asked: Asked, fates: Fates, now: float) -> None:
        """Poll at an instant."""
        self._is_polled = True
        reading = self._reading
        reading.begin(asked, fates, now)
        answers = {name: self._checkpoints(name, fates) for name in self._watch}
        good = {name: rows for name, rows in answers.items() if not isinstance(rows, Refused)}
        is_read = bool(good) and self._has_lag
        statuses = reading.shards() if is_read else None
        self._seen["listing too old"] += reading.lacks_listing
        chosen = {name: self._selected(name, good[name], statuses) for name in good}
        verdicts = self._judge(chosen, statuses or {})
        if is_read:
            reading.end()
        if good:
            self._statuses = None if statuses is None else Counter(statuses.values())
            self._retention = reading.retention if is_read else None
            self._access = not reading.denied if is_read else None
            self._read_at = now
        elif all(_is_logstore_gone(rows) for rows in answers.values()):
            self._seen["logstore gone"] += self._read_at is not None
            self._read_at = None
        self._is_kept = not good
        self.failures = Counter(reading.failures)
        for name, rows in answers.items():
            known = self._groups.get(name, _Group())
            if isinstance(rows, Refused):
                self._groups[name] = self._failed(name, known, rows)
            else:
                stands = self._stands(name, known.stands or {}, chosen[name], verdicts, now)
                row = self._watch[name].row
                self._groups[name] = _Group(up=True, row=row, read_at=now, stands=stands)

    def series(self, now: float) -> Iterator[tuple[str, Labels, float]]:
        """Yield what is shown at an instant: names, labels and values."""
        project, logstore = self._place
        labels = {"project": project, "logstore": logstore}
        if not self._is_polled:
            return
        yield from self._of_logstore(labels, now)
        for name, group in self._groups.items():
            its = {**labels, "consumer_group": name}
            yield from _always(group, its)
            if group.stands is not None:
                # What a failed poll has left is as old as the last good one.
                if group.read_at is not None and now - group.read_at <= STALE_AFTER:
                    yield from _of_stands(group.stands, its, now)
                else:
                    self._seen["withdrawn as stale"] += 1

    def _of_logstore(self, labels: Labels, now: float) -> Iterator[tuple[str, Labels, float]]:
        """Yield what was last read of the logstore itself, while it is young enough."""
        if self._read_at is None:
            return
        if now - self._read_at > STALE_AFTER:
            self._seen["logstore withdrawn as stale"] += self._is_kept
            return
        self._seen["logstore kept"] += self._is_kept
        if self._statuses is not None:
            for status in ("readwrite", "readonly"):
                yield f"{_LOGSTORE}shards", {**labels, "status": status}, self._statuses[status]
        if self._retention is not None:
            yield f"{_LOGSTORE}retention_seconds", labels, self._retention
        if self._access is not None:
            self._seen["cursors denied"] += not self._access
            yield "sls_exporter_cursor_access", labels, self._access

    @property
    def _has_lag(self) -> bool:
        return next(iter(self._watch.values())).entry.lag

    def _checkpoints(self, name: str, fates: Fates) -> list[CheckpointRow] | Refused:
        refused = fates.of("GetCheckPoint", *self._place, name)
        return answer(lambda: self._world.checkpoints(*self._place, name), refused)

    def _selected(
        self, name: str, rows: Sequence[CheckpointRow], statuses: Mapping[int, str] | None
    ) -> list[CheckpointRow]:
        """Choose what is of interest; a shard that the group says nothing of was never consumed.

        An earlier listing is no witness that there is such a shard, so that is said then only of
        what was never consumed before.
        """
        entry = self._watch[name].entry
        selected = [
            row
            for row in rows
            if entry.wants(row.shard, row.consumer) and (statuses is None or row.shard in statuses)
        ]
        if statuses is None or entry.owners:
            return selected
        silent = statuses.keys() - {row.shard for row in rows}
        if self._reading.is_stood_in:
            before = self._groups.get(name, _Group()).stands or {}
            silent = {shard for shard in silent if shard in before and not before[shard].text}
        return selected + [
            CheckpointRow(shard=shard, checkpoint="", update_time=0, consumer="")
            for shard in sorted(silent)
            if entry.wants(shard, "")
        ]

    def _judge(
        self, chosen: Mapping[str, Sequence[CheckpointRow]], statuses: Mapping[int, str]
    ) -> dict[tuple[str, int], Verdict | None]:
        wanted = {row.shard for rows in chosen.values() for row in rows}
        ends = self._reading.ends(wanted & statuses.keys())
        return {
            (name, row.shard): self._reading.verdict(
                row, ends[row.shard], readonly=statuses[row.shard] == "readonly"
            )
            for name, rows in chosen.items()
            for row in rows
            if row.shard in ends
        }

    def _failed(self, name: str, known: _Group, refused: Refused) -> _Group:
        self.failures[(*self._place, name, refused.code)] += 1
        is_gone = refused.fate is Fate.GONE
        self._seen["group gone" if is_gone else "group failed"] += 1
        stands = None if is_gone else known.stands
        return replace(known, up=False, row=self._watch[name].row, stands=stands)

    def _stands(
        self,
        name: str,
        before: Mapping[int, Stand],
        rows: Sequence[CheckpointRow],
        verdicts: Mapping[tuple[str, int], Verdict | None],
        now: float,
    ) -> dict[int, Stand]:
        stands: dict[int, Stand] = {}
        for row in rows:
            known = before.get(row.shard)
            verdict = verdicts.get((name, row.shard))
            if verdict is None and known is not None and self._may_keep(known.verdict, now):
                self._seen["verdict kept"] += 1
                verdict = known.verdict
            stands[row.shard] = each = stand(row, known, verdict, now=now)
            if known is not None and known.is_behind and each.has_lost and known.text == each.text:
                self._seen["data expired unread"] += 1
            if each.moved != each.written and each.waits_since == each.moved:
                self._seen["rewrite was no progress"] += 1
        return stands

    def _may_keep(self, verdict: Verdict | None, now: float) -> bool:
        """Tell whether an earlier verdict stands in for one that failed."""
        has_access = self._has_lag and not self._reading.denied
        return has_access and verdict is not None and now - verdict.at <= STALE_AFTER


def _always(group: _Group, labels: Labels) -> Iterator[tuple[str, Labels, float]]:
    yield f"{_GROUP}up", labels, group.up
    if group.read_at is not None:
        yield f"{_GROUP}last_success_timestamp_seconds", labels, group.read_at
    if group.row is not None:
        order, timeout = str(group.row.order).lower(), str(group.row.timeout)
        yield f"{_GROUP}info", {**labels, "order": order, "timeout_seconds": timeout}, 1


def _of_stands(
    stands: Mapping[int, Stand], labels: Labels, now: float
) -> Iterator[tuple[str, Labels, float]]:
    states = Counter(each.state(STALL_AFTER) for each in stands.values())
    for state in STATES:
        yield f"{_GROUP}shards", {**labels, "state": state}, states[state]
    owners = {each.owner for each in stands.values()} - {""}
    yield f"{_GROUP}consumers", labels, len(owners)
    for shard, each in stands.items():
        its = {**labels, "shard": str(shard), "consumer": each.owner}
        for name, value in each.series(now).items():
            yield _GROUP + name, its, value


def _is_logstore_gone(rows: Sequence[CheckpointRow] | Refused) -> bool:
    """Tell whether the answer is that there is definitely no such logstore, or project."""
    return (
        isinstance(rows, Refused)
        and rows.fate is Fate.GONE
        and rows.code in {"ProjectNotExist", "LogStoreNotExist"}
    )
