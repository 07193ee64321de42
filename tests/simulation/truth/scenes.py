"""The rows of the truth table: events and the trouble that they cause, if any."""

from exporter.model.progress import Cause
from tests.simulation.truth import alerts
from tests.simulation.truth.busy_scenes import BUSY_SCENES
from tests.simulation.truth.cause_scenes import CAUSE_SCENES
from tests.simulation.truth.doubtful_scenes import DOUBTFUL_SCENES
from tests.simulation.truth.judges import EVALUATION_SECONDS, IN_TIME, Trouble
from tests.simulation.truth.scene import (
    ANOTHER_NAME_MOVES,
    DAY,
    HOUR,
    NOTHING_MOVES,
    SAME_NAME_MOVES,
    Scene,
    consume,
    crash,
    likely,
    nobody_on,
    only_on,
    produce,
    steady,
    unwatched,
)
from tests.simulation.truth.stage import GROUP, LOGSTORE, POLL_SECONDS, SCRAPE_SECONDS, Stage
from tests.support.faults import Html

OUTAGE = Html(status=200)  # the page of a proxy in front, which is not retried
UNREADABLE = "bm90IGEgY3Vyc29y"  # base64, but not of a number


def idle(stage: Stage) -> None:
    consume(stage)
    stage.at(10.0, lambda: stage.world.write(*LOGSTORE, 0, 5))
    stage.at(10.0, lambda: stage.world.write(*LOGSTORE, 1, 5))


def idle_then_burst(stage: Stage) -> None:
    idle(stage)
    stage.at(2 * HOUR + 1.0, lambda: stage.world.write(*LOGSTORE, 0, 1000))


def slow(stage: Stage) -> None:
    produce(stage)
    stage.world.start_consumer(*GROUP, "c1", shards=range(2), max_rate=0.5)


def rare_commits(stage: Stage) -> None:
    produce(stage)
    stage.world.start_consumer(*GROUP, "c1", shards=range(2), flush_interval=300.0)


def flink(stage: Stage) -> None:
    produce(stage)
    stage.world.start_consumer(*GROUP, "c1", shards=range(2), writes_as="")


def rebalance(stage: Stage) -> None:
    steady(stage)
    stage.world.start_consumer(*GROUP, "c2", shards=[])
    stage.at(1830.0, lambda: stage.world.assign(*GROUP, {"c2": [1]}))
    stage.at(2430.0, lambda: stage.world.assign(*GROUP, {"c1": [1], "c2": [0]}))


def split_and_merge(stage: Stage) -> None:
    steady(stage)
    stage.at(630.0, lambda: stage.world.split_shard(*LOGSTORE, 0))
    stage.at(640.0, lambda: stage.world.assign(*GROUP, {"c1": [2, 3]}))
    stage.at(1830.0, lambda: stage.world.merge_shards(*LOGSTORE, 2))
    stage.at(1840.0, lambda: stage.world.assign(*GROUP, {"c1": [4]}))


def parents_vanish(stage: Stage) -> None:
    steady(stage)
    stage.at(630.0, lambda: stage.world.split_shard(*LOGSTORE, 0))
    stage.at(640.0, lambda: stage.world.assign(*GROUP, {"c1": [2, 3]}))


def reset_backwards(stage: Stage) -> None:
    steady(stage)

    def reset() -> None:
        stage.world.stop_consumer(*GROUP, "c1")
        for shard in range(2):
            back = stage.world.end_cursor(*LOGSTORE, shard) - 1500
            stage.world.update_checkpoint(*GROUP, shard, back)
        stage.world.start_consumer(*GROUP, "c1", shards=range(2), max_rate=3.0)

    stage.at(1830.0, reset)


def group_deleted(stage: Stage) -> None:
    steady(stage)
    stage.at(1830.0, lambda: stage.world.delete_group(*GROUP))


def logstore_deleted(stage: Stage) -> None:
    steady(stage)
    stage.at(1830.0, lambda: stage.world.delete_logstore(*LOGSTORE))


def outage(stage: Stage) -> None:
    steady(stage)
    fail(stage, since=1830.0, until=2430.0)


def outage_and_rare_commits(stage: Stage) -> None:
    rare_commits(stage)
    fail(stage, since=1830.0, until=2430.0)


