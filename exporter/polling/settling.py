"""The part of a poll that reads ends and times until the groups in all shards are settled."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeVar

from exporter.model.progress import ShardEnd, Unread
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

T = TypeVar("T")
OnSettled = Callable[[Pair, ShardEnd, Unread], None]


class Settling:
    """The requests that settle pairs of a consumer group and a shard, for all shards in parallel.

    At most one request about a shard is under way, so that no shard gets a burst: its consumers
    share its limit of reads. Everything except requests runs under the lock of ``fan``.
    ``on_settled`` gets a pair whenever more is known of it. A pair whose readings fail never
    settles.
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
    ) -> None:
        self._fan = fan
        self._reader = reader
        self._rules = rules
        self._on_settled = on_settled
        self._budget = budget
        self._exact = exact
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
        new = [number for number in known if number not in self._waiting.keys() | self._shards]
        for shard, pair in added:
            found = self._shards.get(shard.shard)
            if found is None:
                self._waiting.setdefault(shard.shard, []).append(pair)
            else:
                found.add(pair)
        for number in {shard.shard for shard, _ in added} & self._shards.keys():
            self._unsettled += 1
            self._advance(self._shards[number])
        self._unsettled += len(new)
        for number in self._reader.unresponsive.in_turn(new):
            self._read_end(known[number])

    def _read_end(self, shard: Shard) -> None:
        final = self._reader.final_end(shard)
        if final is not None:
            self._begin(shard, ShardPairs(self._reader.cursors.of(shard), final, self._rules))
            return
        is_suspect = self._reader.unresponsive.is_suspect(shard.shard)
        self._fan.add(
            partial(self._ask, shard.shard, partial(self._reader.read_end, shard)),
            partial(self._end_read, shard),
            priority=_SUSPECT_ENDS if is_suspect else _ENDS,
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
        def ask() -> int | None:
            if not is_needed():
                raise StopRequest
            return self._ask(reading.shard, partial(self._reader.read, reading))

        self._asked.add(reading)
        self._fan.add(ask, partial(then, pairs, reading), priority=priority)

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

    def _report(self, pairs: ShardPairs) -> None:
        for pair in pairs.pairs:
            if pairs.is_settled(pair):
                self._on_settled(pair, pairs.end, pairs.unread(pair))

    def _ask(self, shard: int, request: Callable[[], T]) -> T:
        if self._reader.was_refused:
            raise StopRequest
        self._reader.unresponsive.check(shard)
        return request()

    def _failed(self, shard: int, error: SlsError) -> None:
        self._reader.unresponsive.note(shard, error)
        self._reader.failed(error)


def _is_unknown(error: SlsError) -> bool:
    """Return whether the service does not accept the request, although the shard exists."""
    return isinstance(error, BadRequest | InvalidCursor) and error.code != "ShardNotExist"
