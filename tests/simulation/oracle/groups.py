"""A watched consumer group after its latest poll, and its series in a scrape."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import inf

from exporter.simulator.views import GroupRow
from tests.simulation.oracle.account import INTERVAL, LAG_LIMIT, STALL_AFTER
from tests.simulation.oracle.comparing import Allowed, between, earliest, exactly
from tests.simulation.oracle.steps import Counts
from tests.simulation.oracle.verdicts import STATES, Stand

Labels = dict[str, str]

GROUP = "sls_consumer_group_"
CAUSES = (
    "waiting_for_parent",
    "owner_changing",
    "shard_stuck",
    "owner_stuck",
    "group_silent",
    "unknown",
)
_OLDEST = "oldest_unread_timestamp_seconds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group after its latest poll. If ``stands`` is None, a scrape shows none of its shards."""

    up: bool = False
    row: GroupRow | None = None
    read_at: float | None = None
    stands: Mapping[int, Stand] | None = None
    unnamed: int = 0
    """Number of shards that exist, at least, although no response names them."""
    retention: float | None = None
    access: bool | None = None
    counts: Counts | None = None
    """The steps up to the latest successful poll; None before the first."""


def always(group: Group, labels: Labels) -> Iterator[tuple[str, Labels, Allowed]]:
    """Yield the series that do not depend on the age of the values."""
    yield f"{GROUP}poll_interval_seconds", labels, exactly(INTERVAL)
    yield f"{GROUP}stall_after_seconds", labels, exactly(STALL_AFTER)
    yield f"{GROUP}lag_limit_seconds", labels, exactly(LAG_LIMIT)
    if group.read_at is not None:
        yield f"{GROUP}last_success_timestamp_seconds", labels, exactly(group.read_at)
    if group.row is not None:
        order, timeout = str(group.row.order).lower(), str(group.row.timeout)
        yield f"{GROUP}info", {**labels, "order": order, "timeout_seconds": timeout}, exactly(1)
    if group.counts is not None:
        for name, allowed in group.counts.series():
            yield GROUP + name, labels, allowed


def of_stands(
    stands: Mapping[int, Stand], labels: Labels, now: float, *, unnamed: int, is_ordered: bool
) -> Iterator[tuple[str, Labels, Allowed]]:
    """Yield the series that depend on the shards."""
    possible = [each.states(STALL_AFTER) for each in stands.values()]
    stalled = sum("stalled" in states for states in possible)
    for cause in CAUSES:
        # A cause is only an inference.
        most = stalled if is_ordered or cause != "waiting_for_parent" else 0
        yield f"{GROUP}stalled_shards", {**labels, "cause": cause}, between(0, 0, most)
    for state in STATES:
        least = sum(states == {state} for states in possible)
        most = sum(state in states for states in possible)
        if state == "unknown":
            least, most = least + unnamed, most + unnamed
        yield f"{GROUP}shards", {**labels, "state": state}, between(most, least, most)
    owners = {each.owner for each in stands.values()} - {""}
    yield f"{GROUP}consumers", labels, exactly(len(owners))
    never_consumed = [each.series(now).get(_OLDEST) for each in stands.values() if not each.text]
    oldest = earliest([each for each in never_consumed if each is not None])
    if oldest is not None:
        yield f"{GROUP}oldest_unconsumed_timestamp_seconds", labels, oldest
    # Other tests compare predictions.
    for name in ("catch_up_seconds", "data_loss_seconds"):
        yield GROUP + name, labels, between(0.0, 0.0, inf, optional=True)
    for shard, each in stands.items():
        its = {**labels, "shard": str(shard), "consumer": each.owner}
        if each.shown == {False}:
            continue
        for name, allowed in each.series(now).items():
            is_optional = allowed.optional or False in each.shown
            yield GROUP + name, its, replace(allowed, optional=is_optional)
