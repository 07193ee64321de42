"""The cases of ``benchmarks.busy`` and the figures that a run of each yields."""

import re
from collections.abc import Mapping

from msgspec import Struct

from benchmarks.api import KEY
from benchmarks.exact import Exact

DEFAULT_LATENCY = 0.02
DEFAULT_INTERVAL = 60.0
DEFAULT_STALL_AFTER = 300.0
_CASE = re.compile(r"(\d+)x(\d+)(?:@(\d+)ms)?(?:/(\d+))?")


class Case(Struct, frozen=True, kw_only=True):
    """A number of shards and groups per logstore, and how the service responds."""

    shards: int
    groups: int
    latency: float = DEFAULT_LATENCY
    quota: float | None = None
    projects: int = 1
    logstores: int = 1

    @property
    def name(self) -> str:
        """The name as it is written on the command line, with the number of logstores."""
        latency = "" if self.latency == DEFAULT_LATENCY else f"@{self.latency * 1e3:g}ms"
        quota = "" if self.quota is None else f"/{self.quota:g}"
        total = self.projects * self.logstores
        return (
            "" if total == 1 else f"{total} of "
        ) + f"{self.shards}x{self.groups}{latency}{quota}"

    @property
    def pairs(self) -> int:
        """The number of shards of consumer groups in all logstores."""
        return self.projects * self.logstores * self.shards * self.groups


class Settings(Struct, frozen=True, kw_only=True):
    """The settings of the exporter and the rhythm of the consumers, in seconds."""

    interval: float = DEFAULT_INTERVAL
    stall_after: float = DEFAULT_STALL_AFTER
    commit_interval: float = 60.0
    intervals: float = 4.0
    """The intervals that a run lasts, however early it detects the dead consumer."""


class Figures(Struct, frozen=True, kw_only=True):
    """The figures of one case; times are seconds, and None means not within the run."""

    case: Case
    settings: Settings
    http_after: float
    """From the start of the process to the first scrape, like the next three."""
    first_age_after: float | None
    ages_after: float | None
    states_after: float | None
    states: int
    """The shards of groups whose state was known in the last scrape."""
    requests: tuple[int, ...]
    """All requests of each interval, from the second poll on."""
    operations: Mapping[str, float]
    """The mean of ``requests`` by operation."""
    requests_per_second: float
    refused_share: float
    """The share of refused requests after the first minute."""
    polls: float
    polls_skipped: float
    poll_seconds: float | None
    cpu_seconds: float | None
    """The processor time per poll, without the scrapes."""
    core_share: float
    """The processor time of polls and scrapes, in cores."""
    peak_megabytes: float
    standin_core_share: float
    detected_after: float | None
    """From the time when the dead consumer has been stalled for stall_after."""
    false_stalls: int
    """The most shards of live consumers that one scrape showed stalled."""
    exact: Exact | None = None


def parse_case(text: str) -> Case:
    """Return the case that a text such as ``64x10@250ms/20`` describes; raises ValueError."""
    found = _CASE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not SHARDSxGROUPS[@LATENCYms][/REQUESTS_PER_SECOND]")
    shards, groups, latency, quota = found.groups()
    return Case(
        shards=int(shards),
        groups=int(groups),
        latency=DEFAULT_LATENCY if latency is None else int(latency) / 1e3,
        quota=None if quota is None else float(quota),
    )


def config(case: Case, settings: Settings, endpoint: str) -> dict[str, object]:
    """Return the configuration of the exporter, with defaults wherever the settings are."""
    logstore = "logstore-0" if case.logstores == 1 else "logstore-.*"
    found: dict[str, object] = {
        "credentials": {
            "access_key_id": KEY.access_key_id,
            "access_key_secret": KEY.access_key_secret,
        },
        "projects": [
            {
                "project": f"project-{number}",
                "endpoint": endpoint,
                "logstores": [
                    {
                        "logstore": logstore,
                        "consumer_groups": [f"group-{each}" for each in range(case.groups)],
                    }
                ],
            }
            for number in range(case.projects)
        ],
    }
    if settings.interval != DEFAULT_INTERVAL:
        found["polling"] = {"interval": f"{settings.interval * 1e3:.0f}ms"}
    if settings.stall_after != DEFAULT_STALL_AFTER:
        found["stall_after"] = f"{settings.stall_after * 1e3:.0f}ms"
    return found
