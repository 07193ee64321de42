"""A row of the truth table, and common parts of many rows.

Seconds count from the start of a scene. Consumers flush every 60 s by default, so they
commit at full minutes. Producers write a log group per second and shard.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from exporter.model.progress import Cause
from tests.simulation.truth.causes import Likely
from tests.simulation.truth.judges import EVALUATION_SECONDS, IN_TIME, Trouble
from tests.simulation.truth.service import FAST, Service
from tests.simulation.truth.stage import (
    GROUP,
    LOGSTORE,
    POLL_PHASE,
    POLL_SECONDS,
    SCRAPE_SECONDS,
    TROUBLED,
    Recording,
    Stage,
)

HOUR = 3600.0
DAY = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A row: a stage is set and its events are planned, then it runs while it is watched."""

    name: str
    build: Callable[[Stage], None]
    seconds: float = HOUR
    trouble: Trouble | None = None
    looks_like: Trouble | None = None
    """The trouble that all observable values show, although a consumer is alive."""
    likely: Likely | None = None
    """The true causes of the stalls, if there are any."""
    consumers: tuple[str, ...] = ()
    """The owners whose shards the exporter is configured to show; empty for all."""
    is_listed: bool = False
    """Whether the logstore is configured as a pattern, so that a listing has to find it."""
    lists_groups: bool = False
    """Whether the groups are configured as patterns, so that their settings are listed."""
    shards: int = 2
    groups: tuple[str, ...] = (TROUBLED,)
    ttl_days: int = 7
    watch_from: float = 0.0
    our_clock_ahead: float = 0.0
    service: Service = FAST

    def play(self, *, poll_phase: float = POLL_PHASE) -> Mapping[str, Recording]:
        """Run the scene and return the recording of each group."""
        stage = Stage(
            shards=self.shards,
            groups=self.groups,
            ttl_days=self.ttl_days,
            our_clock_ahead=self.our_clock_ahead,
            service=self.service,
            consumers=self.consumers,
            is_listed=self.is_listed,
            lists_groups=self.lists_groups,
        )
        self.build(stage)
        return stage.run(until=self.seconds, watch_from=self.watch_from, poll_phase=poll_phase)


def likely(cause: Cause, shards: int, evidence: str) -> Likely:
    """Return the cause that all stalled shards of a scene have."""
    return Likely(causes=((cause, shards),), evidence=evidence)


SAME_NAME_MOVES = likely(Cause.SHARD_STUCK, 1, "the same name moves in other shards")
ANOTHER_NAME_MOVES = likely(Cause.OWNER_STUCK, 1, "another name moves")
NOTHING_MOVES = likely(Cause.GROUP_SILENT, 2, "nothing moves any more")


def nobody_on(*shards: int, since: float, in_time: float = IN_TIME) -> Trouble:
    """Return the trouble of shards without a consumer while no other shard of the group moves."""
    return Trouble(since=since, shards=frozenset(map(str, shards)), in_time=in_time)


def only_on(*shards: int, since: float, in_time: float = IN_TIME) -> Trouble:
    """Return the trouble of shards without a consumer while others of the group go on."""
    return Trouble(
        since=since, shards=frozenset(map(str, shards)), also=frozenset(), in_time=in_time
    )


def unwatched(
    alert: str,
    *,
    since: float,
    also: frozenset[str] = frozenset(),
    behind: Trouble | None = None,
    known_for: float = 0.0,
) -> Trouble:
    """Return the trouble of a group of which the exporter knows too little.

    Values from before stay for ``known_for`` seconds. The alert waits for 15 minutes.
    """
    return Trouble(
        since=since,
        shards=frozenset({""}),
        alert=alert,
        also=also,
        behind=behind,
        in_time=known_for + 900.0 + POLL_SECONDS + SCRAPE_SECONDS + EVALUATION_SECONDS,
    )


def produce(stage: Stage, *, shards: int = 2, interval: float | None = 1.0) -> None:
    for shard in range(shards):
        stage.world.set_producer(*LOGSTORE, shard, interval)


def consume(stage: Stage, *, shards: int = 2) -> None:
    stage.world.start_consumer(*GROUP, "c1", shards=range(shards))


def crash(stage: Stage, name: str = "c1") -> None:
    stage.world.crash_consumer(*GROUP, name)


def steady(stage: Stage) -> None:
    produce(stage)
    consume(stage)
