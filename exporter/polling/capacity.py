"""Estimates of the requests of a poll, and warnings about polls that do not fit their interval.

docs/operations.md explains the figures; ``python -m benchmarks.busy`` measures them.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from msgspec import Struct

from exporter.config.settings import ProjectSettings
from exporter.model.names import TargetKey
from exporter.model.snapshot import TargetStatus
from exporter.polling.targets import Target
from exporter.polling.turns import EVERY

REQUEST_SECONDS = 0.1
"""Assumed duration of a request: about twice that within a region."""
_UNKNOWN_SHARDS = 2  # default of SLS for a new logstore
BUSY_PER_GROUP, BUSY_PER_SHARD = 1.5, 1.25
COLD_PER_GROUP, COLD_PER_SHARD = 2, 4
SHARE_OF_OTHERS = 1 / EVERY
"""Share of the polls that read a shard of a consumer that the filter does not name."""


class Requests(Struct, frozen=True, kw_only=True):
    """Requests of one poll of a logstore, or of one round of polls of a project."""

    at_rest: int
    """Requests if every group has read everything."""
    busy: int
    """Requests if every group is a few seconds behind in every shard, and moves."""
    cold: int
    """Requests of the first poll after startup, if every group is behind."""

    def __add__(self, other: "Requests") -> "Requests":
        return Requests(
            at_rest=self.at_rest + other.at_rest,
            busy=self.busy + other.busy,
            cold=self.cold + other.cold,
        )


NONE = Requests(at_rest=0, busy=0, cold=0)


def requests_of(groups: int, shards: int, *, others: int = 0) -> Requests:
    """Return the requests of a poll of a logstore; there are no shards if cursors are not read.

    ``others`` is the number of further shards, whose consumers no filter names.

    At rest it takes one request per group, one per shard and one for the list of shards. The rest
    was measured: a busy shard takes a request in about every fourth poll, a group one in every
    second poll, and a first poll reads up to two more cursors per shard.
    """
    if not shards + others or not groups:
        return Requests(at_rest=groups, busy=groups, cold=groups)
    share = SHARE_OF_OTHERS * others
    return Requests(
        at_rest=1 + groups + shards + math.ceil(share),
        busy=1 + math.ceil(BUSY_PER_GROUP * groups) + math.ceil(BUSY_PER_SHARD * (shards + share)),
        cold=2 + COLD_PER_GROUP * groups + COLD_PER_SHARD * (shards + others),
    )


class ShardCounts(NamedTuple):
    """The numbers of shards of a logstore."""

    read: int
    """Number of shards that each poll reads."""
    others: int = 0
    """Number of further shards, whose consumers no filter names."""


def count_shards(target: Target, status: TargetStatus) -> ShardCounts | None:
    """Count the shards of a logstore. Returns None if they are not listed."""
    if status.shards_by_status is None:
        return None
    if not all(group.is_filtered for group in target.groups):
        return ShardCounts(sum(status.shards_by_status.values()))
    groups = {group.name: group for group in target.groups}
    named: set[int] = set()
    seen: set[int] = set()
    for each in status.groups:
        group = groups.get(each.key.consumer_group)
        if group is not None and each.snapshot is not None:
            shards = each.snapshot.shards
            seen |= {shard.shard for shard in shards}
            named |= {shard.shard for shard in shards if group.names(shard.consumer)}
    return ShardCounts(len(named), len(seen - named))


def poll_requests(target: Target, shards: ShardCounts | None = None) -> Requests:
    """Return the requests of a poll; ``shards`` is None if they have not been listed."""
    if not target.settings.lag:
        return requests_of(len(target.groups), 0)
    if shards is None:
        selected = [len(group.shards) for group in target.groups if group.shards is not None]
        shards = ShardCounts(max(selected, default=_UNKNOWN_SHARDS))
    return requests_of(len(target.groups), shards.read, others=shards.others)


class Demand(Struct, frozen=True, kw_only=True):
    """The requests and the time that the polls of one project need in one interval."""

    project: str
    settings: ProjectSettings
    logstores: int
    requests: Requests
    seconds: float = REQUEST_SECONDS
    """Duration of a request."""

    def warnings(self, *, total_shards: int = 1) -> Sequence[str]:
        """Return why busy polls do not fit in the interval, and which setting helps.

        ``total_shards`` exporters share the limits of the project.
        """
        polling = self.settings.polling
        interval, workers = polling.interval, polling.workers
        rate = polling.requests_per_second / total_shards
        requests, seconds = self.requests.busy, self.seconds
        work = (
            f"project {self.project}: {self.logstores} logstores need {requests} requests every"
            f" {interval:g} s"
        )
        found: list[str] = []
        if _exceeds(requests, rate * interval):
            shared = f" divided by {total_shards} exporters" if total_shards > 1 else ""
            found.append(
                f"{work}, but polling.requests_per_second{shared} allows {rate:g} per second."
                f" Polls will be late or skipped. Set it to"
                f" {_up(requests * total_shards / interval)} or more, or polling.interval to"
                f" {_up(requests / rate)}s or more"
            )
        if _exceeds(requests * seconds, workers * interval):
            found.append(
                f"{work}, but {workers} workers cannot send them at {seconds:.3g} s per request."
                f" Polls will be late or skipped. Set polling.workers to"
                f" {_up(requests * seconds / interval)} or more, or polling.interval to"
                f" {_up(requests * seconds / workers)}s or more"
            )
        return found


def demands(
    targets: Iterable[Target],
    *,
    shards: Mapping[TargetKey, ShardCounts] = MappingProxyType({}),
    seconds: Mapping[TargetKey, float] = MappingProxyType({}),
) -> Sequence[Demand]:
    """Return the demand of each project, in their order.

    ``shards`` and ``seconds``, the duration of a request, are given as far as they are known.
    """
    projects: dict[tuple[str, ProjectSettings], list[Target]] = defaultdict(list)
    for target in targets:
        projects[target.key.project, target.settings].append(target)
    return [
        Demand(
            project=project,
            settings=settings,
            logstores=len(members),
            requests=sum((poll_requests(each, shards.get(each.key)) for each in members), NONE),
            seconds=seconds.get(members[0].key, REQUEST_SECONDS),
        )
        for (project, settings), members in sorted(projects.items(), key=lambda item: item[0][0])
    ]


def most_shards(settings: ProjectSettings, *, logstores: int, groups: int) -> int:
    """Return how many shards the logstores of a project may have so that busy polls fit.

    ``groups`` is the number of consumer groups in all of them. The result is negative if the polls
    do not even fit without shards.
    """
    least = math.ceil(BUSY_PER_GROUP * groups)
    polling = settings.polling
    per_second = min(polling.requests_per_second, polling.workers / REQUEST_SECONDS)
    room = per_second * polling.interval - logstores - least
    return math.floor(room / BUSY_PER_SHARD)


def _exceeds(value: float, limit: float) -> bool:
    """Return whether a value exceeds a limit by more than the last digit of the two."""
    return round(value - limit, 6) > 0


def _up(value: float) -> int:
    """Round up, except for the last digit of a floating-point number."""
    return math.ceil(round(value, 6))
