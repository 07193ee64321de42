"""Targets built by hand, with defaults for everything that a test does not need."""

from exporter.config.patterns import Pattern
from exporter.model.names import TargetKey
from exporter.polling.targets import GroupTarget, Target
from tests.support.settings import project_settings
from tests.support.snapshots import ENDPOINT


def target(
    number: int = 0,
    *,
    project: str = "shop",
    groups: int = 1,
    shards: frozenset[int] | None = None,
    interval: float = 60.0,
    rate: float = 10.0,
    lag: bool = True,
    workers: int = 8,
    consumers: tuple[str, ...] = (),
) -> Target:
    """Build a logstore with some groups; ``rate`` is its project's limit of requests per second."""
    settings = project_settings(
        lag=lag, interval=interval, workers=workers, requests_per_second=rate
    )
    return Target(
        key=TargetKey(ENDPOINT, project, f"store-{number}"),
        groups=tuple(
            GroupTarget(
                name=f"group-{group}",
                shards=shards,
                consumers=tuple(Pattern.parse(each) for each in consumers),
            )
            for group in range(groups)
        ),
        settings=settings,
        refresh_seconds=300.0,
    )
