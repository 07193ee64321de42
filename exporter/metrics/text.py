"""Writes the polled metrics as text: what a poll fixes once, what depends on now at each scrape.

Every label is in place after the poll, in one bytes template a group and family; a scrape only
fills in ages and joins bytes. The result is, byte for byte, what prometheus_client would write, and
the same in the text format and in OpenMetrics: gauges look alike in both.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client.utils import floatToGoString

from exporter.metrics import catalogue
from exporter.metrics.catalogue import Metric
from exporter.progress import ShardProgress, State, standing_since, state
from exporter.snapshot import GroupSnapshot, GroupStatus, TargetStatus

_PLAIN_BELOW = 1e6  # from here on Go writes an exponent where Python does not

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

    text: bytes = b""
    count: int = 0


_EMPTY = Block()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Since:
    """Lines whose values are the time since an instant, or 0 where the instant is None."""

    template: bytes
    instants: tuple[float, ...]
    count: int

    def at(self, now: float) -> Block:
        """Fill in the values of a moment."""
        values = [now - instant if now > instant else 0.0 for instant in self.instants]
        if max(values, default=0.0) < _PLAIN_BELOW:
            return Block(text=self.template % tuple(values), count=self.count)
        template = self.template.replace(b"%r\n", b"%b\n")
        written = tuple(_go_float(value) for value in values)
        return Block(text=template % written, count=self.count)


class GroupText:
    """The lines of one good snapshot of a group."""

    __slots__ = ("_ages", "_fixed", "_stalled", "shape", "snapshot")

    def __init__(self, group: GroupStatus, snapshot: GroupSnapshot, shape: Shape) -> None:
        self.snapshot = snapshot
        self.shape = shape
        key = _labels(group.key._asdict())
        consumers = _line(catalogue.GROUP_CONSUMERS, key, len(snapshot.consumers))
        self._fixed = {
            catalogue.GROUP_CONSUMERS: Block(text=consumers, count=1),
            catalogue.GROUP_SHARDS: self._count_states(group, snapshot),
        }
        self._ages = self._stalled = _Since(template=b"", instants=(), count=0)
        if shape.per_shard:
            self._write_shards(group, snapshot.shards)

    def blocks(self, now: float) -> Iterator[tuple[Metric, Block]]:
        """Give the lines of each family at an instant of the server's clock."""
        yield from self._fixed.items()
        yield catalogue.CHECKPOINT_AGE, self._ages.at(now)
        yield catalogue.STALLED, self._stalled.at(now)

    def _count_states(self, group: GroupStatus, snapshot: GroupSnapshot) -> Block:
        """Count shards by state, which is as the poll saw it until the next one."""
        now = snapshot.polled.server
        states = [state(shard, now, stall_after=group.stall_after) for shard in snapshot.shards]
        lines = [
            _line(
                catalogue.GROUP_SHARDS,
                _labels({**group.key._asdict(), "state": each}),
                states.count(each),
            )
            for each in State
        ]
        return Block(text=b"".join(lines), count=len(lines))

    def _write_shards(self, group: GroupStatus, shards: Sequence[ShardProgress]) -> None:
        labels = [_shard_labels(group, shard, self.shape) for shard in shards]
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
            self._fixed[metric] = Block(text=b"".join(lines), count=len(lines))
        ages = [
            (_template(catalogue.CHECKPOINT_AGE, each), shard.updated_at)
            for each, shard in zip(labels, shards, strict=True)
            if shard.updated_at is not None
        ]
        self._ages = _Since(
            template=b"".join(template for template, _ in ages),
            instants=tuple(at for _, at in ages),
            count=len(ages),
        )
        self._stalled = _stalled(labels, shards)


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
            if group.snapshot is not None:
                self._group(group, group.snapshot, shape)

    def keep_only(self, groups: Iterable[tuple[str, ...]]) -> None:
        """Forget the groups that have left."""
        kept = set(groups)
        self._prepared = {key: text for key, text in self._prepared.items() if key in kept}

    def write(
        self, targets: Sequence[TargetStatus], pending: int, shape: Shape, now: float
    ) -> Iterator[bytes]:
        """Yield the families of a view at a reading of the monotonic clock, in pieces."""
        blocks: dict[Metric, list[Block]] = {metric: [] for metric in _FAMILIES}
        for target in targets:
            for metric, block in self._target(target, shape, now):
                if block.count:
                    blocks[metric].append(block)
        series = 0
        for metric, found in blocks.items():
            if found:
                series += sum(block.count for block in found)
                yield _header(metric)
                yield from (block.text for block in found)
        for metric, value in (
            (catalogue.SERIES, series),
            (catalogue.TARGETS, len(targets) + pending),
        ):
            yield _header(metric) + _line(metric, b"", value)

    def _group(self, group: GroupStatus, snapshot: GroupSnapshot, shape: Shape) -> GroupText:
        known = self._prepared.get(group.key)
        if known is None or known.snapshot is not snapshot or known.shape != shape:
            known = self._prepared[group.key] = GroupText(group, snapshot, shape)
        return known

    def _target(
        self, target: TargetStatus, shape: Shape, now: float
    ) -> Iterator[tuple[Metric, Block]]:
        for group in target.groups:
            snapshot = group.visible(now)
            if snapshot is not None:
                text = self._group(group, snapshot, shape)
                yield from text.blocks(snapshot.polled.server_now(now))
            yield from _status(group)
        if target.is_fresh(now):
            yield from _logstore(target)


_FAMILIES = (
    *_PER_SHARD,
    catalogue.GROUP_SHARDS,
    catalogue.GROUP_CONSUMERS,
    catalogue.GROUP_INFO,
    catalogue.GROUP_UP,
    catalogue.GROUP_LAST_SUCCESS,
    catalogue.LOGSTORE_SHARDS,
    catalogue.LOGSTORE_RETENTION,
    catalogue.CURSOR_ACCESS,
)


def _status(group: GroupStatus) -> Iterator[tuple[Metric, Block]]:
    key = _labels(group.key._asdict())
    yield catalogue.GROUP_UP, _one(catalogue.GROUP_UP, key, int(group.up))
    yield catalogue.GROUP_LAST_SUCCESS, _one(catalogue.GROUP_LAST_SUCCESS, key, group.last_success)
    if group.listing is not None:
        labels = {
            **group.key._asdict(),
            "order": "true" if group.listing.order else "false",
            "timeout_seconds": str(group.listing.timeout_seconds),
        }
        yield catalogue.GROUP_INFO, _one(catalogue.GROUP_INFO, _labels(labels), 1)


def _logstore(target: TargetStatus) -> Iterator[tuple[Metric, Block]]:
    key = target.key._asdict()
    for status, count in (target.shards_by_status or {}).items():
        labels = _labels({**key, "status": status})
        yield catalogue.LOGSTORE_SHARDS, _one(catalogue.LOGSTORE_SHARDS, labels, count)
    retention, access = target.retention_seconds, target.cursor_access
    yield catalogue.LOGSTORE_RETENTION, _one(catalogue.LOGSTORE_RETENTION, _labels(key), retention)
    shown = None if access is None else int(access)
    yield catalogue.CURSOR_ACCESS, _one(catalogue.CURSOR_ACCESS, _labels(key), shown)


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
    return _Since(template=b"".join(lines), instants=tuple(instants), count=len(lines))


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
