"""The polled metrics as text. Most of it is written after a poll, and ages at each scrape.

After a poll, all labels are written, so that a scrape only fills in ages and joins bytes. The
result equals the output of prometheus_client byte for byte. Only the lines above a family differ
between the text format and OpenMetrics.
"""

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, compress

from exporter.config.schema import MetricsConfig
from exporter.metrics import catalogue, self_catalogue
from exporter.metrics.ages import AgeLines, age_lines
from exporter.metrics.family import (
    AgeFamily,
    EntryFamily,
    Family,
    GroupFamily,
    LogstoreFamily,
    ShardFamily,
    Values,
)
from exporter.metrics.gzip_stream import Part, kept
from exporter.metrics.rollups import LargestAge, rolled_up
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
from exporter.model.progress import ShardProgress
from exporter.model.snapshot import (
    EntryStatus,
    GroupSnapshot,
    GroupStatus,
    TargetStatus,
    View,
)

_Lines = Block | AgeLines | LargestAge
"""Lines that are complete, or whose values are filled in at each scrape."""


class GroupText:
    """The lines of a group after its newest poll.

    Lines of shards that do not change until the next poll are kept compressed.
    """

    __slots__ = ("_labels", "_unserved", "config", "group", "lines", "served", "shard_series")

    def __init__(self, group: GroupStatus, config: MetricsConfig) -> None:
        self.group = group
        self.config = config
        self._labels = {**group.key.labels, **dict(group.settings.labels)}
        self.served = _of_group(group, group.snapshot, self._labels)
        self._unserved: Mapping[GroupFamily, Block] | None = None
        self.lines: Mapping[ShardFamily, _Lines] = {}
        if group.snapshot is not None:
            self.lines = _lines(self._labels, group.snapshot.shown, group.interval, config)
        self.shard_series = sum(lines.count for lines in self.lines.values())

    def unserved(self) -> Mapping[GroupFamily, Block]:
        """Return the lines of the group while no snapshot is served."""
        if self._unserved is None:
            self._unserved = _of_group(self.group, None, self._labels)
        return self._unserved


class LogstoreText:
    """The lines of a logstore itself after its newest poll."""

    __slots__ = ("blocks", "target")

    def __init__(self, target: TargetStatus) -> None:
        self.target = target
        labels = {**target.key.labels, **dict(target.labels)}
        text = label_text(labels)
        self.blocks: Mapping[LogstoreFamily, Block] = {
            family: _block(family, labels, text, family.values(target))
            for family in catalogue.OF_LOGSTORES
        }


class PolledText:
    """A writer of views, which keeps the prepared text of each group until its next poll."""

    def __init__(self) -> None:
        self._prepared: dict[tuple[str, ...], GroupText] = {}
        self._logstores: dict[tuple[str, ...], LogstoreText] = {}

    def prepare(self, status: TargetStatus, config: MetricsConfig) -> None:
        """Write the text that depends only on the poll, so that scrapes need not write it."""
        for group in status.groups:
            self._group(group, config)
        self._logstore(status)

    def prepare_group(self, group: GroupStatus, config: MetricsConfig) -> None:
        """Write the text of a group whose poll has not ended yet."""
        self._group(group, config)

    def keep_only(self, groups: Iterable[tuple[str, ...]]) -> None:
        """Forget all groups except these."""
        # Polls and scrapes may add groups at the same time, so iterate over a copy.
        kept = set(groups)
        prepared, logstores = self._prepared.copy(), self._logstores.copy()
        self._prepared = {key: text for key, text in prepared.items() if key in kept}
        of_kept = {key[:3] for key in kept}
        self._logstores = {key: text for key, text in logstores.items() if key in of_kept}

    def write(
        self, view: View, config: MetricsConfig, now: float, *, openmetrics: bool = False
    ) -> Iterator[Part]:
        """Yield the families of a view at a reading of the monotonic clock, in pieces."""
        head_of = _openmetrics_header if openmetrics else _text_header
        targets = view.targets
        served: list[tuple[GroupText, float]] = []
        of_groups: list[Mapping[GroupFamily, Block]] = []
        for target in targets:
            for group in target.groups:
                text, snapshot = self._group(group, config), group.visible(now)
                of_groups.append(text.unserved() if snapshot is None else text.served)
                if snapshot is not None:
                    served.append((text, snapshot.polled.server_now(now)))
        fresh = [self._logstore(target) for target in targets if target.is_fresh(now)]
        detailed, dropped = _within(config.max_series, served)
        series = 0
        for of_shards in catalogue.OF_SHARDS:
            blocks = (_at(text.lines.get(of_shards, EMPTY), at) for text, at in detailed)
            series += yield from _family(head_of(of_shards), blocks)
        for of_group in catalogue.OF_GROUPS:
            series += yield from _family(
                head_of(of_group), (blocks[of_group] for blocks in of_groups)
            )
        for of_logstore in catalogue.OF_LOGSTORES:
            series += yield from _family(
                head_of(of_logstore), (text.blocks[of_logstore] for text in fresh)
            )
        for of_entry in catalogue.OF_ENTRIES:
            series += yield from _family(
                head_of(of_entry), (_of_entry(of_entry, at) for at in view.entries)
            )
        for metric, value in (
            (self_catalogue.SERIES, series),
            (self_catalogue.SERIES_DROPPED, dropped),
            (self_catalogue.TARGETS, view.target_count),
        ):
            yield head_of(metric) + line(metric.name, b"", value)
        matches = {(item,): count for item, count in view.matches.items()}
        for of_place, counts in (
            (self_catalogue.TARGET_CONFLICTS, view.conflict_counts),
            (self_catalogue.MATCHING_GROUPS, matches),
        ):
            yield from _family(head_of(of_place), _counts(of_place, counts.items()))

    def _group(self, group: GroupStatus, config: MetricsConfig) -> GroupText:
        known = self._prepared.get(group.key)
        if known is None or known.group is not group or known.config is not config:
            known = self._prepared[group.key] = GroupText(group, config)
        return known

    def _logstore(self, target: TargetStatus) -> LogstoreText:
        known = self._logstores.get(target.key)
        if known is None or known.target is not target:
            known = self._logstores[target.key] = LogstoreText(target)
        return known


