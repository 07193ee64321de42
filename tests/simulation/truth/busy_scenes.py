"""Rows of the truth table about large logstores, and about stored data of shards."""

from functools import partial

from exporter.model.progress import Cause
from tests.simulation.truth.judges import IN_TIME
from tests.simulation.truth.scene import (
    HOUR,
    SAME_NAME_MOVES,
    Scene,
    crash,
    likely,
    nobody_on,
    only_on,
    produce,
    steady,
)
from tests.simulation.truth.service import Service
from tests.simulation.truth.stage import GROUP, LOGSTORE, POLL_SECONDS, TROUBLED, Stage

MORNING = 6 * HOUR + 31.0


def busy(stage: Stage) -> None:
    """Let all groups read all shards 20 to 30 s behind; each commits at its own second."""
    produce(stage, shards=stage.shards, interval=0.1)
    for number, group in enumerate(stage.groups):
        stage.at(
            float(number),
            partial(
                stage.world.start_consumer,
                *LOGSTORE,
                group,
                "c1",
                shards=range(stage.shards),
                flush_interval=10.0,
                behind=20.0,
            ),
        )


def one_dead_shard(stage: Stage) -> None:
    busy(stage)
    stage.at(605.0, lambda: stage.world.freeze_shard(*GROUP, "c1", 5))


def one_dead_shard_and_restart(stage: Stage) -> None:
    one_dead_shard(stage)
    stage.at(725.0, stage.stop_exporter)
    stage.at(785.0, stage.start_exporter)


def one_dead_shard_and_missed_poll(stage: Stage) -> None:
    one_dead_shard(stage)
    # The poll that would be the first to see a stall of more than 5 minutes.
    stage.at(905.0, stage.skip_poll)


def made_anew(stage: Stage) -> None:
    """Delete the logstore and create it with lower cursors. Logs are rare in the new one."""
    steady(stage)

    def create() -> None:
        stage.world.delete_logstore(*LOGSTORE)
        stage.world.create_logstore(*LOGSTORE, shards=2, first_cursor=1000)
        stage.world.create_group(*GROUP)
        for shard in range(2):
            stage.world.write(*LOGSTORE, shard, 5)
            stage.world.start_consumer(*GROUP, f"c{shard}", shards=[shard])

    stage.at(1830.0, create)
    stage.at(2405.0, lambda: crash(stage, "c1"))
    for shard in range(2):
        stage.at(2437.0, partial(stage.world.write, *LOGSTORE, shard))


def quiet_night(stage: Stage) -> None:
    for shard in range(2):
        stage.world.start_consumer(*GROUP, f"c{shard}", shards=[shard])
        stage.at(10.0, partial(stage.world.write, *LOGSTORE, shard, 5))
        stage.at(MORNING, partial(stage.world.write, *LOGSTORE, shard))
    stage.at(2 * HOUR, lambda: crash(stage, "c1"))


def all_commit_rarely(stage: Stage) -> None:
    produce(stage, shards=stage.shards, interval=0.1)
    for number, group in enumerate(stage.groups):
        stage.at(
            number * 75.0,
            partial(
                stage.world.start_consumer,
                *LOGSTORE,
                group,
                "c1",
                shards=range(stage.shards),
                flush_interval=300.0,
            ),
        )


def groups(count: int) -> tuple[str, ...]:
    return (TROUBLED, *(f"reader-{number}" for number in range(1, count)))


BUSY_SCENES = (
    Scene(
        name="64 busy shards, 20 groups 20 s behind; one group is dead on one shard",
        build=one_dead_shard,
        shards=64,
        groups=groups(20),
        seconds=1050.0,
        trouble=only_on(5, since=600.0),
        likely=SAME_NAME_MOVES,
    ),
    Scene(
        name="the same, quota of 20 requests per second, of which consumers use 16",
        build=one_dead_shard,
        shards=64,
        groups=groups(20),
        service=Service(quota=20.0 - 16.0),
        seconds=1050.0,
        trouble=only_on(5, since=600.0),
        likely=SAME_NAME_MOVES,
    ),
    Scene(
        name="the same, 250 ms per request, 8 requests in parallel",
        build=one_dead_shard,
        shards=64,
        groups=groups(20),
        service=Service(seconds=0.25 / 8),
        seconds=1050.0,
        trouble=only_on(5, since=600.0),
        likely=SAME_NAME_MOVES,
    ),
    Scene(
        name="32 busy shards, 8 groups 20 s behind; one dead shard; exporter restarted",
        build=one_dead_shard_and_restart,
        shards=32,
        groups=groups(8),
        seconds=1050.0,
        trouble=only_on(5, since=600.0),
        likely=SAME_NAME_MOVES,
    ),
    Scene(
        name="the same, the poll that would be the first to see the stall is missed",
        build=one_dead_shard_and_missed_poll,
        shards=32,
        groups=groups(8),
        seconds=1050.0,
        trouble=only_on(5, since=600.0, in_time=IN_TIME + POLL_SECONDS),
        likely=SAME_NAME_MOVES,
    ),
    Scene(
        name="logstore deleted and created again with lower cursors; one of two consumers dies",
        build=made_anew,
        trouble=nobody_on(1, since=2437.0),
        likely=likely(
            Cause.OWNER_STUCK, 1, "another name has read its shard to the end since the stall began"
        ),
    ),
    Scene(
        name="quiet night, then a first log; one of two consumers is dead",
        build=quiet_night,
        seconds=MORNING + 900.0,
        trouble=nobody_on(1, since=MORNING),
        likely=likely(
            Cause.OWNER_STUCK, 1, "another name has read its shard to the end since the stall began"
        ),
    ),
    Scene(
        name="4 groups that commit every 5 minutes",
        build=all_commit_rarely,
        shards=4,
        groups=groups(4),
    ),
)
