"""Readings that make values more exact after every state is settled."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import inf, sqrt
from typing import NamedTuple

from exporter.model.progress import Bracket
from exporter.polling.readings import Pair, Reading, Rules, ShardPairs

EXACT_READINGS = 8
"""Receive times that a poll reads although they settle nothing, if its project can afford them."""
_RECENT_SECONDS = 10  # the service may show log groups of the last seconds late
_EXACT_SECONDS = 2.0
_SPEED_POLLS = 5  # between two exact times of a shard that is behind and moves


class Refinement(NamedTuple):
    """A reading that makes a value more exact, if it is still needed when its turn comes."""

    priority: int
    shard: ShardPairs
    reading: Reading
    cursor: int
    enough: float
    """The width of the bracket of ``cursor``, in seconds, from which on it is not needed."""

    def is_needed(self) -> bool:
        """Return whether the value is still less exact than it has to be."""
        return self.shard.cursors.bracket(self.cursor).width > self.enough


def refinements(
    shards: Iterable[ShardPairs], rules: Rules, *, since: bool, budget: int, exact: int
) -> Sequence[Refinement]:
    """Choose readings after every state is known: long stalls first, then lags, then speeds.

    There are at most ``budget`` such readings. If there are fewer than ``exact``, readings of the
    least exact values are added up to that number.
    """
    wanted = [
        *_of_stalls(shards := list(shards), rules),
        *_of_lags(shards, rules, since=since),
        *_of_speeds(shards, rules),
    ]
    wanted = sorted(_first_of_each(wanted), key=lambda each: each.priority)[:budget]
    rest = exact - len(wanted)
    if rest <= 0:
        return wanted
    chosen = {each.reading for each in wanted}
    others = [each for each in _first_of_each(_inexact(shards)) if each.reading not in chosen]
    return [*wanted, *others[:rest]]


def _of_stalls(shards: Iterable[ShardPairs], rules: Rules) -> Iterator[Refinement]:
    """Yield readings for shards that look stalled; the worst of each group comes first."""
    worst: dict[str, tuple[float, Refinement]] = {}
    for shard in shards:
        for pair, start in shard.behind():
            least, most = shard.stall_range(pair, start)
            near = pair.stall_after - min(rules.interval, pair.stall_after / 2)
            if most <= near or most - least <= _EXACT_SECONDS or shard.cursors.has_read(start):
                continue
            each = Refinement(1, shard, _time(shard, start), start, _EXACT_SECONDS)
            yield each
            if pair.group not in worst or worst[pair.group][0] < most:
                worst[pair.group] = most, each
    yield from (each._replace(priority=0) for _, each in worst.values())


def _of_lags(shards: Iterable[ShardPairs], rules: Rules, *, since: bool) -> Iterator[Refinement]:
    """Yield readings for exact lags: the newest log groups, then the worst lag of each group.

    The worst is the longest that the bounds allow, so a lag of which little is known is read first.
    """
    worst: dict[str, tuple[float, Sequence[Refinement]]] = {}
    wide = 2.5 * rules.interval
    for shard in shards:
        newest = shard.end.cursor - 1
        for pair, start in shard.behind():
            lag, consumed = shard.lag(start)
            exact = None
            if consumed.width > rules.interval and not shard.cursors.has_read(start - 1):
                exact = Refinement(3, shard, _time(shard, start - 1), start - 1, rules.interval)
            most = shard.longest_wait(pair, start)
            if pair.group not in worst or worst[pair.group][0] < most:
                oldest = _of_oldest(shard, pair, start, rules)
                worst[pair.group] = most, [each for each in (exact, oldest) if each is not None]
            enough = max(wide, lag / 5)
            if exact is not None and consumed.width > enough:
                middle = None if pair.is_unchanged or not since else _middle(pair, consumed)
                reading = exact.reading if middle is None else Reading(shard.shard, "since", middle)
                yield Refinement(4, shard, reading, start - 1, enough)
        # The newest log group of a quiet shard stays the newest, so it is read once.
        enough = wide if shard.cursors.has_end_moved else _EXACT_SECONDS
        is_inexact = shard.cursors.bracket(newest).width > enough
        if shard.has_unread and is_inexact and not shard.cursors.has_read(newest):
            yield Refinement(2, shard, _time(shard, newest), newest, enough)
    for _, chosen in sorted(worst.values(), key=lambda each: -each[0]):
        yield from chosen


def _of_oldest(shard: ShardPairs, pair: Pair, start: int, rules: Rules) -> Refinement | None:
    """Return the reading of the oldest unread log group; None if its time is known or refused."""
    if shard.is_oldest_known(pair, shard.cursors.bracket(start)) or shard.cursors.has_read(start):
        return None
    return Refinement(3, shard, _time(shard, start), start, 5 * rules.interval)


def _of_speeds(shards: Iterable[ShardPairs], rules: Rules) -> Iterator[Refinement]:
    """Yield readings for shards that are behind and move, in one of a few polls of each.

    Their speed follows from two exact times.
    """
    for shard in shards:
        for pair, start in shard.behind():
            if (
                pair.is_unchanged
                or round(pair.seen_at / rules.interval + shard.shard) % _SPEED_POLLS
            ):
                continue
            consumed = shard.cursors.bracket(start - 1)
            is_behind = pair.seen_at - consumed.estimate > pair.stall_after
            if is_behind and consumed.width > rules.interval:
                yield Refinement(5, shard, _time(shard, start - 1), start - 1, rules.interval)


def _inexact(shards: Iterable[ShardPairs]) -> list[Refinement]:
    """Return all times that were not read and matter for a value, the least exact first."""
    found: list[tuple[float, Refinement]] = []

    def add(shard: ShardPairs, cursor: int, error: float) -> None:
        if error > _EXACT_SECONDS and not shard.cursors.has_read(cursor):
            each = Refinement(6, shard, _time(shard, cursor), cursor, _EXACT_SECONDS)
            found.append((error, each))

    for shard in shards:
        for pair, start in shard.behind():
            least, most = shard.stall_range(pair, start)
            add(shard, start, most - least)
            add(shard, start - 1, shard.cursors.bracket(start - 1).width)
        if shard.has_unread:
            newest = shard.end.cursor - 1
            add(shard, newest, shard.cursors.bracket(newest).width)
    found.sort(key=lambda each: -each[0])
    return [each for _, each in found]


def _first_of_each(wanted: Iterable[Refinement]) -> Iterable[Refinement]:
    """Keep the most urgent of equal readings, in the order of their first appearance."""
    best: dict[Reading, Refinement] = {}
    for each in wanted:
        known = best.get(each.reading)
        if known is None or each.priority < known.priority:
            best[each.reading] = each
    return best.values()


def _time(shard: ShardPairs, cursor: int) -> Reading:
    return Reading(shard.shard, "time", cursor)


def _middle(pair: Pair, consumed: Bracket) -> int | None:
    """Return the second that splits a bracket evenly by the order of magnitude of its age."""
    youngest, oldest = pair.seen_at - consumed.latest, pair.seen_at - consumed.earliest
    if oldest == inf or youngest <= 0:
        return None
    return min(round(pair.seen_at - sqrt(youngest * oldest)), int(pair.seen_at) - _RECENT_SECONDS)


def interleaved(wanted: Sequence[Refinement]) -> Mapping[Refinement, tuple[float, ...]]:
    """Return priorities that read shards in turn, so that no shard gets a burst."""
    turns: dict[tuple[int, int], int] = {}
    order: dict[Refinement, tuple[float, ...]] = {}
    for number, each in enumerate(wanted):
        key = each.priority, each.shard.shard
        turns[key] = turns.get(key, 0) + 1
        order[each] = float(each.priority), float(turns[key]), float(number)
    return order
