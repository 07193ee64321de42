"""Lines with one value for all shards of a group, where single shards have no series."""

from collections.abc import Iterable, Sequence
from math import inf

from msgspec import Struct

from exporter.evaluation.shard import first_tenth, last_tenth
from exporter.metrics.family import AgeFamily, ShardFamily
from exporter.metrics.text_format import EMPTY, Block, line
from exporter.model.progress import ShardProgress

_Span = tuple[int, float]
"""An instant, and when the time since it stops growing, in tenths of a second."""


class LargestAge(Struct, frozen=True, kw_only=True):
    """A line whose value is the largest of several ages, filled in at each scrape."""

    name: str
    labels: bytes
    spans: Sequence[_Span]
    """The ages that are the largest now or later."""
    count: int = 1

    def at(self, now: float) -> Block:
        """Return the line with its value at an instant (Unix seconds)."""
        tenth = last_tenth(now)
        largest = max([min(tenth, until) - since for since, until in self.spans])
        return Block(text=line(self.name, self.labels, max(0, largest) / 10), count=1)


def rolled_up(
    family: ShardFamily, labels: bytes, shards: Sequence[ShardProgress], interval: float
) -> Block | LargestAge:
    """Write the value of a group from those of its shards; nothing if none of them is known."""
    values = family.values(shards)
    known = [value for value in values if value is not None]
    if not known:
        return EMPTY
    if not isinstance(family, AgeFamily):
        return Block(text=line(family.name, labels, family.roll_up(known)), count=1)
    spans = _lasting(
        (
            first_tenth(since),
            last_tenth(shard.read_at + interval) if family.is_bounded else inf,
        )
        for shard, since in zip(shards, values, strict=True)
        if since is not None and since != inf
    )
    if not spans:
        return Block(text=line(family.name, labels, 0.0), count=1)
    return LargestAge(name=family.name, labels=labels, spans=spans)


def _lasting(spans: Iterable[_Span]) -> Sequence[_Span]:
    """Leave out each span that a span with an earlier start exceeds at all times."""
    kept: list[_Span] = []
    longest = -inf
    for since, until in sorted(spans, key=lambda span: (span[0], -span[1])):
        if until - since > longest:
            longest = until - since
            kept.append((since, until))
    return tuple(kept)
