"""Lines whose values are the time since an instant, filled in when they are asked for."""

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import compress
from math import inf
from typing import Self

import orjson
from msgspec import Struct

from exporter.evaluation.shard import first_tenth, last_tenth, stalled_since
from exporter.metrics import catalogue
from exporter.metrics.family import Family
from exporter.metrics.gzip_stream import kept
from exporter.metrics.text_format import EMPTY, Block, go_float, lines_of
from exporter.model.progress import ShardProgress

_KNOWN_BITS = 14  # of tenths of a second: 27 minutes
_PLAIN_BELOW = 10**7  # tenths of a second; from here on Go writes an exponent
_ZERO = b"0.0"


class AgeLines(Struct, frozen=True, kw_only=True):
    """Lines of one metric whose values are the time since an instant.

    Times are in tenths of a second, so that there are few of them, whose text is known; older ones
    are written each time.
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
    until: float
    """The instant (unix seconds) at which the values stop to grow."""
    older: Mapping[int, tuple[int, float]]
    """Instants of lines that stop to grow earlier, and when, by the number of the line."""

    @classmethod
    def of(
        cls,
        metric: Family,
        heads: Sequence[bytes],
        instants: Sequence[float | None],
        untils: Sequence[float] = (),
    ) -> Self:
        """Keep lines that await the time since an instant (unix seconds), one at least.

        ``untils`` are the instants at which the values stop to grow; without them they do not.
        """
        tenths = [None if at is None else first_tenth(at) for at in instants]
        until = max(untils, default=inf)
        older = {
            number: (tenth, stop)
            for number, (tenth, stop) in enumerate(zip(tenths, untils, strict=False))
            if tenth is not None and stop < until
        }
        if older:
            tenths = [None if number in older else each for number, each in enumerate(tenths)]
        newest = max([at for at in tenths if at is not None], default=0)
        before = [None if at is None else newest - at for at in tenths]
        return cls(
            name=metric.name.encode(),
            heads=heads,
            newest=newest,
            # A tuple, which the garbage collection does not look through, of small numbers.
            before=tuple(before),
            most=max([each for each in before if each is not None], default=0),
            until=until,
            older=older,
        )

    @property
    def count(self) -> int:
        """The number of lines."""
        return len(self.heads)

    def at(self, now: float) -> Block:
        """Fill in the values of a moment."""
        least = last_tenth(min(now, self.until)) - self.newest
        bits = (least + self.most).bit_length()
        if least >= 0 and bits <= _KNOWN_BITS:
            known = _known(self.name, bits)
            values = [known[0 if before is None else least + before] for before in self.before]
        else:
            times = [0 if before is None else least + before for before in self.before]
            values = _written(self.name, times)
        for number, (instant, until) in self.older.items():
            [values[number]] = _written(self.name, [last_tenth(min(now, until)) - instant])
        parts = [self.name] * (2 * len(values) + 1)
        parts[1::2] = self.heads
        parts[2::2] = values
        parts[-1] = values[-1].removesuffix(self.name)
        return Block(text=b"".join(parts), count=len(values))


@cache
def _known(name: bytes, bits: int) -> Sequence[bytes]:
    """Write all times of so many bits."""
    return _written(name, range(1 << bits))


def _written(name: bytes, times: Sequence[int]) -> list[bytes]:
    """Write times (tenths of a second, 0 for none), each with the name on the line after it."""
    following = b"\n" + name
    if min(times) < 0:
        times = [max(0, each) for each in times]
    if max(times) >= _PLAIN_BELOW:
        return [go_float(each / 10) + following for each in times]
    # orjson writes such numbers as Python does, in a fraction of the time.
    text = orjson.dumps([each / 10 for each in times])[1:-1]
    return (text.replace(b",", following + b",") + following).split(b",")


def ages(heads: Sequence[bytes], shards: Sequence[ShardProgress]) -> AgeLines | Block:
    """Write the ages of checkpoints; ``heads`` are what stands before each shard's values."""
    instants = [shard.updated_at for shard in shards]
    return _lines(catalogue.CHECKPOINT_AGE, heads, instants, [at is not None for at in instants])


def stalled(
    heads: Sequence[bytes], shards: Sequence[ShardProgress], interval: float
) -> AgeLines | Block:
    """Write for how long shards have stalled; ``heads`` as for ages.

    The values grow for one ``interval`` (seconds) after a reading at most.
    """
    instants = [stalled_since(shard) for shard in shards]
    is_shown = [
        at is not None or (shard.unread == 0 and shard.is_consumed)
        for at, shard in zip(instants, shards, strict=True)
    ]
    untils = [shard.read_at + interval for shard in shards]
    return _lines(catalogue.STALLED, heads, instants, is_shown, untils)


def _lines(
    metric: Family,
    heads: Sequence[bytes],
    instants: Sequence[float | None],
    is_shown: Sequence[bool],
    untils: Sequence[float] = (),
) -> AgeLines | Block:
    """Keep the lines that are shown; complete ones, where none awaits anything, as most do not."""
    if not all(is_shown):
        heads = tuple(compress(heads, is_shown))
        instants = [*compress(instants, is_shown)]
        untils = [*compress(untils, is_shown)]
    if any(at is not None for at in instants):
        return AgeLines.of(metric, heads, instants, untils)
    if not heads:
        return EMPTY
    return Block(text=kept(lines_of(metric.name, heads, [_ZERO] * len(heads))), count=len(heads))
