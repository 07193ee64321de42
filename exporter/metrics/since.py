"""Lines whose values are the time since an instant, filled in when they are asked for."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import orjson

from exporter.metrics import catalogue
from exporter.metrics.lines import Block, go_float
from exporter.progress import ShardProgress, standing_since

# From a million seconds on Go writes an exponent where Python does not.
_PLAIN_BELOW_MILLISECONDS = 10**9
_VALUE = b"%b\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Since:
    """Lines whose values are the time since an instant; others among them are complete.

    Instants are in milliseconds, which is precise enough and makes for short values. The template
    has ``%b`` for each.
    """

    template: bytes = b""
    milliseconds: Sequence[float] = ()
    oldest: float = 0.0
    newest: float = 0.0
    count: int = 0

    @classmethod
    def of(cls, lines: Sequence[bytes], instants: Sequence[float]) -> Self:
        """Join lines, of which some await the time since an instant (unix seconds), in order."""
        # Whole numbers, but floats side by side, since those are read and reckoned with faster.
        milliseconds = array("d", [round(at * 1000) for at in instants])
        return cls(
            template=b"".join(lines),
            milliseconds=milliseconds,
            oldest=min(milliseconds, default=0.0),
            newest=max(milliseconds, default=0.0),
            count=len(lines),
        )

    def at(self, now: float) -> Block:
        """Fill in the values of a moment."""
        until = float(round(now * 1000))
        values = [(until - at) / 1000 for at in self.milliseconds]
        if self.oldest > until - _PLAIN_BELOW_MILLISECONDS and self.newest <= until:
            # orjson writes a number as Python does, in a fraction of the time.
            written = orjson.dumps(values)[1:-1].split(b",") if values else []
        else:
            written = [go_float(max(0.0, value)) for value in values]
        return Block(text=self.template % tuple(written), count=self.count)


def ages(templates: Sequence[bytes], shards: Sequence[ShardProgress]) -> Since:
    """Write the ages of checkpoints; ``templates`` has the labels of each shard."""
    name = catalogue.CHECKPOINT_AGE.name.encode()
    dated = [
        (each, shard.updated_at)
        for each, shard in zip(templates, shards, strict=True)
        if shard.updated_at is not None
    ]
    return Since.of([name + template for template, _ in dated], [at for _, at in dated])


def stalled(templates: Sequence[bytes], shards: Sequence[ShardProgress]) -> Since:
    """Write for how long shards have stood still; ``templates`` has the labels of each."""
    name = catalogue.STALLED.name.encode()
    lines: list[bytes] = []
    instants: list[float] = []
    for each, shard in zip(templates, shards, strict=True):
        since = standing_since(shard)
        if since is not None:
            lines.append(name + each)
            instants.append(since)
        elif shard.unread == 0 and shard.is_consumed:
            lines.append(name + each.removesuffix(_VALUE) + b"0.0\n")
    return Since.of(lines, instants)


def shard_templates(labels: Sequence[bytes]) -> Sequence[bytes]:
    """Write what follows a name for each shard, up to its value."""
    return [b"{%b} %b" % (each.replace(b"%", b"%%"), _VALUE) for each in labels]
