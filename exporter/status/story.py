"""The story of a consumer group: why it is stalled, what to do, its rates and its predicted end."""

import time
from collections.abc import Iterator, Mapping, Sequence

from exporter.model.progress import Cause
from exporter.status.markup import Html, join, tag
from exporter.status.plot import plot
from exporter.status.rows import SEVERITY, GroupRow
from exporter.status.shard_rows import ShardRow
from exporter.status.wording import CAUSE_NAMES, CAUSE_REMEDIES, counted, duration, prediction, rate

_SHOWN_NAMES = 4


def story(row: GroupRow, *, now: float) -> Html:
    """Describe the present of a group; ``now`` is on the monotonic clock."""
    if not row.is_group:
        return Html()
    return join(*_causes(row), _trend(row, now))


def _causes(row: GroupRow) -> Iterator[Html]:
    """Describe the likely causes, that of the worst shard first."""
    for cause, shards in by_cause(row.shards).items():
        longest = max(shards, key=lambda shard: shard.stalled_seconds or 0.0)
        owners = dict.fromkeys(shard.consumer for shard in shards if shard.consumer)
        words = [
            f"{'shard' if len(shards) == 1 else 'shards'} "
            + _listed([str(shard.shard) for shard in shards]),
            *([f"last owner {_listed([*owners])}"] if owners else []),
            f"for {duration(longest.stalled_seconds)}",
        ]
        yield tag(
            "p",
            "Likely cause: ",
            tag("b", CAUSE_NAMES[cause]),
            f" ({', '.join(words)}",
            *([", since ", instant(longest.stalled_since)] if longest.stalled_since else []),
            "). ",
            tag("strong", CAUSE_REMEDIES[cause]),
            class_="problem",
        )


def by_cause(shards: Sequence[ShardRow]) -> Mapping[Cause, Sequence[ShardRow]]:
    """Return the stalled shards by their likely cause, the worst first."""
    found: dict[Cause, list[ShardRow]] = {}
    for shard in sorted(shards, key=badness):
        if shard.likely_cause is not None:
            found.setdefault(shard.likely_cause, []).append(shard)
    return found


def _trend(row: GroupRow, now: float) -> Html:
    facts = [_plot(row, now), *_facts(row)]
    url = row.console_url
    if url is not None:
        facts.append(tag("a", "Console", href=url, rel="noreferrer", class_="console"))
    shown = [tag("span", fact) for fact in facts if fact]
    return tag("p", *shown, class_="trend") if shown else Html()


def _plot(row: GroupRow, now: float) -> Html:
    history, settings = row.history, row.settings
    if history is None or settings is None:
        return Html()
    # Unread data of less than ``stall_after`` is usual.
    usual = (row.rates.written or 0.0) * settings.stall_after
    return plot(history.points, now, interval=history.interval, least=max(1.0, usual))


def _facts(row: GroupRow) -> Iterator[str]:
    unread = row.unread_log_groups
    if unread is not None:
        yield f"{counted(unread, 'log group')} unread"
    if row.rates.read is not None:
        yield f"reads {rate(row.rates.read)}"
    if row.rates.written is not None:
        yield f"written {rate(row.rates.written)}"
    words = prediction(row.outlook)
    if words:
        yield words if row.outlook.data_loss_seconds is None else tag("b", words)


def instant(at: float) -> Html:
    """Return a Unix timestamp in seconds as a time in UTC."""
    moment = time.gmtime(at)
    shown = time.strftime("%Y-%m-%d %H:%M:%S UTC", moment)
    return tag("time", shown, datetime=time.strftime("%Y-%m-%dT%H:%M:%SZ", moment))


def badness(row: ShardRow) -> tuple[int, float, float, int]:
    """Return a sort key with which the worst shard comes first."""
    return (
        SEVERITY.index(row.state),
        -(row.stalled_seconds or 0.0),
        -(row.age_seconds or 0.0),
        row.shard,
    )


def _listed(names: Sequence[str]) -> str:
    rest = len(names) - _SHOWN_NAMES
    return ", ".join(names[:_SHOWN_NAMES]) + (f" and {rest:,} more" if rest > 0 else "")
