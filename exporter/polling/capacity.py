"""Tells before the first poll whether the polls of a configuration can be done in their time.

It knows a lower bound only, and warns of what cannot work; what is merely tight shows in
``sls_exporter_polls_skipped_total``.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence

from exporter.config.settings import ProjectSettings
from exporter.polling.targets import GroupTarget, Target

REQUEST_SECONDS = 0.1
"""What one request is taken to need at a worker: some twice as long as within a region."""
_UNKNOWN_SHARDS = 1  # a logstore has at least one, and none are listed yet


def shortages(targets: Iterable[Target]) -> Sequence[str]:
    """Return a warning, with what to change, for each limit that cannot be kept; [] if all can."""
    projects: dict[tuple[str, ProjectSettings], list[Target]] = defaultdict(list)
    for target in targets:
        projects[target.key.project, target.settings].append(target)
    return [
        warning
        for (project, settings), members in sorted(projects.items(), key=lambda item: item[0][0])
        for warning in _of_project(project, settings, members)
    ]


def requests_a_poll(target: Target) -> int:
    """Return the least number of requests that a poll of a logstore takes.

    The checkpoints of each group and, for the lag, the shards and the end of each of them.
    """
    groups = len(target.groups)
    if not groups or not target.settings.lag:
        return groups
    return groups + 1 + max(_shards(group) for group in target.groups)


def _shards(group: GroupTarget) -> int:
    return _UNKNOWN_SHARDS if group.shards is None else len(group.shards)


def _of_project(
    project: str, settings: ProjectSettings, targets: Sequence[Target]
) -> Iterable[str]:
    requests = sum(requests_a_poll(target) for target in targets)
    work = (
        f"project {project}: polling its {len(targets)} logstores takes at least {requests}"
        f" requests every {settings.interval:g} s"
    )
    allowed = settings.requests_per_second
    if requests > allowed * settings.interval:
        yield (
            f"{work}, and {allowed:g} a second are allowed: polls will come late or be left out."
            f" Set polling.requests_per_second to {_up(requests / settings.interval)} or more,"
            f" or polling.interval to {_up(requests / allowed)}s or more"
        )
    needed = requests * REQUEST_SECONDS / settings.interval
    if needed > settings.workers:
        yield (
            f"{work}, which is more than {settings.workers} workers can do at"
            f" {REQUEST_SECONDS:g} s a request: polls will come late or be left out."
            f" Set polling.workers to {_up(needed)} or more, or polling.interval to"
            f" {_up(requests * REQUEST_SECONDS / settings.workers)}s or more"
        )


def _up(value: float) -> int:
    """Round up, but not for the last digit of a floating point number."""
    return math.ceil(round(value, 6))