def fail(stage: Stage, *, since: float, until: float) -> None:
    stage.at(since, lambda: stage.simulator.faults.add(OUTAGE))
    stage.at(until, stage.simulator.faults.clear)


def unreadable(stage: Stage) -> None:
    produce(stage)

    def write() -> None:
        for shard in range(2):
            stage.world.update_checkpoint(*GROUP, shard, UNREADABLE, consumer="c1")

    write()
    stage.world.every(60.0, write)


def one_of_many(stage: Stage) -> None:
    produce(stage, shards=8)
    for shard in range(8):
        stage.world.start_consumer(*GROUP, f"c{shard}", shards=[shard])
    stage.at(1830.0, lambda: crash(stage, "c5"))


def dead_group(stage: Stage) -> None:
    steady(stage)
    stage.at(1830.0, lambda: crash(stage))


def last_log(stage: Stage) -> None:
    idle(stage)
    stage.at(1799.0, lambda: stage.world.write(*LOGSTORE, 0))
    stage.at(1801.0, lambda: stage.world.write(*LOGSTORE, 0))
    stage.at(1802.0, lambda: crash(stage))


def poisoned(stage: Stage) -> None:
    steady(stage)
    stage.at(1830.0, lambda: stage.world.freeze_shard(*GROUP, "c1", 1))


def rewriting(stage: Stage) -> None:
    poisoned(stage)

    def rewrite() -> None:
        saved = stage.world.checkpoints(*GROUP, 1)[0]
        if stage.now > 1830.0:
            stage.world.update_checkpoint(*GROUP, 1, saved.checkpoint, consumer=saved.consumer)

    stage.world.every(20.0, rewrite)


def never_consumed(stage: Stage) -> None:
    produce(stage)


def long_dead(stage: Stage) -> None:
    steady(stage)
    stage.at(630.0, lambda: crash(stage))


def emptied(stage: Stage) -> None:
    """Let the only unread log group of shard 0 expire; the service then shows the current time."""
    stage.world.times_empty_shards = True
    idle(stage)
    stage.at(630.0, lambda: crash(stage))
    stage.at(700.0, lambda: stage.world.write(*LOGSTORE, 0))


def restarts(stage: Stage) -> None:
    dead_group(stage)
    for at in (1980.0, 2520.0):
        stage.at(at, stage.stop_exporter)
        stage.at(at + 60.0, stage.start_exporter)


def flapping(stage: Stage) -> None:
    dead_group(stage)
    for at in range(1830, 3600, 120):
        fail(stage, since=float(at), until=at + 60.0)


def back_again(stage: Stage) -> None:
    dead_group(stage)
    stage.at(BACK_AT, lambda: consume(stage))


def half_dead(stage: Stage) -> None:
    produce(stage)
    for shard in range(2):
        stage.world.start_consumer(*GROUP, f"c{shard}", shards=[shard])
    stage.at(1830.0, lambda: crash(stage, "c1"))


BACK_AT = 3030.0
DATA_LOST_AT = DAY + 601.0

