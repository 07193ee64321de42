"""The polled metrics as families of prometheus_client: a slow, plain reference for the writer.

It has its own formulas, so that tests detect an error in those of the exporter.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from exporter.config.schema import MetricsConfig
from exporter.metrics import catalogue, self_catalogue
from exporter.metrics.family import Family
from exporter.model.progress import ShardProgress
from exporter.model.snapshot import (
    EntryStatus,
    GroupSnapshot,
    GroupStatus,
    Instant,
    Labels,
    TargetStatus,
    View,
)

Samples = Mapping[tuple[str, ...], float | None]
"""Values by the labels that follow those of a group or logstore."""

_STATES = ("caught_up", "consuming", "stalled", "unconsumed", "expired", "finished", "unknown")
_STUCK_AFTER = 900.0  # seconds after which values are no longer served though polls succeed


def _server_time(polled: Instant, now: float) -> float:
    return polled.server + (now - polled.monotonic if now > polled.monotonic else 0.0)


def _served(group: GroupStatus, now: float) -> GroupSnapshot | None:
    snapshot = group.snapshot
    if snapshot is None:
        return None
    limit = group.stale_after if group.failure else max(group.stale_after, _STUCK_AFTER)
    return snapshot if now - snapshot.polled.monotonic <= limit else None


def _is_fresh(target: TargetStatus, now: float) -> bool:
    limit = target.stale_after
    if any(group.failure is None for group in target.groups):
        limit = max(limit, _STUCK_AFTER)
    return now - target.polled_monotonic <= limit


def _elapsed(since: float, now: float) -> float:
    tenths = math.floor(now * 10 + 0.001) - math.ceil(since * 10 - 0.001)
    return tenths / 10 if tenths > 0 else 0.0


def _age(shard: ShardProgress, _: GroupStatus, now: float) -> float | None:
    return None if shard.updated_at is None else _elapsed(shard.updated_at, now)


def _stalled(shard: ShardProgress, group: GroupStatus, now: float) -> float | None:
    if not shard.checkpoint or shard.unread is None:
        return None
    if shard.unread == 0:
        return 0.0
    known = [at for at in (shard.moved_at, shard.oldest_unread_at) if at is not None]
    return _elapsed(max(known), min(now, shard.read_at + group.interval)) if known else None


def _state(shard: ShardProgress, group: GroupStatus, now: float) -> str:
    if not shard.checkpoint:
        return "finished" if shard.readonly and shard.unread == 0 else "unconsumed"
    if shard.unread is not None and shard.expired:
        return "expired"
    if shard.unread == 0:
        return "finished" if shard.readonly else "caught_up"
    seconds = _stalled(shard, group, min(now, shard.read_at))
    if seconds is None:
        return "unknown"
    return "stalled" if seconds > group.settings.stall_after else "consuming"


_OF_SHARDS: Mapping[Family, Callable[[ShardProgress, GroupStatus, float], float | None]] = {
    catalogue.CHECKPOINT_AGE: _age,
    catalogue.CHECKPOINT_UPDATED: lambda shard, *_: shard.updated_at,
    catalogue.LAG: lambda shard, *_: shard.lag_seconds,
    catalogue.OLDEST_UNREAD: lambda shard, *_: shard.oldest_unread_at,
    catalogue.UNREAD: lambda shard, *_: shard.unread,
    catalogue.STALLED: _stalled,
}


_OF_GROUP_FROM_SHARDS: Mapping[Family, Callable[[list[float]], float]] = {
    catalogue.CHECKPOINT_AGE: max,
    catalogue.CHECKPOINT_UPDATED: max,
    catalogue.LAG: max,
    catalogue.OLDEST_UNREAD: min,
    catalogue.UNREAD: sum,
    catalogue.STALLED: max,
}


def _shards_by_state(group: GroupStatus, now: float) -> Samples:
    snapshot = _served(group, now)
    if snapshot is None:
        return {}
    states = [_state(shard, group, snapshot.polled.server) for shard in snapshot.shards]
    states += ["unknown"] * snapshot.unnamed
    return {(each,): states.count(each) for each in _STATES}


def _consumers(group: GroupStatus, now: float) -> Samples:
    snapshot = _served(group, now)
    if snapshot is None:
        return {}
    return {(): len({shard.consumer for shard in snapshot.shards if shard.consumer})}


def _info(group: GroupStatus, _: float) -> Samples:
    if group.listing is None:
        return {}
    timeout = group.listing.timeout_seconds
    return {(str(group.listing.order).lower(), "" if timeout is None else f"{timeout}"): 1.0}


def _up(group: GroupStatus, now: float) -> Samples:
    is_up = group.failure is None and _served(group, now) is not None
    return {(): 1.0 if is_up else 0.0}


def _retention(group: GroupStatus, now: float) -> Samples:
    return {} if _served(group, now) is None else {(): group.retention_seconds}


def _cursor_access(group: GroupStatus, now: float) -> Samples:
    return {} if _served(group, now) is None else _access(group.cursor_access)


def _oldest_unconsumed(group: GroupStatus, now: float) -> Samples:
    snapshot = _served(group, now)
    times = [] if snapshot is None else snapshot.shards
    waiting = sorted(
        each.oldest_unread_at
        for each in times
        if each.checkpoint == "" and each.oldest_unread_at is not None
    )
    return {(): waiting[0]} if waiting else {}


_CAUSES = (
    "waiting_for_parent",
    "owner_changing",
    "shard_stuck",
    "owner_stuck",
    "group_silent",
    "unknown",
)


def _stalled_by_cause(group: GroupStatus, now: float) -> Samples:
    snapshot = _served(group, now)
    if snapshot is None:
        return {}
    causes = [
        str(snapshot.causes.get(shard.shard, "unknown"))
        for shard in snapshot.shards
        if _state(shard, group, snapshot.polled.server) == "stalled"
    ]
    return {(each,): causes.count(each) for each in _CAUSES}


def _total(field: str) -> Callable[[GroupStatus, float], Samples]:
    return lambda group, _: {(): None if group.totals is None else getattr(group.totals, field)}


def _of_outlook(field: str) -> Callable[[GroupStatus, float], Samples]:
    def samples(group: GroupStatus, now: float) -> Samples:
        snapshot = _served(group, now)
        return {} if snapshot is None else {(): getattr(snapshot.outlook, field)}

    return samples


_OF_GROUPS: Mapping[Family, Callable[[GroupStatus, float], Samples]] = {
    catalogue.GROUP_SHARDS: _shards_by_state,
    catalogue.GROUP_STALLED_SHARDS: _stalled_by_cause,
    catalogue.GROUP_CONSUMED: _total("consumed"),
    catalogue.GROUP_WRITTEN: _total("written"),
    catalogue.GROUP_OWNER_CHANGES: _total("owner_changes"),
    catalogue.GROUP_RESETS: _total("checkpoint_resets"),
    catalogue.GROUP_CONSUMERS: _consumers,
    catalogue.GROUP_INFO: _info,
    catalogue.GROUP_UP: _up,
    catalogue.GROUP_LAST_SUCCESS: lambda group, _: {(): group.last_success},
    catalogue.GROUP_INTERVAL: lambda group, _: {(): group.interval},
    catalogue.GROUP_STALL_AFTER: lambda group, _: {(): group.settings.stall_after},
    catalogue.GROUP_LAG_LIMIT: lambda group, _: {(): group.settings.lag_limit},
    catalogue.GROUP_RETENTION: _retention,
    catalogue.GROUP_CURSOR_ACCESS: _cursor_access,
    catalogue.GROUP_OLDEST_UNCONSUMED: _oldest_unconsumed,
    catalogue.GROUP_CATCH_UP: _of_outlook("catch_up_seconds"),
    catalogue.GROUP_DATA_LOSS: _of_outlook("data_loss_seconds"),
}


def _shards_by_status(target: TargetStatus) -> Samples:
    counts = target.shards_by_status or {}
    return {(status,): count for status, count in counts.items()}


def _access(access: bool | None) -> Samples:  # noqa: FBT001  a value, not a switch
    return {} if access is None else {(): 1.0 if access else 0.0}


_OF_LOGSTORES: Mapping[Family, Callable[[TargetStatus], Samples]] = {
    catalogue.LOGSTORE_SHARDS: _shards_by_status,
    catalogue.LOGSTORE_RETENTION: lambda target: {(): target.retention_seconds},
    catalogue.CURSOR_ACCESS: lambda target: _access(target.cursor_access),
    catalogue.RETENTION_ACCESS: lambda target: _access(target.retention_access),
}


_OF_ENTRIES: Mapping[Family, Callable[[EntryStatus], float | None]] = {
    catalogue.DISCOVERY_SUCCESS: lambda entry: 0.0 if entry.failure else 1.0,
    catalogue.DISCOVERY_LAST_SUCCESS: lambda entry: entry.last_success,
}


class PolledCollector(Collector):
    """A collector over the newest view; ``config`` is called at each scrape and may change."""

    def __init__(
        self,
        view: Callable[[], View],
        *,
        config: Callable[[], MetricsConfig],
        monotonic: Callable[[], float],
    ) -> None:
        self._view = view
        self._config = config
        self._monotonic = monotonic

    def describe(self) -> list[GaugeMetricFamily]:
        """Describe nothing, so that registering does not collect."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield the families of one consistent view."""
        view = self._view()
        families = Families(self._config())
        now = self._monotonic()
        for target in view.targets:
            families.add_target(target, now)
        for entry in view.entries:
            families.add_entry(entry)
        polled = families.all()
        yield from polled
        yield _single(self_catalogue.SERIES, sum(len(family.samples) for family in polled))
        yield _single(self_catalogue.SERIES_DROPPED, 0)
        targets = {target.key for target in view.targets} | view.pending
        yield _single(self_catalogue.TARGETS, len(targets))
        metric = self_catalogue.TARGET_CONFLICTS
        conflicts = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
        left_out = [conflict.key[:2] for conflict in view.conflicts]
        for place in sorted({key[:2] for key in targets} | {*left_out}):
            conflicts.add_metric(place, left_out.count(place))
        if conflicts.samples:
            yield conflicts
        metric = self_catalogue.MATCHING_GROUPS
        matches = GaugeMetricFamily(metric.name, metric.help, labels=["item"])
        for item, count in view.matches.items():
            matches.add_metric([item], count)
        if matches.samples:
            yield matches


