"""The polled metrics as prometheus_client's families: slow and plain, for the writer to equal."""

from collections.abc import Callable, Iterable, Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from exporter.evaluation.shard import elapsed_seconds, stalled_seconds, state
from exporter.metrics import catalogue
from exporter.metrics.family import Family
from exporter.metrics.polled_text import Shape
from exporter.model.progress import ShardProgress, State
from exporter.model.snapshot import GroupStatus, TargetStatus, View

_PER_SHARD = (
    catalogue.CHECKPOINT_AGE,
    catalogue.CHECKPOINT_UPDATED,
    catalogue.LAG,
    catalogue.OLDEST_UNREAD,
    catalogue.UNREAD,
    catalogue.STALLED,
)
_PER_GROUP = (
    catalogue.GROUP_SHARDS,
    catalogue.GROUP_CONSUMERS,
    catalogue.GROUP_INFO,
    catalogue.GROUP_UP,
    catalogue.GROUP_LAST_SUCCESS,
    catalogue.GROUP_INTERVAL,
)
_PER_LOGSTORE = (
    catalogue.LOGSTORE_SHARDS,
    catalogue.LOGSTORE_RETENTION,
    catalogue.CURSOR_ACCESS,
)


class PolledCollector(Collector):
    """A collector over the newest view; ``shape`` is asked at each scrape, it may change."""

    def __init__(
        self,
        view: Callable[[], View],
        *,
        shape: Callable[[], Shape],
        monotonic: Callable[[], float],
    ) -> None:
        self._view = view
        self._shape = shape
        self._monotonic = monotonic

    def describe(self) -> list[GaugeMetricFamily]:
        """Describe nothing, so that registering does not collect."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the families of one consistent view."""
        view = self._view()
        families = Families(self._shape())
        now = self._monotonic()
        for target in view.targets:
            families.add_target(target, now)
        polled = families.all()
        yield from polled
        yield _single(catalogue.SERIES, sum(len(family.samples) for family in polled))
        yield _single(catalogue.SERIES_DROPPED, 0)
        targets = {target.key for target in view.targets} | view.pending
        yield _single(catalogue.TARGETS, len(targets))


class Families:
    """The families of one scrape while they are filled."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        shown = (*(_PER_SHARD if shape.per_shard else ()), *_PER_GROUP, *_PER_LOGSTORE)
        self._families = {
            metric: GaugeMetricFamily(metric.name, metric.help, labels=self._labels(metric))
            for metric in shown
        }

    def all(self) -> list[GaugeMetricFamily]:
        """Return the families that have samples."""
        return [family for family in self._families.values() if family.samples]

    def add_target(self, target: TargetStatus, now: float) -> None:
        """Add a logstore with its groups, as seen at a reading of the monotonic clock."""
        for group in target.groups:
            self._add_group(group, now)
        if not target.is_fresh(now):
            return
        for status, count in (target.shards_by_status or {}).items():
            self._add(catalogue.LOGSTORE_SHARDS, (*target.key, status), count)
        self._add(catalogue.LOGSTORE_RETENTION, target.key, target.retention_seconds)
        if target.cursor_access is not None:
            self._add(catalogue.CURSOR_ACCESS, target.key, int(target.cursor_access))

    def _add_group(self, group: GroupStatus, now: float) -> None:
        self._add(catalogue.GROUP_UP, group.key, int(group.is_up(now)))
        self._add(catalogue.GROUP_LAST_SUCCESS, group.key, group.last_success)
        self._add(catalogue.GROUP_INTERVAL, group.key, group.interval)
        if group.listing is not None:
            order = "true" if group.listing.order else "false"
            labels = (*group.key, order, str(group.listing.timeout_seconds))
            self._add(catalogue.GROUP_INFO, labels, 1)
        snapshot = group.visible(now)
        if snapshot is None:
            return
        server_now = snapshot.polled.server_now(now)
        self._add(catalogue.GROUP_CONSUMERS, group.key, len(snapshot.consumers))
        polled_at = snapshot.polled.server
        states = [
            state(shard, polled_at, stall_after=group.stall_after) for shard in snapshot.shards
        ]
        for each in State:
            self._add(catalogue.GROUP_SHARDS, (*group.key, each.value), states.count(each))
        if self._shape.per_shard:
            for shard in snapshot.shards:
                self._add_shard(group, shard, server_now)

    def _add_shard(self, group: GroupStatus, shard: ShardProgress, now: float) -> None:
        labels: tuple[str, ...] = (*group.key, str(shard.shard))
        if self._shape.consumer_label:
            labels = (*labels, shard.consumer)
        if shard.updated_at is not None:
            self._add(catalogue.CHECKPOINT_AGE, labels, elapsed_seconds(shard.updated_at, now))
        self._add(catalogue.CHECKPOINT_UPDATED, labels, shard.updated_at)
        self._add(catalogue.LAG, labels, shard.lag_seconds)
        self._add(catalogue.OLDEST_UNREAD, labels, shard.oldest_unread_at)
        self._add(catalogue.UNREAD, labels, shard.unread)
        stalled = stalled_seconds(shard, now, interval=group.interval)
        self._add(catalogue.STALLED, labels, stalled)

    def _add(self, metric: Family, labels: Iterable[str], value: float | None) -> None:
        """Add a sample; a value that is not known is absent."""
        if value is not None:
            self._families[metric].add_metric(list(labels), value)

    def _labels(self, metric: Family) -> tuple[str, ...]:
        if self._shape.consumer_label or metric not in _PER_SHARD:
            return metric.labels
        return tuple(label for label in metric.labels if label != "consumer")


def _single(metric: Family, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(metric.name, metric.help, value=value)
