"""Keeps what does not answer from using up the time of what does, within one poll or listing.

It does not know what is asked about: groups, shards, listings.
"""

from collections.abc import Callable, Collection, Hashable, Iterable
from itertools import count
from typing import Generic, TypeVar

from exporter.sls.errors import TimedOut, Unreachable

LIMIT = 3
"""After so many requests without an answer a round spares those that would hardly get one."""

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class FanOut(Generic[K]):
    """Remembers which things went unanswered, from round to round; used by one thread at a time.

    Once a round has had enough, things are not asked about that went unanswered the last time, or,
    where it is not ``trusting``, nothing is. Where all are asked about in the order of ``in_turn``,
    those that hang come last and take nothing from the others.
    """

    def __init__(self, *, trusting: bool = True) -> None:
        self._trusting = trusting
        self._turns = count(1)
        self._last: dict[K, int] = {}
        self._failures: list[TimedOut | Unreachable] = []

    def begin_round(self, things: Collection[K]) -> list[K]:
        """Begin a new round with these things, forget all others, and return them in turn."""
        self._failures = []
        self._last = {thing: turn for thing, turn in self._last.items() if thing in things}
        return self.in_turn(things)

    def in_turn(self, things: Iterable[K]) -> list[K]:
        """Order things: first what did answer, then what went unanswered longest ago."""
        return sorted(things, key=lambda thing: self._last.get(thing, 0))

    def ask(self, thing: K, request: Callable[[], T]) -> T:
        """Make a request about a thing, or fail like those before it; raises SlsError."""
        if len(self._failures) >= LIMIT and not (self._trusting and thing not in self._last):
            latest = self._failures[-1]
            raise type(latest)(
                f"not asked, since {LIMIT} requests before it went unanswered",
                operation=latest.operation,
            )
        try:
            answer = request()
        except (TimedOut, Unreachable) as error:
            self._failures.append(error)
            self._last[thing] = next(self._turns)
            raise
        self._last.pop(thing, None)
        return answer
