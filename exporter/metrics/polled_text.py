"""Writes the polled metrics as text: what a poll fixes once, what depends on now at each scrape.

Every label is in place after the poll, in texts that lack only their values; a scrape fills in ages
and joins bytes. The result is, byte for byte, what prometheus_client would write, and
the same in the text format and in OpenMetrics: gauges look alike in both.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, compress

from msgspec import Struct

from exporter.evaluation.shard import state
from exporter.metrics import catalogue
from exporter.metrics.ages import AgeLines, ages, stalled
from exporter.metrics.family import Family
from exporter.metrics.gzip_stream import Part, kept
from exporter.metrics.text_format import (
    EMPTY,
    Block,
    escaped,
    go_float,
    header,
    label_text,
    line,
    lines_of,
)
from exporter.model.progress import ShardProgress, State
from exporter.model.snapshot import GroupSnapshot, GroupStatus, TargetStatus, View

_PER_SHARD = (
    catalogue.CHECKPOINT_AGE,
    catalogue.CHECKPOINT_UPDATED,
    catalogue.LAG,
    catalogue.OLDEST_UNREAD,
    catalogue.UNREAD,
    catalogue.STALLED,
)
_STATES = tuple(State)


class Shape(Struct, frozen=True, kw_only=True):
    """Which series are shown: whether one a shard, whether with its consumer, and how many."""

    per_shard: bool = True
    consumer_label: bool = True
    max_series: int = 1_000_000
    """Of single shards; groups beyond that, in the order of names, are shown without them."""


class GroupText:
    """The lines of a group as its newest poll left it.

    What is shown for each shard but does not change until the next poll is kept compressed.
    """

    __slots__ = (
        "always",
        "down",
        "group",
        "lines",
        "shape",
        "shard_series",
        "snapshot",
        "up",
    )

    def __init__(self, group: GroupStatus, shape: Shape) -> None:
        self.group = group
        self.shape = shape
        key = label_text(group.key._asdict())
        self.always: Mapping[Family, Block] = _always(group, key)
        self.up = _one_line(catalogue.GROUP_UP, key, 1)
        self.down = _one_line(catalogue.GROUP_UP, key, 0)
        self.snapshot: Mapping[Family, Block] = {}
        self.lines: Mapping[Family, Block | AgeLines] = {}
        if group.snapshot is not None:
            self.snapshot = _of_group(group, group.snapshot, key)
            if shape.per_shard:
                shards = group.snapshot.shards
                heads = _heads(key, shards, shape)
                self.lines = dict(_of_shards(heads, shards, group.interval))
        self.shard_series = sum(lines.count for lines in self.lines.values())


class LogstoreText:
    """The lines of a logstore itself as its newest poll left it."""

    __slots__ = ("blocks", "target")

    def __init__(self, target: TargetStatus) -> None:
        self.target = target
        key = label_text(target.key._asdict())
        self.blocks = {metric: write(target, key) for metric, write in _OF_LOGSTORES.items()}


class PolledText:
    """Writes views, and keeps what is prepared of each group until its next poll."""

    def __init__(self) -> None:
        self._prepared: dict[tuple[str, ...], GroupText] = {}
        self._logstores: dict[tuple[str, ...], LogstoreText] = {}

    def prepare(self, status: TargetStatus, shape: Shape) -> None:
        """Write what a poll has fixed, so that no scrape has to."""
        for group in status.groups:
            self._group(group, shape)
        self._logstore(status)

    def prepare_group(self, group: GroupStatus, shape: Shape) -> None:
        """Write what a poll has read of a group so far."""
        self._group(group, shape)

    def keep_only(self, groups: Iterable[tuple[str, ...]]) -> None:
        """Forget the groups that have left."""
        # Polls and scrapes go on meanwhile and put in more: only a copy can be looked through.
        kept = set(groups)
        prepared, logstores = self._prepared.copy(), self._logstores.copy()
        self._prepared = {key: text for key, text in prepared.items() if key in kept}
        places = {key[:2] for key in kept}
        self._logstores = {key: text for key, text in logstores.items() if key in places}

    def write(self, view: View, shape: Shape, now: float) -> Iterator[Part]:
        """Yield the families of a view at a reading of the monotonic clock, in pieces."""
        targets = view.targets
        texts = [self._group(group, shape) for target in targets for group in target.groups]
        shown = [
            (text, snapshot.polled.server_now(now))
            for text in texts
            if (snapshot := text.group.visible(now)) is not None
        ]
        fresh = [self._logstore(target) for target in targets if target.is_fresh(now)]
        detailed, dropped = _within(shape.max_series, shown)
        series = 0
        for metric in _PER_SHARD:
            blocks = (_at(text.lines.get(metric, EMPTY), at) for text, at in detailed)
            series += yield from _family(metric, blocks)
        for metric in _PER_GROUP:
            if metric is catalogue.GROUP_UP:
                blocks = (text.up if text.group.is_up(now) else text.down for text in texts)
            elif metric in _ALWAYS:
                blocks = (text.always[metric] for text in texts)
            else:
                blocks = (text.snapshot[metric] for text, _ in shown)
            series += yield from _family(metric, blocks)
        for metric in _OF_LOGSTORES:
            series += yield from _family(metric, (text.blocks[metric] for text in fresh))
        for metric, value in (
            (catalogue.SERIES, series),
            (catalogue.SERIES_DROPPED, dropped),
            (catalogue.TARGETS, view.target_count),
        ):
            yield _header(metric) + line(metric.name, b"", value)

    def _group(self, group: GroupStatus, shape: Shape) -> GroupText:
        known = self._prepared.get(group.key)
        if known is None or known.group is not group or known.shape != shape:
            known = self._prepared[group.key] = GroupText(group, shape)
        return known

    def _logstore(self, target: TargetStatus) -> LogstoreText:
        known = self._logstores.get(target.key)
        if known is None or known.target is not target:
            known = self._logstores[target.key] = LogstoreText(target)
        return known


_ALWAYS = frozenset({catalogue.GROUP_INFO, catalogue.GROUP_LAST_SUCCESS, catalogue.GROUP_INTERVAL})
_PER_GROUP = (
    catalogue.GROUP_SHARDS,
    catalogue.GROUP_CONSUMERS,
    catalogue.GROUP_INFO,
    catalogue.GROUP_UP,
    catalogue.GROUP_LAST_SUCCESS,
    catalogue.GROUP_INTERVAL,
)


_Shown = Sequence[tuple[GroupText, float]]


def _within(limit: int, shown: _Shown) -> tuple[_Shown, int]:
    """Choose the groups whose shards are shown; tell how many series of the others are not."""
    counts = [text.shard_series for text, _ in shown]
    kept = sum(1 for reached in accumulate(counts) if reached <= limit)
    return shown[:kept], sum(counts[kept:])


def _at(lines: Block | AgeLines, now: float) -> Block:
    return lines if isinstance(lines, Block) else lines.at(now)


def _family(metric: Family, blocks: Iterable[Block]) -> Generator[Part, None, int]:
    """Yield a family with its header, nothing if it has no lines; return their number."""
    count = 0
    for block in blocks:
        if block.count:
            if not count:
                yield _header(metric)
            count += block.count
            yield block.text
    return count


def _header(metric: Family) -> bytes:
    return header(metric.name, metric.kind, metric.help)


def _one_line(metric: Family, labels: bytes, value: float | None) -> Block:
    """Write a family's only line of a kind; none where the value is not known."""
    return EMPTY if value is None else Block(text=line(metric.name, labels, value), count=1)


