"""The part of a poll that reads ends and times until the groups in all shards are settled."""

from collections.abc import Callable, Collection, Iterable
from functools import partial
from typing import TypeVar

from exporter.model.progress import NOTHING_UNREAD, ShardEnd, Unread
from exporter.model.shards import Shard
from exporter.polling.fanout import FanOut, StopRequest
from exporter.polling.logstore_reader import EndReading, LogstoreReader
from exporter.polling.readings import Pair, Reading, Rules, ShardPairs
from exporter.polling.refinements import Refinement, interleaved, refinements
from exporter.polling.since_proof import SinceProof
from exporter.sls.errors import BadRequest, InvalidCursor, SlsError

_ENDS = (2.0,)
_SUSPECT_ENDS = (8.0,)
_SETTLING = (3.0,)
_REFINING = 4.0
_ENDS_OF_OTHERS = (3.3,)
_SETTLING_OTHERS = (3.6,)

T = TypeVar("T")
OnSettled = Callable[[Pair, ShardEnd, Unread, float | None], None]
"""Gets a settled pair with the end of its shard and the time at which that was read, if it was."""


class Settling:
    """The requests that settle pairs of a consumer group and a shard, for all shards in parallel.

    At most one request about a shard is under way, so that no shard gets a burst: its consumers
    share its limit of reads. Everything except requests runs under the lock of ``fan``.
    ``on_settled`` gets a pair whenever more is known of it. A pair whose readings fail never
    settles. A shard that is only watched for other consumers rests until its turn: without
    requests, its checkpoint is compared with the last known end.
    """

    def __init__(
        self,
        fan: FanOut,
        reader: LogstoreReader,
        rules: Rules,
        *,
        on_settled: OnSettled,
        budget: int,
        exact: int,
        age_limit: float,
    ) -> None:
        self._fan = fan
        self._reader = reader
        self._rules = rules
        self._on_settled = on_settled
        self._budget = budget
        self._exact = exact
        self._age_limit = age_limit
        self._resting: dict[int, list[Pair]] = {}
        self._waiting: dict[int, list[Pair]] = {}
        self._shards: dict[int, ShardPairs] = {}
        self._asked: set[Reading] = set()
        self._unsettled = 0
        self._proof: SinceProof | None = None
        self._parked: list[ShardPairs] = []

    def add(self, shards: Iterable[tuple[Shard, Pair]]) -> None:
        """Settle pairs; the end of each shard is read once for all of them."""
        added = list(shards)
        known = {shard.shard: shard for shard, _ in added}
        new = [number for number in known if not self.is_read(number)]
        for shard, pair in added:
            found = self._shards.get(shard.shard)
            if found is None:
                resting = self._resting.pop(shard.shard, [])
                self._waiting.setdefault(shard.shard, []).extend([*resting, pair])
            else:
                found.add(pair)
        for number in known.keys() & self._shards.keys():
            self._unsettled += 1
            self._advance(self._shards[number])
        for number in self._not_due(known[number] for number in new):
            self._rest(known[number])
        new = [number for number in new if number in self._waiting]
        self._unsettled += len(new)
        for number in self._reader.unresponsive.in_turn(new):
            self._read_end(known[number])

    def is_read(self, shard: int) -> bool:
        """Return whether the end of a shard was requested in this poll, or is final."""
        return shard in self._waiting or shard in self._shards

    def _not_due(self, shards: Iterable[Shard]) -> Collection[int]:
        """Return the shards of other consumers whose turn it is not. ``budget`` limits turns."""
        others = {
            shard.shard: self._waiting[shard.shard]
            for shard in shards
            if not _has_named(self._waiting[shard.shard]) and not self._reader.final_end(shard)
        }
        due = self._reader.turns.choose(others, most=self._budget)
        self._budget -= len(due)
        return others.keys() - due

    def _rest(self, shard: Shard) -> None:
        """Compare checkpoints with the last known end, without requests.

        Before the first turn, a checkpoint that moved lately counts as the end, as its consumer is
        alive.
        """
        pairs = self._resting[shard.shard] = self._waiting.pop(shard.shard)
        cursors = self._reader.cursors.of(shard)
        end, read_at = cursors.end, cursors.end_read_at
        if end is not None and read_at is not None:
            known = ShardPairs(cursors, end, self._rules)
            for pair in pairs:
                if pair.seen_at - read_at <= self._age_limit:
                    known.add(pair)
            self._report(known, read_at=read_at)
        elif not self._reader.turns.last(shard.shard):
            for pair in pairs:
                if pair.start is not None and not pair.may_be_stalled:
                    end = ShardEnd(cursor=pair.start, readonly=False)
                    self._on_settled(pair, end, NOTHING_UNREAD, None)

    def _read_end(self, shard: Shard) -> None:
        final = self._reader.final_end(shard)
        if final is not None:
            self._begin(shard, ShardPairs(self._reader.cursors.of(shard), final, self._rules))
            return
        is_named = _has_named(self._waiting[shard.shard])
        is_suspect = self._reader.unresponsive.is_suspect(shard.shard)
        self._fan.add(
            partial(self._ask, shard.shard, partial(self._reader.read_end, shard)),
            partial(self._end_read, shard),
            priority=_SUSPECT_ENDS if is_suspect else _ENDS if is_named else _ENDS_OF_OTHERS,
            is_spare=not is_named,
        )

    def _end_read(self, shard: Shard, outcome: EndReading | SlsError) -> None:
        if isinstance(outcome, SlsError):
            self._failed(shard.shard, outcome)
            self._done()
            return
        self._reader.unresponsive.note(shard.shard, None)
        cursors = self._reader.end_read(shard, outcome)
        self._begin(shard, ShardPairs(cursors, outcome.end, self._rules))

    def _begin(self, shard: Shard, pairs: ShardPairs) -> None:
        self._shards[shard.shard] = pairs
        for pair in self._waiting.pop(shard.shard):
            pairs.add(pair)
        self._advance(pairs)

    def _advance(self, pairs: ShardPairs) -> None:
        """Report the settled groups of a shard, and send the next request for the others."""
        self._report(pairs)
        reading = pairs.next_reading(
            self._asked, since=self._reader.cursors.trusts_since is not False
        )
        if reading is None:
            self._done()
        elif reading.kind == "since" and self._proof is not None:
            self._parked.append(pairs)
        else:
            if reading.kind == "since" and self._reader.cursors.trusts_since is None:
                self._proof = SinceProof(reading)
            self._read(pairs, reading, _SETTLING, self._settling_read)

    def _read(
        self,
        pairs: ShardPairs,
        reading: Reading,
        priority: tuple[float, ...],
        then: Callable[[ShardPairs, Reading, int | SlsError | None], None],
        *,
        is_needed: Callable[[], bool] = lambda: True,
    ) -> None:
        request = self._reader.request(pairs.cursors, reading)

        def ask() -> int | None:
            if not is_needed():
                raise StopRequest
            return self._ask(reading.shard, request)

        self._asked.add(reading)
        is_spare = not _has_named(pairs.pairs)
        if is_spare and priority == _SETTLING:
            priority = _SETTLING_OTHERS
        self._fan.add(ask, partial(then, pairs, reading), priority=priority, is_spare=is_spare)

    def _settling_read(
        self, pairs: ShardPairs, reading: Reading, outcome: int | SlsError | None
    ) -> None:
        if isinstance(outcome, SlsError):
            is_unknown = reading.kind == "since" and _is_unknown(outcome)
            if is_unknown:
                self._reader.distrust_since()
            else:
                self._failed(reading.shard, outcome)
            if self._proof is not None and self._proof.shard == reading.shard:
                self._end_proof()
            if is_unknown:
                self._advance(pairs)
            else:
                self._done()
            return
        proof = self._proof
        if proof is not None and proof.shard == reading.shard:
            self._prove(proof, pairs, reading, outcome)
            return
        self._reader.reading_read(pairs.cursors, reading, outcome)
        self._advance(pairs)

    def _prove(
        self, proof: SinceProof, pairs: ShardPairs, reading: Reading, outcome: int | None
    ) -> None:
        """Verify the first responses of GetCursor with a time by the times of neighbors."""
        if reading.kind == "time":
            self._reader.reading_read(pairs.cursors, reading, outcome)
        check = proof.next_check(reading, outcome, end=pairs.end)
        if check is not None:
            self._read(pairs, check, _SETTLING, self._settling_read)
            return
        self._reader.note_proof(proof)
        if proof.is_right:
            self._reader.reading_read(pairs.cursors, proof.reading, proof.cursor)
        self._end_proof()
        self._advance(pairs)

    def _end_proof(self) -> None:
        self._proof = None
        parked, self._parked = self._parked, []
        for pairs in parked:
            self._advance(pairs)

    def _done(self) -> None:
        """Note that a shard needs no more readings. After the last shard, refine values."""
        self._unsettled -= 1
        if not self._unsettled:
            self._refine()

    def _refine(self) -> None:
        chosen = refinements(
            self._shards.values(),
            self._rules,
            since=self._reader.cursors.trusts_since is True,
            budget=self._budget,
            exact=self._exact,
        )
        wanted = [each for each in chosen if each.reading not in self._asked]
        self._budget = max(0, self._budget - len(wanted))
        self._exact = max(0, self._exact - len(wanted))
        for each, priority in interleaved(wanted).items():
            self._read(
                each.shard,
                each.reading,
                (_REFINING, *priority),
                self._refinement_read,
                is_needed=partial(Refinement.is_needed, each),
            )

    def _refinement_read(
        self, pairs: ShardPairs, reading: Reading, outcome: int | SlsError | None
    ) -> None:
        if isinstance(outcome, SlsError):
            self._failed(reading.shard, outcome)
            return
        self._reader.reading_read(pairs.cursors, reading, outcome)
        self._report(pairs)

    def _report(self, pairs: ShardPairs, *, read_at: float | None = None) -> None:
        """Report the settled groups of a shard; by default, its end was read in this poll."""
        for pair in pairs.pairs:
            if pairs.is_settled(pair):
                at = pair.seen_at if read_at is None else read_at
                self._on_settled(pair, pairs.end, pairs.unread(pair), at)

    def _ask(self, shard: int, request: Callable[[], T]) -> T:
        if self._reader.was_refused:
            raise StopRequest
        self._reader.unresponsive.check(shard)
        return request()

    def _failed(self, shard: int, error: SlsError) -> None:
        self._reader.unresponsive.note(shard, error)
        self._reader.failed(error)


def _has_named(pairs: Iterable[Pair]) -> bool:
    return any(pair.is_named for pair in pairs)


def _is_unknown(error: SlsError) -> bool:
    """Return whether the service does not accept the request, although the shard exists."""
    return isinstance(error, BadRequest | InvalidCursor) and error.code != "ShardNotExist"
