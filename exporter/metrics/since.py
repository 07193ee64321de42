"""Lines whose values are the time since an instant, filled in when they are asked for."""

from collections.abc import Sequence
from dataclasses import dataclass

from exporter.metrics import catalogue
from exporter.metrics.lines import Block, go_float
from exporter.progress import ShardProgress, standing_since

# From a million seconds on Go writes an exponent where Python does not.
_PLAIN_BELOW_MILLISECONDS = 10**9
_VALUE = b"%d%b"  # its whole seconds and its ending
_ENDINGS = tuple(f"{part / 1000}\n".removeprefix("0").encode() for part in range(1000))


@dataclass(frozen=True, slots=True, kw_only=True)
class Since:
    """Lines whose values are the time since an instant; others among them are complete.

    Instants are in milliseconds: that is precise enough, and whole seconds with one of a thousand
    known endings are written in half the time of a float. The template has ``%d%b`` for each.
    """

    template: bytes = b""
    milliseconds: tuple[int, ...] = ()
    count: int = 0

    def at(self, now: float) -> Block:
        """Fill in the values of a moment."""
        until = round(now * 1000)
        filled: list[int | bytes] = []
        put = filled.append
        for at in self.milliseconds:
            value = until - at
            if 0 <= value < _PLAIN_BELOW_MILLISECONDS:
                put(value // 1000)
                put(_ENDINGS[value % 1000])
            else:
                written = go_float(max(0, value) / 1000)
                put(int(written[:1]))
                put(b"%b\n" % written[1:])
        return Block(text=self.template % tuple(filled), count=self.count)


def ages(templates: Sequence[bytes], shards: Sequence[ShardProgress]) -> Since:
    """Write the ages of checkpoints; ``templates`` has the labels of each shard."""
    name = catalogue.CHECKPOINT_AGE.name.encode()
    dated = [
        (each, shard.updated_at)
        for each, shard in zip(templates, shards, strict=True)
        if shard.updated_at is not None
    ]
    return Since(
        template=b"".join([name + template for template, _ in dated]),
        milliseconds=tuple([round(at * 1000) for _, at in dated]),
        count=len(dated),
    )


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
    return Since(
        template=b"".join(lines),
        milliseconds=tuple([round(at * 1000) for at in instants]),
        count=len(lines),
    )


def shard_templates(labels: Sequence[bytes]) -> Sequence[bytes]:
    """Write what follows a name for each shard, up to its value."""
    return [b"{%b} %b" % (each.replace(b"%", b"%%"), _VALUE) for each in labels]
