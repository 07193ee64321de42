"""Lines whose values are the time since an instant, filled in when they are asked for."""

from array import array
from collections.abc import Sequence
from typing import Self

import orjson
from msgspec import Struct

from exporter.metrics import catalogue
from exporter.metrics.lines import Block, around, filled, go_float
from exporter.metrics.pieces import kept
from exporter.progress import ShardProgress, standing_since

# From a million seconds on Go writes an exponent where Python does not.
_PLAIN_BELOW_MILLISECONDS = 10**9


class Since(Struct, frozen=True, kw_only=True):
    """Lines whose values are the time since an instant; others among them are complete.

    Instants are in milliseconds, which is precise enough and makes for short values.
    """

    texts: Sequence[bytes]
    """What stands around the values, one more than there are."""
    milliseconds: Sequence[float]
    oldest: float
    newest: float
    count: int
    """Of the lines."""
    constant: Block | None = None
    """All of them, where none awaits anything: most groups have nothing unread."""

    @classmethod
    def of(cls, texts: Sequence[bytes], instants: Sequence[float], *, count: int) -> Self:
        """Keep lines of which some await the time since an instant (unix seconds), in order."""
        if not instants:
            block = Block(text=kept(b"".join(texts)), count=count)
            return cls(texts=(), milliseconds=(), oldest=0, newest=0, count=count, constant=block)
        # Whole numbers, but floats side by side, since those are read and reckoned with faster.
        milliseconds = array("d", [round(at * 1000) for at in instants])
        return cls(
            texts=tuple(texts),  # which the garbage collection does not look through
            milliseconds=milliseconds,
            oldest=min(milliseconds),
            newest=max(milliseconds),
            count=count,
        )

    def at(self, now: float) -> Block:
        """Fill in the values of a moment."""
        if self.constant is not None:
            return self.constant
        until = float(round(now * 1000))
        values = [(until - at) / 1000 for at in self.milliseconds]
        if self.oldest > until - _PLAIN_BELOW_MILLISECONDS and self.newest <= until:
            # orjson writes a number as Python does, in a fraction of the time.
            written = orjson.dumps(values)[1:-1].split(b",")
        else:
            written = [go_float(max(0.0, value)) for value in values]
        return Block(text=filled(self.texts, written), count=self.count)


def ages(heads: Sequence[bytes], shards: Sequence[ShardProgress]) -> Since:
    """Write the ages of checkpoints; ``heads`` are what stands before each shard's values."""
    dated = [
        (head, shard.updated_at)
        for head, shard in zip(heads, shards, strict=True)
        if shard.updated_at is not None
    ]
    texts = around(catalogue.CHECKPOINT_AGE, [head for head, _ in dated])
    return Since.of(texts, [at for _, at in dated], count=len(dated))


def stalled(heads: Sequence[bytes], shards: Sequence[ShardProgress]) -> Since:
    """Write for how long shards have stood still; ``heads`` as for ages."""
    name = catalogue.STALLED.name.encode()
    texts: list[bytes] = []
    instants: list[float] = []
    count = 0
    before: list[bytes] = []  # since the value before
    for head, shard in zip(heads, shards, strict=True):
        since = standing_since(shard)
        if since is not None:
            texts.append(b"".join([*before, name, head]))
            instants.append(since)
            before = [b"\n"]
            count += 1
        elif shard.unread == 0 and shard.is_consumed:
            before += (name, head, b"0.0\n")
            count += 1
    texts.append(b"".join(before))
    return Since.of(texts, instants, count=count)
