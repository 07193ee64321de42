"""Rows of the truth table about data that the exporter cannot read, or that misleads.

These are wrong times, replaced pods, cursors and listings that fail, and consumers that look dead.
"""

from functools import partial

from exporter.model.progress import Cause
from tests.simulation.truth import alerts
from tests.simulation.truth.scene import (
    ANOTHER_NAME_MOVES,
    HOUR,
    Scene,
    crash,
    likely,
    nobody_on,
    only_on,
    produce,
    steady,
    unwatched,
)
from tests.simulation.truth.stage import GROUP, POLL_SECONDS, Stage
from tests.support.faults import ErrorAnswer, Html, WrongTime

JUMPS = (1200.0, -7200.0, 1e9, 840.0, -840.0)
"""Seconds by which a server time is wrong. SLS accepts a difference of 900."""
NEW_POD_AT = 2400.0
RESTART_AT = 3030.0
STALE_AFTER = 180.0
REFUSAL = ErrorAnswer(status=401, code="Unauthorized", message="denied by sts or ram")


def jump(stage: Stage, *, until: float) -> None:
    """Let the first response of each poll have a wrong time."""
    at, number = 0.0, 0
    while at < until:
        fault = WrongTime(ahead=JUMPS[number % len(JUMPS)])
        stage.at(at, partial(stage.simulator.faults.add, fault, times=1))
        at, number = at + POLL_SECONDS, number + 1


def jumps(stage: Stage) -> None:
    steady(stage)
    jump(stage, until=HOUR)


def jumps_and_half_dead(stage: Stage) -> None:
    produce(stage)
    for shard in range(2):
        stage.world.start_consumer(*GROUP, f"c{shard}", shards=[shard])
    stage.at(1830.0, lambda: crash(stage, "c1"))
    jump(stage, until=HOUR)


def replaced_pod(stage: Stage) -> None:
    """Let a log group stop the consumer on one shard, and replace its pod without success."""
    produce(stage)
    stage.world.start_consumer(*GROUP, "pod-old", shards=range(2))
    stage.at(1830.0, lambda: stage.world.freeze_shard(*GROUP, "pod-old", 1))

    def replace() -> None:
        stage.world.crash_consumer(*GROUP, "pod-old")
        stage.world.start_consumer(*GROUP, "pod-new", shards=range(2))
        stage.world.freeze_shard(*GROUP, "pod-new", 1)

    stage.at(NEW_POD_AT, replace)


def nothing_passes(stage: Stage) -> None:
    steady(stage)

    def filter_all() -> None:
        for shard in range(2):
            stage.world.freeze_shard(*GROUP, "c1", shard)

    stage.at(1830.0, filter_all)


def no_cursors(stage: Stage) -> None:
    """Let the group die and, at the same time, everything fail that reads cursors."""
    steady(stage)
    stage.at(1830.0, lambda: crash(stage))
    for operation in ("GetCursor", "GetCursorTime"):
        fail = partial(stage.simulator.faults.add, Html(status=200), operation=operation)
        stage.at(1830.0, fail)


def no_shards(stage: Stage) -> None:
    """Let no response name a shard: the group has no entries, and shards cannot be listed."""
    produce(stage)
    stage.world.delete_group(*GROUP)
    stage.world.create_group(*GROUP, empty_until_heartbeat=True)
    stage.simulator.faults.add(Html(status=200), operation="ListShards")


def refused_listing(stage: Stage) -> None:
    dead_from_the_start(stage)
    stage.simulator.faults.add(REFUSAL, operation="ListLogStores")


def dead_from_the_start(stage: Stage) -> None:
    steady(stage)
    stage.at(630.0, lambda: crash(stage))


def refusal_and_restart(stage: Stage) -> None:
    """Let the key of the project be refused, and the exporter be restarted as the runbook says."""
    steady(stage)
    stage.at(1830.0, lambda: stage.simulator.faults.add(REFUSAL))
    stage.at(RESTART_AT, stage.stop_exporter)
    stage.at(RESTART_AT + 60.0, stage.start_exporter)


DOUBTFUL_SCENES = (
    Scene(
        name="one response of each poll has a time that is minutes, hours or years off",
        build=jumps,
    ),
    Scene(
        name="the same; one of two consumers dies",
        build=jumps_and_half_dead,
        trouble=only_on(1, since=1801.0),
        likely=ANOTHER_NAME_MOVES,
    ),
    Scene(
        name="sidecar of a new pod, whose predecessor left a poisoned shard",
        build=replaced_pod,
        consumers=("pod-new",),
        watch_from=NEW_POD_AT + 30.0,
        trouble=only_on(1, since=1801.0),
        likely=likely(
            Cause.OWNER_STUCK,
            1,
            "the checkpoint has the name of the predecessor, and another name moves",
        ),
    ),
    Scene(
        name="cursors fail for everything from the moment at which the group dies",
        build=no_cursors,
        trouble=unwatched(
            alerts.UNKNOWN,
            since=1801.0,
            behind=nobody_on(0, 1, since=1801.0),
            known_for=STALE_AFTER,
        ),
    ),
    Scene(
        name="group never consumed, and the listing of shards fails from the start",
        build=no_shards,
        trouble=unwatched(alerts.UNKNOWN, since=1.0),
    ),
    Scene(
        name="listing of logstores refused from the start; the group dies",
        build=refused_listing,
        is_listed=True,
        trouble=unwatched(
            alerts.NEVER_DISCOVERED,
            since=1.0,
            also=frozenset({alerts.DISCOVERY_FAILING}),
            behind=nobody_on(0, 1, since=601.0),
        ),
    ),
    Scene(
        name="everything refused, and the exporter restarted during the refusal",
        build=refusal_and_restart,
        seconds=HOUR + 1200.0,
        is_listed=True,
        trouble=unwatched(
            alerts.DISCOVERY_FAILING,
            since=1830.0,
            also=frozenset({alerts.NEVER_DISCOVERED}),
        ),
    ),
    Scene(
        name="Python consumer whose filter lets nothing through: it only looks dead",
        build=nothing_passes,
        looks_like=nobody_on(0, 1, since=1801.0),
        likely=likely(Cause.GROUP_SILENT, 2, "nothing moves, as if the group was dead"),
    ),
)
