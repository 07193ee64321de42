"""The shipped alerts about stalls and about unknown states, evaluated over a recording.

The durations come from the rules, the thresholds from the scraped settings of the group. The
expressions are reimplemented here in Python. A test verifies with promtool that both are equal.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.simulation.truth.stage import START, Frame
from tests.support.rules import alerting_rules

STALLED = "sls_consumer_group_stalled_seconds"
UP = "sls_consumer_group_up"
SHARDS = "sls_consumer_group_shards"
UPDATED = "sls_consumer_group_checkpoint_update_timestamp_seconds"
READ = "sls_consumer_group_last_success_timestamp_seconds"
OLDEST = "sls_consumer_group_oldest_unread_timestamp_seconds"
LAG = "sls_consumer_group_lag_seconds"
CURSOR_ACCESS = "sls_consumer_group_cursor_access"
DISCOVERED = "sls_exporter_discovery_success"
LAST_DISCOVERED = "sls_exporter_discovery_last_success_timestamp_seconds"
UNCONSUMED_SINCE = "sls_consumer_group_oldest_unconsumed_timestamp_seconds"
STALL_AFTER = "sls_consumer_group_stall_after_seconds"
INTERVAL = "sls_consumer_group_poll_interval_seconds"

SHARD_STALLED = "SLSConsumerShardStalled"
GROUP_STALLED = "SLSConsumerGroupStalled"
DATA_LOST = "SLSConsumerDataLost"
UNCONSUMED = "SLSConsumerShardsUnconsumed"
UNKNOWN = "SLSConsumerShardsUnknown"
DISCOVERY_FAILING = "SLSExporterDiscoveryFailing"
NEVER_DISCOVERED = "SLSExporterNeverDiscovered"
OF_LISTINGS = frozenset({DISCOVERY_FAILING, NEVER_DISCOVERED})

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}

Holds = Callable[[Frame], Iterable[str]]
"""A function that returns the shards in the result of an expression, or "" without a shard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """An alerting rule; durations in seconds."""

    name: str
    holds: Holds
    hold_seconds: float
    keep_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """An alert that fired from an instant on; until None, to the end of the recording."""

    alert: str
    shard: str
    since: float
    until: float | None = None


def load(path: Path) -> tuple[Rule, ...]:
    """Read the rules about stalls from a file of rules."""
    found = alerting_rules(path.read_text())
    expressions: Mapping[str, Holds] = {
        SHARD_STALLED: _stalled_shards,
        GROUP_STALLED: _stalled_group,
        DATA_LOST: lambda frame: [""] if _shards_in(frame, "expired") else [],
        UNCONSUMED: _unconsumed,
        UNKNOWN: _unknown,
        DISCOVERY_FAILING: _undiscovered,
        NEVER_DISCOVERED: lambda frame: (
            [] if frame.samples.get(LAST_DISCOVERED) else _undiscovered(frame)
        ),
    }
    return tuple(
        Rule(
            name=name,
            holds=holds,
            hold_seconds=_seconds(found[name].get("for", "0s")),
            keep_seconds=_seconds(found[name].get("keep_firing_for", "0s")),
        )
        for name, holds in expressions.items()
    )


def firings(rules: Iterable[Rule], frames: Iterable[Frame]) -> list[Firing]:
    """Evaluate the rules after each scrape; return what fired, in the order of time."""
    watches = [_Watch(rule) for rule in rules]
    for frame in frames:
        for watch in watches:
            watch.evaluate(frame)
    fired = [firing for watch in watches for firing in watch.fired]
    return sorted(fired, key=lambda firing: (firing.since, firing.alert, firing.shard))


@dataclass(slots=True, kw_only=True)
class _Active:
    since: float
    firing: Firing | None = None
    gone_since: float | None = None


class _Watch:
    """One rule with its alerts: pending, then firing, as in Prometheus's rules/alerting.go."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._active: dict[str, _Active] = {}
        self._ended: list[Firing] = []

    @property
    def fired(self) -> list[Firing]:
        """The alerts that fired so far, ended or not."""
        return [*self._ended, *(each.firing for each in self._active.values() if each.firing)]

    def evaluate(self, frame: Frame) -> None:
        results = set(self._rule.holds(frame))
        for shard in results:
            active = self._active.setdefault(shard, _Active(since=frame.at))
            active.gone_since = None
            if active.firing is None and frame.at - active.since >= self._rule.hold_seconds:
                active.firing = Firing(alert=self._rule.name, shard=shard, since=frame.at)
        for shard in self._active.keys() - results:
            self._miss(shard, frame.at)

    def _miss(self, shard: str, at: float) -> None:
        active = self._active[shard]
        if active.firing is not None:
            active.gone_since = at if active.gone_since is None else active.gone_since
            if at - active.gone_since < self._rule.keep_seconds:
                return
            ended = active.firing
            self._ended.append(Firing(alert=ended.alert, shard=shard, since=ended.since, until=at))
        del self._active[shard]


def _stalled_shards(frame: Frame) -> list[str]:
    if not _is_up(frame):
        return []
    threshold = _setting(frame, STALL_AFTER) + _setting(frame, INTERVAL)
    return [shard for shard, value in frame.by_shard(STALLED).items() if value > threshold]


def _stalled_group(frame: Frame) -> list[str]:
    stalled = _is_up(frame) and _shards_in(frame, "stalled") + _shards_in(frame, "expired") > 0
    newest = max(frame.by_shard(UPDATED).values(), default=float("-inf"))
    read_at = max(frame.samples.get(READ, {}).values(), default=float("inf"))
    stall_after, interval = _setting(frame, STALL_AFTER), _setting(frame, INTERVAL)
    was_old = newest <= read_at - stall_after
    is_old = newest < START + frame.at - (stall_after + interval)
    return [""] if stalled and was_old and is_old else []


def _unconsumed(frame: Frame) -> list[str]:
    threshold = _setting(frame, STALL_AFTER) + _setting(frame, INTERVAL)
    oldest = frame.samples.get(UNCONSUMED_SINCE, {}).values()
    return [""] if any(START + frame.at - each > threshold for each in oldest) else []


def _unknown(frame: Frame) -> list[str]:
    has_access = 1.0 in frame.samples.get(CURSOR_ACCESS, {}).values()
    return [""] if has_access and _shards_in(frame, "unknown") else []


def _undiscovered(frame: Frame) -> list[str]:
    return [""] if 0.0 in frame.samples.get(DISCOVERED, {}).values() else []


def _is_up(frame: Frame) -> bool:
    return 0.0 not in frame.samples.get(UP, {}).values()


def _setting(frame: Frame, name: str) -> float:
    return max(frame.samples.get(name, {}).values(), default=float("inf"))


def _shards_in(frame: Frame, state: str) -> float:
    return sum(
        value
        for labels, value in frame.samples.get(SHARDS, {}).items()
        if ("state", state) in labels
    )


def _seconds(duration: str) -> float:
    return float(duration[:-1]) * _UNITS[duration[-1]]
