"""Lines whose values are the time since an instant, filled in at each scrape."""

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import compress
from math import inf
from typing import Self

import orjson
from msgspec import Struct

from exporter.evaluation.shard import first_tenth, last_tenth
from exporter.metrics.family import Column
from exporter.metrics.gzip_stream import kept
from exporter.metrics.text_format import EMPTY, Block, go_float, lines_of

_KNOWN_BITS = 14  # of tenths of a second: 27 minutes
_PLAIN_BELOW = 10**7  # tenths of a second; from here on Go writes an exponent
_ZERO = b"0.0"


class AgeLines(Struct, frozen=True, kw_only=True):
    """Lines of one metric whose values are the time since an instant.

    Times are in tenths of a second. The texts of all times below about half an hour are kept; the
    text of a longer time is written at each scrape.
    """

    name: bytes
    heads: Sequence[bytes]
    """The text between the name and each value."""
    newest: int
    """The newest instant."""
    before: Sequence[int | None]
    """The time from the instant of each line to the newest; None if its value is 0."""
    most: int
    """The longest of these."""
    until: float
    """The instant (Unix seconds) at which the values stop growing."""
    earlier: Mapping[int, tuple[int, float]]
    """Instants of lines that stop growing earlier, and when they do, by the number of the line."""

    @classmethod
    def of(
        cls,
        name: str,
        heads: Sequence[bytes],
        instants: Sequence[float],
        untils: Sequence[float] = (),
    ) -> Self:
        """Keep lines, by the instant (Unix seconds) from which the value of each counts.

        A value is always 0 if its instant is infinity; at least one instant is not. The values stop
        growing at the instants ``untils``, and never if there are none.
        """
        tenths = [None if at == inf else first_tenth(at) for at in instants]
        counting = [tenth for tenth in tenths if tenth is not None]
        newest = max(counting)
        until = max(untils, default=inf)
        earlier = {
            number: (tenth, stop)
            for number, (tenth, stop) in enumerate(zip(tenths, untils, strict=False))
            if tenth is not None and stop < until
        }
        return cls(
            name=name.encode(),
            heads=heads,
            newest=newest,
            # The garbage collector does not scan a tuple of numbers.
            before=tuple([None if tenth is None else newest - tenth for tenth in tenths]),
            most=newest - min(counting),
            until=until,
            earlier=earlier,
        )

    @property
    def count(self) -> int:
        """The number of lines."""
        return len(self.heads)

    def at(self, now: float) -> Block:
        """Return the lines with their values at an instant (Unix seconds)."""
        least = last_tenth(min(now, self.until)) - self.newest
        bits = (least + self.most).bit_length()
        if least >= 0 and bits <= _KNOWN_BITS:
            known = _known(self.name, bits)
            values = [known[0 if before is None else least + before] for before in self.before]
        else:
            times = [0 if before is None else least + before for before in self.before]
            values = _written(self.name, times)
        for number, (instant, until) in self.earlier.items():
            [values[number]] = _written(self.name, [last_tenth(min(now, until)) - instant])
        parts = [self.name] * (2 * len(values) + 1)
        parts[1::2] = self.heads
        parts[2::2] = values
        parts[-1] = values[-1].removesuffix(self.name)
        return Block(text=b"".join(parts), count=len(values))


@cache
def _known(name: bytes, bits: int) -> Sequence[bytes]:
    """Write all times below two to the power of ``bits``."""
    return _written(name, range(1 << bits))


def _written(name: bytes, times: Sequence[int]) -> list[bytes]:
    """Write times (tenths of a second, 0 if negative), each with the name on the next line."""
    following = b"\n" + name
    if min(times) < 0:
        times = [max(0, each) for each in times]
    if max(times) >= _PLAIN_BELOW:
        return [go_float(each / 10) + following for each in times]
    # orjson writes such numbers as Python does, several times as fast.
    text = orjson.dumps([each / 10 for each in times])[1:-1]
    return (text.replace(b",", following + b",") + following).split(b",")


def age_lines(
    name: str, heads: Sequence[bytes], instants: Column, untils: Sequence[float] = ()
) -> AgeLines | Block:
    """Keep the lines that have an instant; complete ones if every value is always 0."""
    is_shown = [at is not None for at in instants]
    heads = tuple(compress(heads, is_shown))
    shown = [at for at in instants if at is not None]
    if any(at != inf for at in shown):
        return AgeLines.of(name, heads, shown, [*compress(untils, is_shown)])
    if not heads:
        return EMPTY
    return Block(text=kept(lines_of(name, heads, [_ZERO] * len(heads))), count=len(heads))
