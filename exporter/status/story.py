"""The story of a consumer group: why it is stalled, what to do, its rates and its predicted end."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

from exporter.base.text import counted
from exporter.model.progress import Cause, State
from exporter.status.markup import Html, join, tag
from exporter.status.plot import plot
from exporter.status.rows import GroupRow, badness
from exporter.status.shard_rows import ShardRow
from exporter.status.wording import (
    CAUSE_NAMES,
    CAUSE_REMEDIES,
    LOSS_REMEDY,
    duration,
    prediction,
    rate,
)

_SHOWN_NAMES = 4


def story(row: GroupRow, *, now: float) -> Html:
    """Describe the present of a group; ``now`` is on the monotonic clock."""
    if not row.is_group:
        return Html()
    return join(*_causes(row), _trend(row, now))


def _causes(row: GroupRow) -> Iterator[Html]:
    """Describe lost data, and the likely causes of stalls, that of the worst shard first."""
    lost = [shard for shard in worst_first(row.shards) if shard.state is State.EXPIRED]
    if lost:
        yield _problem("Data was deleted before it was read", lost, LOSS_REMEDY)
    for cause, shards in by_cause(row.shards).items():
        words = join("Likely cause: ", tag("b", CAUSE_NAMES[cause]))
        yield _problem(words, shards, CAUSE_REMEDIES[cause])


def _problem(words: str, shards: Sequence[ShardRow], remedy: str) -> Html:
    """Describe a problem of shards, with their owners and the longest stall."""
    longest = max(shards, key=lambda shard: shard.stalled_seconds or 0.0)
    owners = dict.fromkeys(shard.consumer for shard in shards if shard.consumer)
    noun = "shard" if len(shards) == 1 else "shards"
    facts = [f"{noun} {_listed([str(shard.shard) for shard in shards])}"]
    if owners:
        facts.append(f"last owner {_listed([*owners])}")
    if longest.stalled_seconds:
        facts.append(f"for {duration(longest.stalled_seconds)}")
    since = longest.stalled_since
    return tag(
        "p",
        words,
        f" ({', '.join(facts)}",
        *([", since ", instant(since)] if since is not None else []),
        "). ",
        tag("strong", remedy),
        class_="problem",
    )


def by_cause(shards: Sequence[ShardRow]) -> Mapping[Cause, Sequence[ShardRow]]:
    """Return the stalled shards by their likely cause, the worst first."""
    found: dict[Cause, list[ShardRow]] = {}
    for shard in worst_first(shards):
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


def worst_first(shards: Iterable[ShardRow]) -> list[ShardRow]:
    """Sort shards, the worst first."""
    return sorted(
        shards,
        key=lambda row: badness(row.state, row.stalled_seconds, row.age_seconds, row.shard),
    )


def _listed(names: Sequence[str]) -> str:
    rest = len(names) - _SHOWN_NAMES
    return ", ".join(names[:_SHOWN_NAMES]) + (f" and {rest:,} more" if rest > 0 else "")
