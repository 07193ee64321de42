"""The description of a metric family, and of the object whose values it has.

A ``Family`` is about the exporter itself. A polled family carries the function of its values.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from exporter.model.progress import ShardProgress
from exporter.model.snapshot import EntryStatus, GroupSnapshot, GroupStatus, TargetStatus

_UNITS = frozenset({"seconds", "ratio", "bytes"})

Shards = Sequence[ShardProgress]
Column = Sequence[float | None]
"""A value for each shard; None if the shard has no series."""

Values = Mapping[tuple[str, ...], float | None]
"""Values by the labels that follow those of the object; None if there is no series."""


class Family(Struct, frozen=True, kw_only=True, eq=False):
    """One metric family.

    The name of a counter ends with ``_total``, and that of an info with ``_info``.
    """

    name: str
    kind: Literal["gauge", "counter", "histogram", "info"] = "gauge"
    labels: tuple[str, ...] = ()
    help: str

    @property
    def unit(self) -> str:
        """The unit at the end of the name; empty if there is none."""
        last = self.name.removesuffix("_total").rpartition("_")[2]
        return last if last in _UNITS else ""


class ShardFamily(Family, frozen=True, kw_only=True, eq=False):
    """A gauge of each shard, shown while the last snapshot of its group is served.

    With ``metrics.granularity: group`` it is a gauge of each group instead.
    """

    labels: tuple[str, ...] = ("project", "logstore", "consumer_group", "shard", "consumer")
    values: Callable[[Shards], Column]
    roll_up: Callable[[Sequence[float]], float]
    """The value of a group from the known values of its shards."""


class AgeFamily(ShardFamily, frozen=True, kw_only=True, eq=False):
    """An age of each shard; ``values`` are the instants (Unix seconds) since which it counts.

    The age is 0 if the instant is in the future, and always 0 if it is infinity. The age of a group
    is the largest of its shards.
    """

    roll_up: Callable[[Sequence[float]], float] = max
    is_bounded: bool = False
    """Whether the age grows for at most one interval after the shard was read."""


class GroupFamily(Family, frozen=True, kw_only=True, eq=False):
    """A metric of each consumer group.

    ``values`` gets the last snapshot while it is served, and None before and after. A counter
    does not depend on it, so that it goes on while polls fail.
    """

    labels: tuple[str, ...] = ("project", "logstore", "consumer_group")
    values: Callable[[GroupStatus, GroupSnapshot | None], Values]


class LogstoreFamily(Family, frozen=True, kw_only=True, eq=False):
    """A gauge of each logstore, shown while its values are fresh."""

    labels: tuple[str, ...] = ("project", "logstore")
    values: Callable[[TargetStatus], Values]


class EntryFamily(Family, frozen=True, kw_only=True, eq=False):
    """A gauge of each listing that the configuration needs; None if there is no series."""

    labels: tuple[str, ...] = ("sls_endpoint", "project", "logstore")
    value: Callable[[EntryStatus], float | None]
