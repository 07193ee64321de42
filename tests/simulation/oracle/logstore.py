"""One watched logstore: the results of its latest poll, and their series in a scrape."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from exporter.simulator.views import CheckpointRow
from exporter.simulator.world import World
from tests.simulation.oracle.account import STALE_AFTER, STALL_AFTER
from tests.simulation.oracle.comparing import Allowed, exactly
from tests.simulation.oracle.fates import Fate, Fates, Refused, answer
from tests.simulation.oracle.groups import GROUP, Group, Labels, always, of_stands
from tests.simulation.oracle.listings import Failures, Place, Watch
from tests.simulation.oracle.others import KEPT_SECONDS, End, may_be_stalled, visibilities
from tests.simulation.oracle.reading import Asked, Reading
from tests.simulation.oracle.steps import Counts, grown
from tests.simulation.oracle.verdicts import (
    NEVER_READ,
    Alternatives,
    Growth,
    Stand,
    kept,
    moved_at,
    written_at,
)

_LOGSTORE = "sls_logstore_"


class Logstore:
    """The state of one logstore after its polls. ``seen`` counts the situations that occurred."""

    def __init__(self, world: World, place: Place, watch: Watch, seen: Counter[str]) -> None:
        self._world = world
        self._place = place
        self._watch = watch
        self._seen = seen
        self._reading = Reading(world, place)
        self._groups: dict[str, Group] = {}
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
            known = self._groups.get(name, Group())
            if isinstance(rows, Refused):
                self._groups[name] = self._failed(name, known, rows)
            else:
                before = self._before(name)
                stands = self._stands(name, before, chosen[name], ends, now)
                self._groups[name] = Group(
                    up=True,
                    row=self._watch[name].row,
                    read_at=now,
                    stands=stands,
                    unnamed=int(statuses is None and not stands),
                    retention=reading.retention,
                    access=not reading.denied if is_read else None,
                    counts=(known.counts or Counts()).after(known.stands or {}, before, stands),
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
            yield f"{GROUP}up", its, exactly(group.up and is_fresh)
            yield from always(group, its)
            if group.stands is not None:
                if is_fresh:
                    if group.retention is not None:
                        yield f"{GROUP}retention_seconds", its, exactly(group.retention)
                    if group.access is not None:
                        yield f"{GROUP}cursor_access", its, exactly(group.access)
                    is_ordered = group.row is not None and group.row.order
                    unnamed = group.unnamed
                    yield from of_stands(
                        group.stands, its, now, unnamed=unnamed, is_ordered=is_ordered
                    )
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
        or none because it failed, only shards that were already shown as never consumed get a row.
        """
        entry = self._watch[name].entry
        selected = [
            row
            for row in rows
            if entry.wants(row.shard) and (statuses is None or row.shard in statuses)
        ]
        if statuses is None and not self._reading.is_unlisted:
            return selected
        before = self._before(name)
        existing = before.keys() if statuses is None else statuses.keys()
        silent = existing - {row.shard for row in rows}
        if statuses is None or self._reading.is_stood_in:
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
            before = self._before(name)
            for row in rows:
                if self._watch[name].entry.names(row.consumer):
                    named.add(row.shard)
                moved = moved_at(row, before.get(row.shard), now=now)
                others[row.shard] |= may_be_stalled(row.checkpoint, moved, now)
        return {shard: others[shard] for shard in wanted - named}

    def _before(self, name: str) -> Mapping[int, Stand]:
        """Return the shards of a group after the previous poll that still exist."""
        stands = self._groups.get(name, Group()).stands or {}
        return {
            shard: each
            for shard, each in stands.items()
            if not self._reading.is_created_since(shard, each.read_at)
        }

    def _failed(self, name: str, known: Group, refused: Refused) -> Group:
        self.failures[(*self._place, name, refused.code)] += 1
        is_gone = refused.fate is Fate.GONE
        self._seen["group gone" if is_gone else "group failed"] += 1
        failed = replace(known, up=False, row=self._watch[name].row)
        if not is_gone:
            return failed
        counts = known.counts and known.counts.after(known.stands or {}, {}, {})
        return replace(failed, stands=None, counts=counts)

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
                growth=self._growth(row.shard, known, ends.get(row.shard)),
                is_end_due=self._has_lag
                and not self._reading.denied
                and row.shard not in self._reading.resting,
            )
            if not self._watch[name].entry.names(row.consumer):
                is_read = row.shard not in self._reading.resting or self._reading.denied
                each = replace(each, shown=visibilities(each, known, is_read=is_read))
                stands[row.shard] = each
                self._seen["hidden"] += True not in each.shown
                self._seen["stalled for others"] += each.states(STALL_AFTER) == {"stalled"}
            self._note(known, each)
        return stands

    def _growth(self, shard: int, known: Stand | None, end: End | None) -> Growth:
        """Return the ends of a shard that may be known; while it rests, that of an earlier poll.

        An end that was read counts, although a missing permission hides the state.
        """
        reading = self._reading
        is_certain = end is not None and reading.is_certain(shard)
        end = end or reading.withheld.get(shard)
        if end is None and shard in reading.resting:
            end = reading.end_at_rest(shard)
        before = known.growth if known else NEVER_READ
        return grown(before, end.cursor if end else None, is_certain=is_certain)

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


def _is_logstore_gone(rows: Sequence[CheckpointRow] | Refused) -> bool:
    """Return whether the response states that the logstore or project does not exist."""
    return (
        isinstance(rows, Refused)
        and rows.fate is Fate.GONE
        and rows.code in {"ProjectNotExist", "LogStoreNotExist"}
    )
