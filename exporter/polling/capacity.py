"""Estimates of the requests of a poll, and warnings about polls that do not fit their interval.

docs/operations.md explains the figures; ``python -m benchmarks.busy`` measures them.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from exporter.config.settings import ProjectSettings
from exporter.model.names import TargetKey
from exporter.polling.targets import Target

REQUEST_SECONDS = 0.1
"""Assumed duration of a request: about twice that within a region."""
_UNKNOWN_SHARDS = 2  # what the service creates by default


class Requests(Struct, frozen=True, kw_only=True):
    """Requests of one poll of a logstore, or of one round of polls of a project."""

    at_rest: int
    """Every group has read everything."""
    busy: int
    """Every group is some seconds behind in every shard, and moves."""
    cold: int
    """The same at the first poll after a start."""

    def __add__(self, other: "Requests") -> "Requests":
        return Requests(
            at_rest=self.at_rest + other.at_rest,
            busy=self.busy + other.busy,
            cold=self.cold + other.cold,
        )


NONE = Requests(at_rest=0, busy=0, cold=0)


def requests_of(groups: int, shards: int) -> Requests:
    """Return the requests of a poll of a logstore; ``shards`` is 0 if cursors are not read.

    At rest it takes one request per group, one per shard and one for the list of shards. The rest
    was measured: a busy shard takes a request in about every fourth poll, a group one in every
    second poll, and a first poll reads up to two more cursors per shard.
    """
    if not shards or not groups:
        return Requests(at_rest=groups, busy=groups, cold=groups)
    at_rest = 1 + groups + shards
    return Requests(
        at_rest=at_rest,
        busy=at_rest + math.ceil(shards / 4) + math.ceil(groups / 2),
        cold=at_rest + 1 + 3 * shards + groups,
    )


def requests_at_rest(target: Target, shards: int | None = None) -> int:
    """Return the requests of a poll that finds nothing unread."""
    return poll_requests(target, shards).at_rest


def poll_requests(target: Target, shards: int | None = None) -> Requests:
    """Return the requests of a poll; ``shards`` is None if they have not been listed."""
    if not target.settings.lag:
        return requests_of(len(target.groups), 0)
    if shards is None:
        selected = [len(group.shards) for group in target.groups if group.shards is not None]
        shards = max(selected, default=_UNKNOWN_SHARDS)
    return requests_of(len(target.groups), shards)


class Demand(Struct, frozen=True, kw_only=True):
    """What the polls of one project need in one interval."""

    project: str
    settings: ProjectSettings
    logstores: int
    requests: Requests

    def fits(self, *, rate: float | None = None, seconds: float = REQUEST_SECONDS) -> bool:
        """Return whether busy polls fit at a request rate and a duration of a request."""
        return not self._reasons(rate or self.settings.requests_per_second, seconds)

    def warnings(self, *, total_shards: int = 1, seconds: float = REQUEST_SECONDS) -> Iterable[str]:
        """Yield why the polls do not fit, and which setting helps."""
        return self._reasons(self.settings.requests_per_second / total_shards, seconds)

    def _reasons(self, rate: float, seconds: float) -> Sequence[str]:
        interval, workers = self.settings.interval, self.settings.workers
        requests = self.requests.busy
        work = (
            f"project {self.project}: {self.logstores} logstores need {requests} requests every"
            f" {interval:g} s"
        )
        found: list[str] = []
        if requests > rate * interval:
            found.append(
                f"{work}, but polling.requests_per_second allows {rate:g} per second. Polls will"
                f" be late or skipped. Set it to {_up(requests / interval)} or more, or"
                f" polling.interval to {_up(requests / rate)}s or more"
            )
        if requests * seconds > workers * interval:
            found.append(
                f"{work}, but {workers} workers cannot send them at {seconds:g} s per request."
                f" Polls will be late or skipped. Set polling.workers to"
                f" {_up(requests * seconds / interval)} or more, or polling.interval to"
                f" {_up(requests * seconds / workers)}s or more"
            )
        return found


def demands(
    targets: Iterable[Target], shards: Mapping[TargetKey, int] | None = None
) -> Sequence[Demand]:
    """Return the demand of each project, in their order; ``shards`` has what is known of them."""
    projects: dict[tuple[str, ProjectSettings], list[Target]] = defaultdict(list)
    for target in targets:
        projects[target.key.project, target.settings].append(target)
    known = shards or {}
    return [
        Demand(
            project=project,
            settings=settings,
            logstores=len(members),
            requests=sum((poll_requests(each, known.get(each.key)) for each in members), NONE),
        )
        for (project, settings), members in sorted(projects.items(), key=lambda item: item[0][0])
    ]


def shortages(
    targets: Iterable[Target],
    shards: Mapping[TargetKey, int] | None = None,
    *,
    total_shards: int = 1,
    seconds: float = REQUEST_SECONDS,
) -> Sequence[str]:
    """Return a warning, with what to change, for each limit that cannot be kept.

    ``seconds`` is the duration of a request; ``total_shards`` exporters share the limits.
    """
    return [
        warning
        for demand in demands(targets, shards)
        for warning in demand.warnings(total_shards=total_shards, seconds=seconds)
    ]


def _up(value: float) -> int:
    """Round up, except for the last digit of a floating-point number."""
    return math.ceil(round(value, 6))
