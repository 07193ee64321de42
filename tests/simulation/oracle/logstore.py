"""One watched logstore: the results of its latest poll, and their series in a scrape."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf

from exporter.simulator.views import CheckpointRow, GroupRow
from exporter.simulator.world import World
from tests.simulation.oracle.account import INTERVAL, LAG_LIMIT, STALE_AFTER, STALL_AFTER
from tests.simulation.oracle.comparing import Allowed, between, earliest, exactly
from tests.simulation.oracle.fates import Fate, Fates, Refused, answer
from tests.simulation.oracle.listings import Failures, Place, Watch
from tests.simulation.oracle.others import KEPT_SECONDS, End, may_be_stalled, visibilities
from tests.simulation.oracle.reading import Asked, Reading
from tests.simulation.oracle.verdicts import STATES, Alternatives, Stand, kept, moved_at, written_at

Labels = dict[str, str]

_GROUP = "sls_consumer_group_"
_OLDEST = "oldest_unread_timestamp_seconds"
_LOGSTORE = "sls_logstore_"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """A group after its latest poll. If ``stands`` is None, a scrape shows none of its shards."""

    up: bool = False
    row: GroupRow | None = None
    read_at: float | None = None
    stands: Mapping[int, Stand] | None = None
    retention: float | None = None


class Logstore:
    """The state of one logstore after its polls. ``seen`` counts the situations that occurred."""

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
        self._retention_access: bool | None = None
        self._read_at: float | None = None
        """Time of the last poll that got a response for a group, and so requested the logstore."""
        self._is_polled = self._is_kept = False
        self.failures: Failures = Counter()
        """Failures of the latest poll."""

    def watch(self, watch: Watch) -> None:
        """Replace the targets to watch, and forget groups that are not among them."""
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
        wanted = {row.shard for rows in chosen.values() for row in rows} & (statuses or {}).keys()
        ends = reading.ends(wanted, self._others(chosen, wanted, now))
        if is_read:
            reading.end()
        if good:
            self._statuses = None if statuses is None else Counter(statuses.values())
            self._retention = reading.retention if is_read else None
            self._retention_access = reading.retention_access if is_read else None
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
                stands = self._stands(name, known.stands or {}, chosen[name], ends, now)
                row = self._watch[name].row
                self._groups[name] = _Group(
                    up=True, row=row, read_at=now, stands=stands, retention=reading.retention
                )

    def series(self, now: float) -> Iterator[tuple[str, Labels, Allowed]]:
        """Yield the series at an instant: names, labels and values."""
        project, logstore = self._place
        labels = {"project": project, "logstore": logstore}
        if not self._is_polled:
            return
        yield from self._of_logstore(labels, now)
        for name, group in self._groups.items():
            its = {**labels, "consumer_group": name}
            # The values after a failed poll are as old as the last successful poll.
            is_fresh = group.read_at is not None and now - group.read_at <= STALE_AFTER
            yield f"{_GROUP}up", its, exactly(group.up and is_fresh)
            yield from _always(group, its)
            if group.stands is not None:
                if is_fresh:
                    if group.retention is not None:
                        yield f"{_GROUP}retention_seconds", its, exactly(group.retention)
                    yield from _of_stands(group.stands, its, now)
                else:
                    self._seen["dropped as stale"] += 1

    def _of_logstore(self, labels: Labels, now: float) -> Iterator[tuple[str, Labels, Allowed]]:
        """Yield the series of the logstore itself, until they become stale."""
        if self._read_at is None:
            return
        if now - self._read_at > STALE_AFTER:
            self._seen["logstore dropped as stale"] += self._is_kept
            return
        self._seen["logstore kept"] += self._is_kept
        if self._statuses is not None:
            for status in ("readwrite", "readonly"):
                count = exactly(self._statuses[status])
                yield f"{_LOGSTORE}shards", {**labels, "status": status}, count
        if self._retention is not None:
            yield f"{_LOGSTORE}retention_seconds", labels, exactly(self._retention)
        if self._retention_access is not None:
            self._seen["retention unreadable"] += not self._retention_access
            yield "sls_exporter_retention_access", labels, exactly(self._retention_access)
        if self._access is not None:
            self._seen["cursors denied"] += not self._access
            yield "sls_exporter_cursor_access", labels, exactly(self._access)

    @property
    def _has_lag(self) -> bool:
        return next(iter(self._watch.values())).entry.lag

    def _checkpoints(self, name: str, fates: Fates) -> list[CheckpointRow] | Refused:
        refused = fates.of("GetCheckPoint", *self._place, name)
        return answer(lambda: self._world.checkpoints(*self._place, name), refused)

    def _selected(
        self, name: str, rows: Sequence[CheckpointRow], statuses: Mapping[int, str] | None
    ) -> list[CheckpointRow]:
        """Select the watched rows. A shard without a row in the group was never consumed.

        An earlier list of shards does not prove that such a shard still exists. With such a list,
        only shards that were already shown as never consumed get a row.
        """
        entry = self._watch[name].entry
        selected = [
            row
            for row in rows
            if entry.wants(row.shard) and (statuses is None or row.shard in statuses)
        ]
        if statuses is None:
            return selected
        silent = statuses.keys() - {row.shard for row in rows}
        if self._reading.is_stood_in:
            before = self._groups.get(name, _Group()).stands or {}
            silent = {shard for shard in silent if shard in before and not before[shard].text}
        return selected + [
            CheckpointRow(shard=shard, checkpoint="", update_time=0, consumer="")
            for shard in sorted(silent)
            if entry.wants(shard)
        ]

    def _others(
        self, chosen: Mapping[str, Sequence[CheckpointRow]], wanted: set[int], now: float
    ) -> dict[int, bool]:
        """Return the shards whose owners no filter names, with whether each may be stalled."""
        named: set[int] = set()
        others: defaultdict[int, bool] = defaultdict(bool)
        for name, rows in chosen.items():
            before = self._groups.get(name, _Group()).stands or {}
            for row in rows:
                if self._watch[name].entry.names(row.consumer):
                    named.add(row.shard)
                moved = moved_at(row, before.get(row.shard), now=now)
                others[row.shard] |= may_be_stalled(row.checkpoint, moved, now)
        return {shard: others[shard] for shard in wanted - named}

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
        ends: Mapping[int, End],
        now: float,
    ) -> dict[int, Stand]:
        stands: dict[int, Stand] = {}
        for row in rows:
            known = before.get(row.shard)
            stands[row.shard] = each = Stand(
                text=row.checkpoint,
                owner=row.consumer,
                written=written_at(row),
                moved=moved_at(row, known, now=now),
                read_at=now,
                verdicts=self._verdicts(name, row, known, ends.get(row.shard), now),
            )
            if not self._watch[name].entry.names(row.consumer):
                is_read = row.shard not in self._reading.resting or self._reading.denied
                each = replace(each, shown=visibilities(each, known, is_read=is_read))
                stands[row.shard] = each
                self._seen["hidden"] += True not in each.shown
                self._seen["stalled for others"] += each.states(STALL_AFTER) == {"stalled"}
            self._note(known, each)
        return stands

    def _verdicts(
        self, name: str, row: CheckpointRow, known: Stand | None, end: End | None, now: float
    ) -> Alternatives:
        is_named = self._watch[name].entry.names(row.consumer)
        kept_for = STALE_AFTER if is_named else KEPT_SECONDS
        if end is not None:
            return self._reading.verdicts(row, known, end, kept_for=kept_for)
        if not self._has_lag or self._reading.denied:
            return (None,)
        if row.shard in self._reading.resting:
            return self._reading.while_resting(row, known)
        found = kept(known, now=now, kept_for=kept_for)
        self._seen["state kept"] += any(found)
        return found

    def _note(self, known: Stand | None, each: Stand) -> None:
        """Count the situations of a shard."""
        if known is not None and known.is_behind and each.has_lost and known.text == each.text:
            self._seen["data expired unread"] += 1
        self._seen["several states"] += len(each.verdicts) > 1
        verdict = each.verdicts[0]
        if each.text and each.moved != each.written and verdict is not None:
            since = each.waits_since(verdict) if verdict.unread and verdict.unread.least else None
            self._seen["rewrite was no progress"] += since is not None and since.true == each.moved


def _always(group: _Group, labels: Labels) -> Iterator[tuple[str, Labels, Allowed]]:
    yield f"{_GROUP}poll_interval_seconds", labels, exactly(INTERVAL)
    yield f"{_GROUP}stall_after_seconds", labels, exactly(STALL_AFTER)
    yield f"{_GROUP}lag_limit_seconds", labels, exactly(LAG_LIMIT)
    if group.read_at is not None:
        yield f"{_GROUP}last_success_timestamp_seconds", labels, exactly(group.read_at)
    if group.row is not None:
        order, timeout = str(group.row.order).lower(), str(group.row.timeout)
        yield f"{_GROUP}info", {**labels, "order": order, "timeout_seconds": timeout}, exactly(1)


def _of_stands(
    stands: Mapping[int, Stand], labels: Labels, now: float
) -> Iterator[tuple[str, Labels, Allowed]]:
    possible = [each.states(STALL_AFTER) for each in stands.values()]
    for state in STATES:
        least = sum(states == {state} for states in possible)
        most = sum(state in states for states in possible)
        yield f"{_GROUP}shards", {**labels, "state": state}, between(most, least, most)
    owners = {each.owner for each in stands.values()} - {""}
    yield f"{_GROUP}consumers", labels, exactly(len(owners))
    never_consumed = [each.series(now).get(_OLDEST) for each in stands.values() if not each.text]
    oldest = earliest([each for each in never_consumed if each is not None])
    if oldest is not None:
        yield f"{_GROUP}oldest_unconsumed_timestamp_seconds", labels, oldest
    # Other tests compare predictions.
    for name in ("catch_up_seconds", "data_loss_seconds"):
        yield _GROUP + name, labels, between(0.0, 0.0, inf, optional=True)
    for shard, each in stands.items():
        its = {**labels, "shard": str(shard), "consumer": each.owner}
        if each.shown == {False}:
            continue
        for name, allowed in each.series(now).items():
            is_optional = allowed.optional or False in each.shown
            yield _GROUP + name, its, replace(allowed, optional=is_optional)


def _is_logstore_gone(rows: Sequence[CheckpointRow] | Refused) -> bool:
    """Return whether the response states that the logstore or project does not exist."""
    return (
        isinstance(rows, Refused)
        and rows.fate is Fate.GONE
        and rows.code in {"ProjectNotExist", "LogStoreNotExist"}
    )
