"""Rows of the truth table about wrong times, replaced pods, and consumers that only look dead."""

from functools import partial

from tests.simulation.truth.scene import HOUR, Scene, crash, nobody_on, only_on, produce, steady
from tests.simulation.truth.stage import GROUP, POLL_SECONDS, Stage
from tests.support.faults import WrongTime

JUMPS = (1200.0, -7200.0, 1e9, 840.0, -840.0)
"""Seconds by which a server time is wrong. SLS accepts a difference of 900."""
NEW_POD_AT = 2400.0


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


DOUBTFUL_SCENES = (
    Scene(
        name="one response of each poll has a time that is minutes, hours or years off",
        build=jumps,
        seconds=HOUR,
    ),
    Scene(
        name="the same; one of two consumers dies",
        build=jumps_and_half_dead,
        seconds=HOUR,
        trouble=only_on(1, since=1801.0),
    ),
    Scene(
        name="sidecar of a new pod, whose predecessor left a poisoned shard",
        build=replaced_pod,
        seconds=HOUR,
        consumers=("pod-new",),
        watch_from=NEW_POD_AT + 30.0,
        trouble=only_on(1, since=1801.0),
    ),
    Scene(
        name="Python consumer whose filter lets nothing through: it only looks dead",
        build=nothing_passes,
        seconds=HOUR,
        looks_like=nobody_on(0, 1, since=1801.0),
    ),
)
