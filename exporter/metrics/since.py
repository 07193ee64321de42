"""Lines whose values are the time since an instant, filled in when they are asked for."""

from collections.abc import Sequence
from functools import cache
from itertools import compress
from typing import Self

import orjson
from msgspec import Struct

from exporter.metrics import catalogue
from exporter.metrics.catalogue import Metric
from exporter.metrics.lines import EMPTY, Block, go_floats, written
from exporter.metrics.pieces import kept
from exporter.progress import ShardProgress, standing_since

_LONGEST_KNOWN = 14  # bits of tenths of a second, which is half an hour
_ZERO = b"0.0"


class Since(Struct, frozen=True, kw_only=True):
    """Lines of one metric whose values are the time since an instant.

    Times are in tenths of a second: the server tells its time in whole seconds, so more digits
    would say nothing, and of so few values the text is known.
    """

    name: bytes
    heads: Sequence[bytes]
    """What stands between the name and each value."""
    newest: int
    """The newest instant."""
    before: Sequence[int | None]
    """By how much the instant of each line is before the newest; None where its value is 0."""
    most: int
    """The most of these."""

    @classmethod
    def of(cls, metric: Metric, heads: Sequence[bytes], instants: Sequence[float | None]) -> Self:
        """Keep lines that await the time since an instant (unix seconds), one at least."""
        tenths = [None if at is None else round(at * 10) for at in instants]
        known = [at for at in tenths if at is not None]
        newest = max(known)
        return cls(
            name=metric.name.encode(),
            heads=heads,
            newest=newest,
            # A tuple, which the garbage collection does not look through, of small numbers.
            before=tuple([None if at is None else newest - at for at in tenths]),
            most=newest - min(known),
        )

    @property
    def count(self) -> int:
        """The number of lines."""
        return len(self.heads)

    def at(self, now: float) -> Block:
        """Fill in the values of a moment."""
        least = round(now * 10) - self.newest
        bits = (least + self.most).bit_length()
        if least >= 0 and bits <= _LONGEST_KNOWN:
            known = _known(self.name, bits)
            values = [known[0 if before is None else least + before] for before in self.before]
        else:
            ages = [
                0.0 if before is None else max(0, least + before) / 10 for before in self.before
            ]
            following = b"\n" + self.name
            values = [text + following for text in go_floats(ages)]
        # What follows a value is always the same, so they are kept together; but not for the last.
        parts = [self.name] * (2 * len(values) + 1)
        parts[1::2] = self.heads
        parts[2::2] = values
        parts[-1] = values[-1].removesuffix(self.name)
        return Block(text=parts, count=len(values))


@cache
def _known(name: bytes, bits: int) -> Sequence[bytes]:
    """Write all times of so many bits of tenths of a second, each with the name after it."""
    values = orjson.dumps([tenths / 10 for tenths in range(1 << bits)])[1:-1]
    return [value + b"\n" + name for value in values.split(b",")]


def ages(heads: Sequence[bytes], shards: Sequence[ShardProgress]) -> Since | Block:
    """Write the ages of checkpoints; ``heads`` are what stands before each shard's values."""
    instants = [shard.updated_at for shard in shards]
    return _lines(catalogue.CHECKPOINT_AGE, heads, instants, [at is not None for at in instants])


def stalled(heads: Sequence[bytes], shards: Sequence[ShardProgress]) -> Since | Block:
    """Write for how long shards have stood still; ``heads`` as for ages."""
    instants = [standing_since(shard) for shard in shards]
    is_shown = [
        at is not None or (shard.unread == 0 and shard.is_consumed)
        for at, shard in zip(instants, shards, strict=True)
    ]
    return _lines(catalogue.STALLED, heads, instants, is_shown)


def _lines(
    metric: Metric,
    heads: Sequence[bytes],
    instants: Sequence[float | None],
    is_shown: Sequence[bool],
) -> Since | Block:
    """Keep the lines that are shown; complete ones, where none awaits anything, as most do not."""
    if not all(is_shown):
        heads = tuple(compress(heads, is_shown))
        instants = [*compress(instants, is_shown)]
    if any(at is not None for at in instants):
        return Since.of(metric, heads, instants)
    if not heads:
        return EMPTY
    return Block(text=kept(written(metric, heads, [_ZERO] * len(heads))), count=len(heads))