_Served = Sequence[tuple[GroupText, float]]


def _within(limit: int, served: _Served) -> tuple[_Served, int]:
    """Choose the groups whose shards are shown; count the series of the others."""
    counts = [text.shard_series for text, _ in served]
    kept = sum(1 for reached in accumulate(counts) if reached <= limit)
    return served[:kept], sum(counts[kept:])


def _at(lines: _Lines, now: float) -> Block:
    return lines if isinstance(lines, Block) else lines.at(now)


def _text_header(family: Family) -> bytes:
    kind = "gauge" if family.kind == "info" else family.kind
    return header(family.name, kind, family.help)


def _openmetrics_header(family: Family) -> bytes:
    ending = {"info": "_info", "counter": "_total"}.get(family.kind, "")
    return header(family.name.removesuffix(ending), family.kind, family.help, unit=family.unit)


def _family(head: bytes, blocks: Iterable[Block]) -> Generator[Part, None, int]:
    """Yield a family with its header, nothing if it has no lines; return their number."""
    count = 0
    for block in blocks:
        if block.count:
            if not count:
                yield head
            count += block.count
            yield block.text
    return count


def _of_group(
    group: GroupStatus, snapshot: GroupSnapshot | None, labels: Mapping[str, str]
) -> Mapping[GroupFamily, Block]:
    text = label_text(labels)
    return {
        family: _block(family, labels, text, family.values(group, snapshot))
        for family in catalogue.OF_GROUPS
    }


def _of_entry(family: EntryFamily, entry: EntryStatus) -> Block:
    value = family.value(entry)
    if value is None:
        return EMPTY
    return Block(text=line(family.name, label_text(entry.key._asdict()), value), count=1)


def _counts(family: Family, counts: Iterable[tuple[Sequence[str], int]]) -> Iterator[Block]:
    for place, count in counts:
        labels = label_text(dict(zip(family.labels, place, strict=True)))
        yield Block(text=line(family.name, labels, count), count=1)


def _block(family: Family, labels: Mapping[str, str], text: bytes, values: Values) -> Block:
    """Write values of an object, whose labels by themselves are ``text``."""
    lines = [
        line(
            family.name,
            label_text({**labels, **dict(zip(family.labels[-len(more) :], more, strict=True))})
            if more
            else text,
            value,
        )
        for more, value in values.items()
        if value is not None
    ]
    return Block(text=b"".join(lines), count=len(lines))


def _lines(
    labels: Mapping[str, str],
    shards: Sequence[ShardProgress],
    interval: float,
    config: MetricsConfig,
) -> Mapping[ShardFamily, _Lines]:
    """Write the lines of shards, or of their roll-up."""
    if config.granularity == "group":
        text = label_text(labels)
        return {family: rolled_up(family, text, shards, interval) for family in catalogue.OF_SHARDS}
    heads = _heads(labels, shards, config)
    return {family: _of_shards(family, heads, shards, interval) for family in catalogue.OF_SHARDS}


def _of_shards(
    family: ShardFamily, heads: Sequence[bytes], shards: Sequence[ShardProgress], interval: float
) -> Block | AgeLines:
    """Write the lines of shards, or keep those that depend on the time."""
    values = family.values(shards)
    if isinstance(family, AgeFamily):
        untils = [shard.read_at + interval for shard in shards] if family.is_bounded else ()
        return age_lines(family.name, heads, values, untils)
    known = [go_float(value) for value in values if value is not None]
    if not known:
        return EMPTY
    shown = [*compress(heads, [value is not None for value in values])]
    return Block(text=kept(lines_of(family.name, shown, known)), count=len(known))


def _heads(
    labels: Mapping[str, str], shards: Sequence[ShardProgress], config: MetricsConfig
) -> Sequence[bytes]:
    """Write the text between the name of a metric and the value of each shard.

    Labels are in the order of their names.
    """
    before = {name: text for name, text in labels.items() if name < "consumer"}
    middle = {name: text for name, text in labels.items() if "consumer" < name < "shard"}
    after = {name: text for name, text in labels.items() if name > "shard"}
    start = b"{%b," % label_text(before) if before else b"{"
    between = label_text(middle)  # contains the name of the group
    end = b",%b} " % label_text(after) if after else b"} "
    if not config.consumer_label:
        return tuple([b'%b%b,shard="%d"%b' % (start, between, each.shard, end) for each in shards])
    return tuple(
        [
            b'%bconsumer="%b",%b,shard="%d"%b'
            % (start, escaped(each.consumer).encode(), between, each.shard, end)
            for each in shards
        ]
    )
