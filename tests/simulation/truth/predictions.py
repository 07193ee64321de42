"""Scenes about when a group will have caught up or lose data, and the table of their predictions.

Everything is written at one log group per second, so a consumer that reads two per second has the
speed 2. The retention time is a day.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import yaml

from exporter.base.durations import parse_duration
from tests.simulation.truth import alerts
from tests.simulation.truth.alerts import Firing, Rule
from tests.simulation.truth.scene import DAY, HOUR, Scene, consume, crash, produce
from tests.simulation.truth.stage import GROUP, START, TROUBLED, Frame, Recording, Stage
from tools.paths import RULES

CATCH_UP = "sls_consumer_group_catch_up_seconds"
DATA_LOSS = "sls_consumer_group_data_loss_seconds"
RETENTION = "sls_consumer_group_retention_seconds"
FALLING_BEHIND = "SLSConsumerFallingBehind"
EXPIRING_SHARE = 0.8
"""The share of the retention time from which on SLSConsumerDataExpiring fires."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """A scene, and the speed of the consumer in its worst shard at the end of the scene."""

    scene: Scene
    speed: float
    shard: int = 0
    is_due: bool
    """Whether the alert has to fire."""
    due_at: float = 0.0
    """The time from which on data is lost within one retention time."""


def slow(stage: Stage, rate: float = 0.5) -> None:
    produce(stage)
    stage.world.start_consumer(*GROUP, "c1", shards=range(2), max_rate=rate)


def slow_and_restarted(stage: Stage) -> None:
    slow(stage)
    for at in (23.5 * HOUR, 24.1 * HOUR):
        stage.at(at, stage.stop_exporter)
        stage.at(at + 60.0, stage.start_exporter)


def slow_with_missed_polls(stage: Stage) -> None:
    slow(stage)
    for number in range(100):
        stage.at(23 * HOUR + 90.0 * number, stage.skip_poll)


def one_of_eight(stage: Stage) -> None:
    produce(stage, shards=8)
    for shard in range(8):
        rate = 0.25 if shard == 5 else None
        stage.world.start_consumer(*GROUP, f"c{shard}", shards=[shard], max_rate=rate)


def stalled(stage: Stage) -> None:
    produce(stage)
    consume(stage)
    stage.at(630.0, lambda: crash(stage))


def back_after(stage: Stage, *, at: float, rate: float) -> None:
    stalled(stage)
    stage.at(
        at,
        lambda: stage.world.start_consumer(*GROUP, "c2", shards=range(2), max_rate=rate),
    )


def _scene(name: str, *, since: float, hours: float, **others: object) -> Scene:
    return Scene(
        name=name,
        ttl_days=1,
        watch_from=since * HOUR,
        seconds=(since + hours) * HOUR,
        **others,  # type: ignore[arg-type]  # fields of a scene
    )


PREDICTIONS = (
    Prediction(
        scene=_scene(
            "half as fast as its producers, 12 hours behind", since=23, hours=2, build=slow
        ),
        speed=0.5,
        is_due=True,
        due_at=DAY,
    ),
    Prediction(
        scene=_scene(
            "the same, exporter restarted twice", since=23, hours=2, build=slow_and_restarted
        ),
        speed=0.5,
        is_due=True,
        due_at=DAY,
    ),
    Prediction(
        scene=_scene(
            "the same, two of three polls are missed",
            since=23,
            hours=2.5,
            build=slow_with_missed_polls,
        ),
        speed=0.5,
        is_due=True,
        due_at=DAY,
    ),
    Prediction(
        scene=_scene("half as fast as its producers, 3 hours behind", since=6, hours=1, build=slow),
        speed=0.5,
        is_due=False,
    ),
    Prediction(
        scene=_scene(
            "one shard of eight at a quarter of the speed",
            since=7,
            hours=2,
            build=one_of_eight,
            shards=8,
        ),
        speed=0.25,
        shard=5,
        is_due=True,
        due_at=8 * HOUR,
    ),
    Prediction(
        scene=_scene(
            "the same, sidecar of another shard",
            since=7,
            hours=2,
            build=one_of_eight,
            shards=8,
            consumers=("c1",),
        ),
        speed=1.0,
        shard=1,
        is_due=False,
    ),
    Prediction(
        scene=_scene("stalled for an hour", since=1, hours=1, build=stalled),
        speed=0.0,
        is_due=True,
    ),
    Prediction(
        scene=_scene(
            "stalled for 15 hours, then three times as fast as its producers",
            since=15,
            hours=2,
            build=functools.partial(back_after, at=15 * HOUR - 600.0, rate=3.0),
        ),
        speed=3.0,
        is_due=False,
    ),
    Prediction(
        scene=_scene(
            "stalled for 20 hours, then a fifth faster than its producers",
            since=20,
            hours=2,
            build=functools.partial(back_after, at=20 * HOUR - 600.0, rate=1.2),
        ),
        speed=1.2,
        is_due=False,
    ),
    Prediction(
        scene=_scene(
            "stalled for 2 hours, then as fast as its producers",
            since=2,
            hours=2,
            build=functools.partial(back_after, at=2 * HOUR - 600.0, rate=1.0),
        ),
        speed=1.0,
        is_due=False,
    ),
)


@functools.cache
def recording_of(scene: Scene) -> Recording:
    """Play a scene, once in a process; return the recording of its group."""
    return scene.play()[TROUBLED]


@functools.cache
def shipped_rule() -> Rule:
    """Return the rule as it is shipped. A test verifies with promtool that both are equal."""
    rule = next(
        rule
        for group in yaml.safe_load(RULES.read_text())["groups"]
        for rule in group["rules"]
        if rule.get("alert") == FALLING_BEHIND
    )
    return Rule(
        name=FALLING_BEHIND,
        holds=_is_losing_data,
        hold_seconds=parse_duration(rule["for"]),
        keep_seconds=parse_duration(rule["keep_firing_for"]),
    )


def fired(prediction: Prediction) -> Sequence[Firing]:
    """Return when the alert fired in a scene."""
    return alerts.firings([shipped_rule()], recording_of(prediction.scene).frames)


def predicted(frame: Frame) -> tuple[float | None, float | None]:
    """Return the times until the group has caught up and until it loses data, in seconds."""
    return _value(frame, CATCH_UP), _value(frame, DATA_LOSS)


def true_age(prediction: Prediction, at: float) -> float:
    """Return the age of the oldest unread data by the simulated world, at a time of the scene."""
    look = next(each for each in recording_of(prediction.scene).looks if each.at >= at)
    oldest_at = look.shards[prediction.shard].oldest_unread_at
    return 0.0 if oldest_at is None else START + look.at - oldest_at


def render() -> str:
    """Run all scenes and return the table."""
    lines = [
        (
            "| what happens | speed | predicted at the end "
            "| before SLSConsumerDataExpiring | before the loss |"
        ),
        "|---|---|---|---|---|",
    ]
    lines += [_line(each) for each in PREDICTIONS]
    return "\n".join(lines) + "\n"


def _line(prediction: Prediction) -> str:
    catch_up, loss = predicted(recording_of(prediction.scene).frames[-1])
    text = "never caught up, no loss"
    if loss is not None:
        text = f"loss in {_hours(loss)}"
    elif catch_up == 0:
        text = "keeps up"
    elif catch_up is not None and catch_up < float("inf"):
        text = f"caught up in {_hours(catch_up)}"
    fires, later = "silent", ""
    for firing in fired(prediction)[:1]:
        age = true_age(prediction, firing.since)
        growth = 1 - prediction.speed
        expiring = (EXPIRING_SHARE * DAY - age) / growth
        fires = _hours(expiring)
        later = _hours((DAY - age) / growth)
    return f"| {prediction.scene.name} | {prediction.speed:g} | {text} | {fires} | {later} |"


def _is_losing_data(frame: Frame) -> Sequence[str]:
    loss, retention = _value(frame, DATA_LOSS), _value(frame, RETENTION)
    return [""] if loss is not None and retention is not None and loss < retention else []


def _value(frame: Frame, name: str) -> float | None:
    return min(frame.samples.get(name, {}).values(), default=None)


def _hours(seconds: float) -> str:
    return f"{seconds / HOUR:.1f} h"
