"""Series of consumer groups as input for promtool, from functions of the time.

Each group is watched by two replicas that name different owners. The polls of the second replica
fail, and its stalls are wrong. A group can have a label that its logstore does not have.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

Values = Callable[[float], float | None]
"""The value of a series at a time in seconds; None if there is none."""

JOB = "sls"
WRONG_SECONDS = 100_000.0
"""The error of each stall of the replica whose polls fail."""


def absent(_: float) -> None:
    """Return None, for a series that does not exist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """A shard of a group; each value is absent by default."""

    stalled: Values = absent
    lag: Values = absent
    oldest_unread: Values = absent
    updated: Values = absent
    is_consumed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A consumer group with its measure; all durations are in seconds."""

    name: str
    shards: tuple[Shard, ...] = ()
    states: Mapping[str, Values] = field(default_factory=dict)
    up: Values = lambda _: 1
    last_success: Values = lambda at: at
    stall_after: float | None = None
    lag_limit: float | None = None
    interval: float = 60.0
    retention: float | None = None
    data_loss: Values = absent
    labels: Mapping[str, str] = field(default_factory=lambda: {"team": "data"})

    @property
    def identity(self) -> Mapping[str, str]:
        """The labels of every series of the group, except those of a target."""
        return {"project": "shop", "logstore": "orders", "consumer_group": self.name, **self.labels}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Metric:
    """A metric of shards: its value of a shard, and what `granularity: group` makes of several."""

    name: str
    value: Callable[[Shard], Values]
    roll_up: Callable[[Iterable[float]], float]


_METRICS = (
    _Metric(name="stalled_seconds", value=lambda shard: shard.stalled, roll_up=max),
    _Metric(name="lag_seconds", value=lambda shard: shard.lag, roll_up=max),
    _Metric(
        name="oldest_unread_timestamp_seconds",
        value=lambda shard: shard.oldest_unread,
        roll_up=min,
    ),
    _Metric(
        name="checkpoint_update_timestamp_seconds",
        value=lambda shard: shard.updated,
        roll_up=max,
    ),
)


def series(groups: Iterable[Group], times: list[float], *, by_shard: bool) -> list[dict[str, str]]:
    """Return promtool's input series of the groups at some times, and of their logstore."""
    found = dict[tuple[str, tuple[tuple[str, str], ...]], Values]()
    for replica, owner in (("a", "c1"), ("b", "c2")):
        target = {"job": JOB, "instance": f"{replica}:10027", "pod": f"sls-{replica}"}
        fails = replica == "b"
        for group in groups:
            for name, labels, values in _of_group(group, owner, by_shard=by_shard, fails=fails):
                key = tuple({**group.identity, **labels, **target}.items())
                found[f"sls_consumer_group_{name}", key] = values
        logstore = {"project": "shop", "logstore": "orders", **target}
        found["sls_logstore_retention_seconds", tuple(logstore.items())] = lambda _: 86_400
    return [
        {"series": f"{name}{_selector(labels)}", "values": _values(values, times)}
        for (name, labels), values in found.items()
    ]


def _of_group(
    group: Group, owner: str, *, by_shard: bool, fails: bool
) -> Iterator[tuple[str, Mapping[str, str], Values]]:
    yield "up", {}, (lambda _: 0) if fails else group.up
    yield "last_success_timestamp_seconds", {}, _frozen(group.last_success, fails=fails)
    for state, count in group.states.items():
        yield "shards", {"state": state}, count
    if group.stall_after is not None:
        yield from _measure(group)
    for metric in _METRICS:
        each = [metric.value(shard) for shard in group.shards]
        if fails and metric.name == "stalled_seconds":
            each = [_plus(values, WRONG_SECONDS) for values in each]
        if not by_shard:
            yield metric.name, {}, _rolled_up(each, metric.roll_up)
            continue
        for number, values in enumerate(each):
            yield metric.name, {"shard": str(number), "consumer": owner}, values


def _measure(group: Group) -> Iterator[tuple[str, Mapping[str, str], Values]]:
    unconsumed = [shard.oldest_unread for shard in group.shards if not shard.is_consumed]
    yield "stall_after_seconds", {}, lambda _: group.stall_after
    yield "lag_limit_seconds", {}, lambda _: group.lag_limit
    yield "poll_interval_seconds", {}, lambda _: group.interval
    yield "retention_seconds", {}, lambda _: group.retention
    yield "data_loss_seconds", {}, group.data_loss
    yield "cursor_access", {}, lambda _: 1
    yield "oldest_unconsumed_timestamp_seconds", {}, _rolled_up(unconsumed, min)


def _rolled_up(each: list[Values], roll_up: Callable[[Iterable[float]], float]) -> Values:
    def values(at: float) -> float | None:
        known = [value for found in each if (value := found(at)) is not None]
        return roll_up(known) if known else None

    return values


def _frozen(values: Values, *, fails: bool) -> Values:
    return (lambda _: values(0.0)) if fails else values


def _plus(values: Values, seconds: float) -> Values:
    return lambda at: None if (value := values(at)) is None else value + seconds


def _selector(labels: Iterable[tuple[str, str]]) -> str:
    return "{" + ",".join(f'{label}="{value}"' for label, value in labels) + "}"


def _values(values: Values, times: list[float]) -> str:
    return " ".join("_" if (value := values(at)) is None else f"{value:g}" for at in times)
