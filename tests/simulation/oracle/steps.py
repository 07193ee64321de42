"""The counters of a group: steps of its checkpoints, and of the ends of its shards.

A poll with failures may have kept an earlier end, so several ends may be known.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tests.simulation.oracle.comparing import Allowed, between, exactly
from tests.simulation.oracle.verdicts import NEVER_READ, Growth, Stand, position

LEAP = 10_000_000_000
"""The log groups of a shard between two polls are fewer. Cursors of another shard are far away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """The steps of a group up to a poll. Those of ends are between bounds."""

    consumed: int = 0
    owner_changes: int = 0
    resets: int = 0
    left: tuple[int, int] = (0, 0)
    """Log groups written to shards that the group does not have any more."""
    stay: tuple[int, int] = (0, 0)
    """Log groups written to the other shards."""
    has_end: frozenset[bool] = frozenset({False})
    """Whether any end was ever read."""

    def after(
        self, old: Mapping[int, Stand], before: Mapping[int, Stand], new: Mapping[int, Stand]
    ) -> "Counts":
        """Return the counts after a poll.

        ``old`` are the shards of the previous one, and ``before`` those of them that still exist.
        """
        pairs = [(before[shard], each) for shard, each in new.items() if shard in before]
        moves = [_move(*pair) for pair in pairs]
        left = [each.growth for shard, each in old.items() if shard not in before.keys() & new]
        growths = [each.growth for each in new.values()]
        has_end = self.has_end
        if any(None not in growth for growth in growths):
            has_end = frozenset({True})
        elif any(growth != NEVER_READ for growth in growths):
            has_end |= {True}
        return Counts(
            consumed=self.consumed + sum(move for move in moves if 0 < move <= LEAP),
            owner_changes=self.owner_changes + sum(_is_new_owner(*pair) for pair in pairs),
            resets=self.resets + sum(move < 0 for move in moves),
            left=_total(self.left, left),
            stay=_total((0, 0), growths),
            has_end=has_end,
        )

    def series(self) -> Iterator[tuple[str, Allowed]]:
        """Yield what is shown, by the end of the metric's name."""
        yield "consumed_log_groups_total", exactly(self.consumed)
        yield "owner_changes_total", exactly(self.owner_changes)
        yield "checkpoint_resets_total", exactly(self.resets)
        if True in self.has_end:
            least, most = (sum(each) for each in zip(self.left, self.stay, strict=True))
            is_optional = False in self.has_end
            yield "written_log_groups_total", between(least, least, most, optional=is_optional)


def grown(before: Growth, end: int | None, *, is_certain: bool) -> Growth:
    """Return the ends that may be known after a poll that read one, or none."""
    if end is None:
        return before
    read = frozenset((_first(each, end), end) for each in before)
    return read if is_certain else before | read


def _first(before: tuple[int, int] | None, end: int) -> int:
    """Return the first end that counts. A leap to the end of another shard does not count."""
    if before is None:
        return end
    first, last = before
    return end - (last - first) if end - last > LEAP else first


def _move(before: Stand, after: Stand) -> int:
    """Return by how many log groups a checkpoint moved."""
    start, reached = position(before.text), position(after.text)
    return 0 if start is None or reached is None else reached - start


def _is_new_owner(before: Stand, after: Stand) -> bool:
    """Return whether the name changed. One that appears or disappears does not count."""
    return "" not in {before.owner, after.owner} and before.owner != after.owner


def _total(bounds: tuple[int, int], growths: list[Growth]) -> tuple[int, int]:
    least, most = bounds
    for growth in growths:
        steps = [each[1] - each[0] if each else 0 for each in growth]
        least, most = least + min(steps), most + max(steps)
    return least, most