SCENES = (
    Scene(name="idle for 12 hours", build=idle, seconds=12 * HOUR),
    Scene(
        name="idle for 2 hours, then a burst, consumed within a minute",
        build=idle_then_burst,
        seconds=2 * HOUR + 900.0,
    ),
    Scene(name="steady consumer", build=steady, seconds=HOUR),
    Scene(name="consumer too slow, falls behind", build=slow, seconds=HOUR),
    Scene(name="consumer that commits every 5 minutes", build=rare_commits, seconds=HOUR),
    Scene(name="checkpoints without an owner's name (Flink)", build=flink, seconds=HOUR),
    Scene(name="rebalance: shards change owners", build=rebalance, seconds=HOUR),
    Scene(
        name="split and merge: the drained parents do not advance",
        build=split_and_merge,
    ),
    Scene(
        name="a drained parent vanishes with the retention time",
        build=parents_vanish,
        ttl_days=1,
        watch_from=DAY - 1200.0,
        seconds=DAY + 1800.0,
    ),
    Scene(name="checkpoint reset backwards", build=reset_backwards, seconds=HOUR),
    Scene(name="group deleted", build=group_deleted, seconds=HOUR),
    Scene(name="logstore deleted", build=logstore_deleted, seconds=HOUR),
    Scene(name="API down for 10 minutes and back", build=outage, seconds=HOUR),
    Scene(
        name="the same, consumer commits every 5 minutes",
        build=outage_and_rare_commits,
    ),
    Scene(
        name="checkpoints that cannot be read",
        build=unreadable,
        trouble=unwatched(alerts.UNKNOWN, since=1.0),
    ),
    Scene(
        name="consumer crashed on one shard of eight",
        build=one_of_many,
        shards=8,
        trouble=only_on(5, since=1801.0),
        likely=ANOTHER_NAME_MOVES,
    ),
    Scene(
        name="whole group dead, producers go on",
        build=dead_group,
        trouble=nobody_on(0, 1, since=1801.0),
        likely=NOTHING_MOVES,
    ),
    Scene(
        name="whole group dead after one last log, producers silent",
        build=last_log,
        trouble=nobody_on(0, since=1801.0),
        likely=likely(
            Cause.GROUP_SILENT,
            1,
            "the other shard has nothing to read, and was read before the stall began",
        ),
    ),
    Scene(
        name="poisoned shard: its owner lives, other shards move",
        build=poisoned,
        trouble=only_on(1, since=1801.0),
        likely=SAME_NAME_MOVES,
    ),
    Scene(
        name="owner writes the same checkpoint again and again",
        build=rewriting,
        # Only the second poll can tell that the write which the first one saw was none of progress.
        trouble=only_on(1, since=1801.0, in_time=IN_TIME + POLL_SECONDS),
        likely=SAME_NAME_MOVES,
    ),
    Scene(
        name="group created, never consumed",
        build=never_consumed,
        trouble=Trouble(
            since=1.0,
            shards=frozenset({""}),
            alert=alerts.UNCONSUMED,
            also=frozenset(),
            # It waits for stall_after and an interval, then for 15 minutes.
            in_time=1260.0 + POLL_SECONDS + SCRAPE_SECONDS + EVALUATION_SECONDS,
        ),
    ),
    Scene(
        name="dead for a day: unread data expires",
        build=long_dead,
        ttl_days=1,
        watch_from=DAY - 1200.0,
        seconds=DAY + 1800.0,
        trouble=Trouble(
            since=601.0,
            shards=frozenset({"0", "1"}),
            also=frozenset({alerts.GROUP_STALLED, alerts.DATA_LOST}),
        ),
        likely=NOTHING_MOVES,
    ),
    Scene(
        name="dead for two days: all unread data has expired",
        build=emptied,
        ttl_days=1,
        watch_from=2 * DAY,
        seconds=2 * DAY + HOUR,
        trouble=Trouble(
            since=DAY + 700.0,
            shards=frozenset({""}),
            alert=alerts.DATA_LOST,
            also=frozenset({alerts.GROUP_STALLED}),
        ),
    ),
    Scene(
        name="exporter restarted twice in the middle of a stall",
        build=restarts,
        trouble=nobody_on(0, 1, since=1801.0),
        likely=NOTHING_MOVES,
    ),
    Scene(
        name="every other poll fails while the group is dead",
        build=flapping,
        # The next successful poll reports the state that a failed poll could not report.
        trouble=nobody_on(0, 1, since=1801.0, in_time=IN_TIME + POLL_SECONDS),
        likely=NOTHING_MOVES,
    ),
    Scene(
        name="whole group dead for 20 minutes, then back",
        build=back_again,
        seconds=HOUR + 600.0,
        trouble=nobody_on(0, 1, since=1801.0),
        likely=NOTHING_MOVES,
    ),
    Scene(
        name="our clock 5 minutes fast; one of two consumers dies",
        build=half_dead,
        our_clock_ahead=300.0,
        trouble=only_on(1, since=1801.0),
        likely=ANOTHER_NAME_MOVES,
    ),
    Scene(
        name="our clock 5 minutes slow; one of two consumers dies",
        build=half_dead,
        our_clock_ahead=-300.0,
        trouble=only_on(1, since=1801.0),
        likely=ANOTHER_NAME_MOVES,
    ),
    *CAUSE_SCENES,
    *BUSY_SCENES,
    *DOUBTFUL_SCENES,
)