class Families:
    """The families of one scrape while they are filled."""

    def __init__(self, config: MetricsConfig) -> None:
        self._config = config
        self._families = {
            metric: _family(metric, self._labels(metric))
            for metric in (*_OF_SHARDS, *_OF_GROUPS, *_OF_LOGSTORES, *_OF_ENTRIES)
        }

    def all(self) -> list[Metric]:
        """Return the families that have samples."""
        return [family for family in self._families.values() if family.samples]

    def add_target(self, target: TargetStatus, now: float) -> None:
        """Add a logstore with its groups, as seen at a reading of the monotonic clock."""
        for group in target.groups:
            for metric, samples_of in _OF_GROUPS.items():
                self._add(metric, group.key[1:], samples_of(group, now), group.settings.labels)
            snapshot = _served(group, now)
            if snapshot is not None:
                shown = [each for each in snapshot.shards if each.shard not in snapshot.hidden]
                self._add_shards(group, shown, _server_time(snapshot.polled, now))
        if _is_fresh(target, now):
            for metric, of in _OF_LOGSTORES.items():
                self._add(metric, target.key[1:], of(target), target.labels)

    def add_entry(self, entry: EntryStatus) -> None:
        """Add a listing."""
        for metric, value_of in _OF_ENTRIES.items():
            self._add(metric, entry.key, {(): value_of(entry)})

    def _add_shards(self, group: GroupStatus, shards: list[ShardProgress], now: float) -> None:
        for metric, value_of in _OF_SHARDS.items():
            values = [value_of(shard, group, now) for shard in shards]
            if self._config.granularity == "group":
                known = [value for value in values if value is not None]
                of_group = _OF_GROUP_FROM_SHARDS[metric](known) if known else None
                self._add(metric, group.key[1:], {(): of_group}, group.settings.labels)
                continue
            for shard, value in zip(shards, values, strict=True):
                labels: tuple[str, ...] = (str(shard.shard), shard.consumer)
                if not self._config.consumer_label:
                    labels = labels[:1]
                self._add(metric, group.key[1:], {labels: value}, group.settings.labels)

    def _add(
        self, metric: Family, key: tuple[str, ...], samples: Samples, constant: Labels = ()
    ) -> None:
        """Add samples with constant labels; a value that is not known is absent."""
        names = self._labels(metric)
        for values, value in samples.items():
            if value is not None:
                labels = {**dict(zip(names, (*key, *values), strict=True)), **dict(constant)}
                self._families[metric].add_sample(metric.name, labels, value)

    def _labels(self, metric: Family) -> tuple[str, ...]:
        if metric not in _OF_SHARDS:
            return metric.labels
        absent = set() if self._config.consumer_label else {"consumer"}
        if self._config.granularity == "group":
            absent = {"shard", "consumer"}
        return tuple(label for label in metric.labels if label not in absent)


def _family(metric: Family, labels: Sequence[str]) -> Metric:
    if metric.name.endswith("_info"):
        return InfoMetricFamily(metric.name.removesuffix("_info"), metric.help, labels=labels)
    if metric.name.endswith("_total"):
        return CounterMetricFamily(metric.name, metric.help, labels=labels)
    return GaugeMetricFamily(metric.name, metric.help, labels=labels, unit=_unit(metric))


def _single(metric: Family, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(metric.name, metric.help, value=value, unit=_unit(metric))


def _unit(metric: Family) -> str:
    found = re.search(r"_(seconds|ratio|bytes)$", metric.name)
    return found[1] if found else ""