def _always(group: GroupStatus, key: bytes) -> dict[Family, Block]:
    """Write what is shown of a group whether or not its values are."""
    info = EMPTY
    if group.listing is not None:
        order = "true" if group.listing.order else "false"
        timeout = str(group.listing.timeout_seconds)
        labels = {**group.key._asdict(), "order": order, "timeout_seconds": timeout}
        info = _one_line(catalogue.GROUP_INFO, label_text(labels), 1)
    return {
        catalogue.GROUP_INFO: info,
        catalogue.GROUP_LAST_SUCCESS: _one_line(
            catalogue.GROUP_LAST_SUCCESS, key, group.last_success
        ),
        catalogue.GROUP_INTERVAL: _one_line(catalogue.GROUP_INTERVAL, key, group.interval),
    }


def _of_group(group: GroupStatus, snapshot: GroupSnapshot, key: bytes) -> dict[Family, Block]:
    """Write what a snapshot says of its group as a whole; states are as the poll saw them."""
    now = snapshot.polled.server
    found = [state(shard, now, stall_after=group.stall_after) for shard in snapshot.shards]
    # Not by a Counter: an enum's hash takes longer than to look at all of them.
    counts = [go_float(found.count(each)) for each in _STATES]
    heads = [b'{%b,state="%b"} ' % (key, each.encode()) for each in _STATES]
    consumers = len(snapshot.consumers)
    return {
        catalogue.GROUP_SHARDS: Block(
            text=lines_of(catalogue.GROUP_SHARDS.name, heads, counts), count=len(heads)
        ),
        catalogue.GROUP_CONSUMERS: _one_line(catalogue.GROUP_CONSUMERS, key, consumers),
    }


