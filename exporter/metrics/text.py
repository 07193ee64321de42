"""Writes the polled metrics as text: what a poll fixes once, what depends on now at each scrape.

Every label is in place after the poll, in one bytes template a group and family; a scrape only
fills in ages and joins bytes. The result is, byte for byte, what prometheus_client would write, and
the same in the text format and in OpenMetrics: gauges look alike in both.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client.utils import floatToGoString

from exporter.metrics import catalogue
from exporter.metrics.catalogue import Metric
from exporter.metrics.pieces import Piece
from exporter.progress import ShardProgress, State, standing_since, state
from exporter.snapshot import GroupSnapshot, GroupStatus, TargetStatus

_PLAIN_BELOW = 1e6  # from here on Go writes an exponent where Python does not
_PIECE_FROM_BYTES = 2048  # less compresses badly by itself

_PER_SHARD = (
    catalogue.CHECKPOINT_AGE,
    catalogue.CHECKPOINT_UPDATED,
    catalogue.LAG,
    catalogue.OLDEST_UNREAD,
    catalogue.UNREAD,
    catalogue.STALLED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Which series are shown: whether one a shard, and whether with its consumer."""

    per_shard: bool = True
    consumer_label: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Lines of one family, and how many."""

    text: bytes | Piece = b""
    count: int = 0


_EMPTY = Block()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Since:
    """Lines whose values are the time since an instant; others among them are complete.

    Instants are in milliseconds: that is precise enough, and halves the time of writing values.
    """

    template: bytes = b""
    milliseconds: tuple[int, ...] = ()
    count: int = 0

    def at(self, now: float) -> Block:
        """Fill in the values of a moment."""
        until = round(now * 1000)
        values = [(until - at) / 1000 if until > at else 0.0 for at in self.milliseconds]
        if max(values, default=0.0) < _PLAIN_BELOW:
            return Block(text=self.template % tuple(values), count=self.count)
        template = self.template.replace(b"%r\n", b"%b\n")
        written = tuple(_go_float(value) for value in values)
        return Block(text=template % written, count=self.count)


class GroupText:
    """The lines of a group as its newest poll left it.

    What is shown for each shard but does not change until the next poll is kept compressed.
    """

    __slots__ = ("_ages", "_always", "_snapshot", "_stalled", "group", "shape")

    def __init__(self, group: GroupStatus, shape: Shape) -> None:
        self.group = group
        self.shape = shape
        self._always = _always(group)
        self._snapshot: dict[Metric, Block] = {}
        self._ages = self._stalled = _Since()
        if group.snapshot is not None:
            self._snapshot = _of_group(group, group.snapshot)
            if shape.per_shard:
                shards = group.snapshot.shards
                labels = [_shard_labels(group, shard, shape) for shard in shards]
                self._snapshot.update(_of_shards(labels, shards))
                self._ages = _ages(labels, shards)
                self._stalled = _stalled(labels, shards)

    def lines(self, metric: Metric, now: float | None) -> Block:
        """Give the lines of a family at an instant of the server's clock.

        The instant is None where the snapshot is too old to be shown.
        """
        always = self._always.get(metric)
        if always is not None or now is None:
            return always or _EMPTY
        if metric is catalogue.CHECKPOINT_AGE:
            return self._ages.at(now)
        if metric is catalogue.STALLED:
            return self._stalled.at(now)
        return self._snapshot.get(metric, _EMPTY)


class PolledText:
    """Writes views, and keeps what is prepared of each group until its next poll."""

    def __init__(self) -> None:
        self._prepared: dict[tuple[str, ...], GroupText] = {}

    @property
    def groups(self) -> int:
        """For how many groups something is kept."""
        return len(self._prepared)

    def prepare(self, status: TargetStatus, shape: Shape) -> None:
        """Write what a poll has fixed, so that no scrape has to."""
        for group in status.groups:
            self._group(group, shape)

    def keep_only(self, groups: Iterable[tuple[str, ...]]) -> None:
        """Forget the groups that have left."""
        kept = set(groups)
        self._prepared = {key: text for key, text in self._prepared.items() if key in kept}

    def write(
        self, targets: Sequence[TargetStatus], pending: int, shape: Shape, now: float
    ) -> Iterator[bytes | Piece]:
        """Yield the families of a view at a reading of the monotonic clock, in pieces."""
        groups = [
            (self._group(group, shape), snapshot.polled.server_now(now) if snapshot else None)
            for target in targets
            for group in target.groups
            for snapshot in (group.visible(now),)
        ]
        fresh = [target for target in targets if target.is_fresh(now)]
        series = 0
        for metric in _OF_GROUPS:
            blocks = (text.lines(metric, at) for text, at in groups)
            series += yield from _family(metric, blocks)
        for metric, of_target in _OF_LOGSTORES.items():
            series += yield from _family(metric, map(of_target, fresh))
        for metric, value in (
            (catalogue.SERIES, series),
            (catalogue.TARGETS, len(targets) + pending),
        ):
            yield _header(metric) + _line(metric, b"", value)

    def _group(self, group: GroupStatus, shape: Shape) -> GroupText:
        known = self._prepared.get(group.key)
        if known is None or known.group is not group or known.shape != shape:
            known = self._prepared[group.key] = GroupText(group, shape)
        return known


_OF_GROUPS = (
    *_PER_SHARD,
    catalogue.GROUP_SHARDS,
    catalogue.GROUP_CONSUMERS,
    catalogue.GROUP_INFO,
    catalogue.GROUP_UP,
    catalogue.GROUP_LAST_SUCCESS,
)


def _family(metric: Metric, blocks: Iterable[Block]) -> Generator[bytes | Piece, None, int]:
    """Yield a family with its header, nothing if it has no lines; return their number."""
    count = 0
    for block in blocks:
        if block.count:
            if not count:
                yield _header(metric)
            count += block.count
            yield block.text
    return count


def _always(group: GroupStatus) -> dict[Metric, Block]:
    """Write what is shown of a group whether or not its values are."""
    key = _labels(group.key._asdict())
    info = _EMPTY
    if group.listing is not None:
        order = "true" if group.listing.order else "false"
        timeout = str(group.listing.timeout_seconds)
        labels = {**group.key._asdict(), "order": order, "timeout_seconds": timeout}
        info = _one(catalogue.GROUP_INFO, _labels(labels), 1)
    return {
        catalogue.GROUP_INFO: info,
        catalogue.GROUP_UP: _one(catalogue.GROUP_UP, key, int(group.up)),
        catalogue.GROUP_LAST_SUCCESS: _one(catalogue.GROUP_LAST_SUCCESS, key, group.last_success),
    }


def _of_group(group: GroupStatus, snapshot: GroupSnapshot) -> dict[Metric, Block]:
    """Write what a snapshot says of its group as a whole; states are as the poll saw them."""
    key = group.key._asdict()
    now = snapshot.polled.server
    states = [state(shard, now, stall_after=group.stall_after) for shard in snapshot.shards]
    lines = [
        _line(catalogue.GROUP_SHARDS, _labels({**key, "state": each}), states.count(each))
        for each in State
    ]
    consumers = len(snapshot.consumers)
    return {
        catalogue.GROUP_SHARDS: Block(text=b"".join(lines), count=len(lines)),
        catalogue.GROUP_CONSUMERS: _one(catalogue.GROUP_CONSUMERS, _labels(key), consumers),
    }


def _of_shards(
    labels: Sequence[bytes], shards: Sequence[ShardProgress]
) -> Iterator[tuple[Metric, Block]]:
    """Write what a snapshot says of its shards, but for what depends on the time."""
    for metric, values in (
        (catalogue.CHECKPOINT_UPDATED, [shard.updated_at for shard in shards]),
        (catalogue.LAG, [shard.lag_seconds for shard in shards]),
        (catalogue.OLDEST_UNREAD, [shard.oldest_unread_at for shard in shards]),
        (catalogue.UNREAD, [shard.unread for shard in shards]),
    ):
        lines = [
            _line(metric, each, value)
            for each, value in zip(labels, values, strict=True)
            if value is not None
        ]
        text = b"".join(lines)
        yield (
            metric,
            Block(text=Piece.of(text) if len(text) > _PIECE_FROM_BYTES else text, count=len(lines)),
        )


def _shards_by_status(target: TargetStatus) -> Block:
    counts = target.shards_by_status or {}
    lines = [
        _line(catalogue.LOGSTORE_SHARDS, _labels({**target.key._asdict(), "status": each}), count)
        for each, count in counts.items()
    ]
    return Block(text=b"".join(lines), count=len(lines))


def _retention(target: TargetStatus) -> Block:
    key = _labels(target.key._asdict())
    return _one(catalogue.LOGSTORE_RETENTION, key, target.retention_seconds)


def _cursor_access(target: TargetStatus) -> Block:
    access = None if target.cursor_access is None else int(target.cursor_access)
    return _one(catalogue.CURSOR_ACCESS, _labels(target.key._asdict()), access)


_OF_LOGSTORES: Mapping[Metric, Callable[[TargetStatus], Block]] = {
    catalogue.LOGSTORE_SHARDS: _shards_by_status,
    catalogue.LOGSTORE_RETENTION: _retention,
    catalogue.CURSOR_ACCESS: _cursor_access,
}


def _ages(labels: Sequence[bytes], shards: Sequence[ShardProgress]) -> _Since:
    ages = [
        (_template(catalogue.CHECKPOINT_AGE, each), shard.updated_at)
        for each, shard in zip(labels, shards, strict=True)
        if shard.updated_at is not None
    ]
    return _Since(
        template=b"".join(template for template, _ in ages),
        milliseconds=tuple(round(at * 1000) for _, at in ages),
        count=len(ages),
    )


def _stalled(labels: Sequence[bytes], shards: Sequence[ShardProgress]) -> _Since:
    lines: list[bytes] = []
    instants: list[float] = []
    for each, shard in zip(labels, shards, strict=True):
        since = standing_since(shard)
        if since is not None:
            lines.append(_template(catalogue.STALLED, each))
            instants.append(since)
        elif shard.unread == 0 and shard.is_consumed:
            lines.append(_line(catalogue.STALLED, each.replace(b"%", b"%%"), 0))
    return _Since(
        template=b"".join(lines),
        milliseconds=tuple(round(at * 1000) for at in instants),
        count=len(lines),
    )


def _shard_labels(group: GroupStatus, shard: ShardProgress, shape: Shape) -> bytes:
    labels = {**group.key._asdict(), "shard": str(shard.shard)}
    if shape.consumer_label:
        labels["consumer"] = shard.consumer
    return _labels(labels)


def _labels(labels: Mapping[str, str]) -> bytes:
    written = (f'{name}="{_escaped(value)}"' for name, value in sorted(labels.items()))
    return ",".join(written).encode()


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _one(metric: Metric, labels: bytes, value: float | None) -> Block:
    return _EMPTY if value is None else Block(text=_line(metric, labels, value), count=1)


def _line(metric: Metric, labels: bytes, value: float) -> bytes:
    braced = b"{%b}" % labels if labels else b""
    return b"%b%b %b\n" % (metric.name.encode(), braced, _go_float(value))


def _template(metric: Metric, labels: bytes) -> bytes:
    return b"%b{%b} %%r\n" % (metric.name.encode(), labels.replace(b"%", b"%%"))


def _header(metric: Metric) -> bytes:
    return f"# HELP {metric.name} {metric.help}\n# TYPE {metric.name} {metric.kind}\n".encode()


def _go_float(value: float) -> bytes:
    return str(floatToGoString(value)).encode()  # type: ignore[no-untyped-call]  # theirs