def _of_shards(
    heads: Sequence[bytes], shards: Sequence[ShardProgress], interval: float
) -> Iterator[tuple[Family, Block | AgeLines]]:
    """Write what a snapshot says of its shards, but for what depends on the time."""
    unread = [shard.unread for shard in shards]
    for metric, values in (
        (catalogue.CHECKPOINT_UPDATED, [shard.updated_at for shard in shards]),
        (catalogue.LAG, [shard.lag_seconds for shard in shards]),
        (catalogue.OLDEST_UNREAD, [shard.oldest_unread_at for shard in shards]),
        (catalogue.UNREAD, unread),
    ):
        known = [value for value in values if value is not None]
        if known:
            shown = [*compress(heads, [value is not None for value in values])]
            text = lines_of(metric.name, shown, [go_float(value) for value in known])
            yield metric, Block(text=kept(text), count=len(known))
    yield catalogue.CHECKPOINT_AGE, ages(heads, shards)
    if unread.count(None) < len(unread):
        yield catalogue.STALLED, stalled(heads, shards, interval)


def _shards_by_status(target: TargetStatus, key: bytes) -> Block:
    counts = target.shards_by_status or {}
    lines = [
        line(
            catalogue.LOGSTORE_SHARDS.name, b'%b,status="%b"' % (key, escaped(each).encode()), count
        )
        for each, count in counts.items()
    ]
    return Block(text=b"".join(lines), count=len(lines))


def _retention(target: TargetStatus, key: bytes) -> Block:
    return _one_line(catalogue.LOGSTORE_RETENTION, key, target.retention_seconds)


def _cursor_access(target: TargetStatus, key: bytes) -> Block:
    access = None if target.cursor_access is None else int(target.cursor_access)
    return _one_line(catalogue.CURSOR_ACCESS, key, access)


_OF_LOGSTORES: Mapping[Family, Callable[[TargetStatus, bytes], Block]] = {
    catalogue.LOGSTORE_SHARDS: _shards_by_status,
    catalogue.LOGSTORE_RETENTION: _retention,
    catalogue.CURSOR_ACCESS: _cursor_access,
}


def _heads(key: bytes, shards: Sequence[ShardProgress], shape: Shape) -> Sequence[bytes]:
    """Write what stands between the name of a metric and the value of each shard.

    Labels are in the order of their names.
    """
    if not shape.consumer_label:
        return tuple([b'{%b,shard="%d"} ' % (key, shard.shard) for shard in shards])
    return tuple(
        [
            b'{consumer="%b",%b,shard="%d"} ' % (escaped(each.consumer).encode(), key, each.shard)
            for each in shards
        ]
    )
