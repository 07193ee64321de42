"""When groups of simulated worlds will have caught up or lose data, and the alert about it."""

from dataclasses import replace
from math import inf
from pathlib import Path

import pytest

from tests.simulation.truth import replay
from tests.simulation.truth.predictions import (
    DATA_LOSS,
    EXPIRING_SHARE,
    PREDICTIONS,
    RETENTION,
    Prediction,
    fired,
    predicted,
    recording_of,
    render,
    shipped_rule,
    true_age,
)
from tests.simulation.truth.scene import DAY, HOUR
from tests.simulation.truth.stage import POLL_SECONDS, SCRAPE_SECONDS, Frame
from tests.simulation.truth.table import DOCUMENT
from tests.support import promtool
from tools.marks import between
from tools.paths import RULES

FOR_SECONDS = 900.0
UNKNOWN_SECONDS = 8 * POLL_SECONDS
"""Time until a speed is known: five polls, and two until the first checkpoints are seen."""
MEAN_SECONDS = 900.0 + POLL_SECONDS

each_prediction = pytest.mark.parametrize(
    "prediction", PREDICTIONS, ids=lambda prediction: prediction.scene.name
)
DUE = [each for each in PREDICTIONS if each.is_due]
each_due = pytest.mark.parametrize("prediction", DUE, ids=lambda each: each.scene.name)


def last_frame(prediction: Prediction) -> Frame:
    return recording_of(prediction.scene).frames[-1]


@each_prediction
def test_prediction_at_the_end_is_that_of_the_speed_in_the_worst_shard(
    prediction: Prediction,
) -> None:
    frame = last_frame(prediction)
    age = true_age(prediction, frame.at - POLL_SECONDS)
    speed = prediction.speed
    catch_up, loss = predicted(frame)
    if age < 5 * POLL_SECONDS:
        assert catch_up == 0.0
    elif speed > 1:
        assert catch_up == pytest.approx(age / (speed - 1), rel=0.05)
    else:
        assert catch_up == inf
    if speed < 1:
        assert loss == pytest.approx((DAY - age) / (1 - speed), rel=0.05)
    else:
        assert loss is None


@each_prediction
def test_alert_fires_once_if_data_is_lost_within_a_retention_time_and_otherwise_not(
    prediction: Prediction,
) -> None:
    found = fired(prediction)
    assert len(found) == prediction.is_due
    for firing in found:
        due_at = max(prediction.due_at, prediction.scene.watch_from)
        latest = UNKNOWN_SECONDS + FOR_SECONDS + MEAN_SECONDS + 2 * SCRAPE_SECONDS
        assert due_at <= firing.since <= due_at + latest
        assert firing.until is None


@each_due
def test_alert_fires_hours_before_the_data_is_about_to_expire(prediction: Prediction) -> None:
    (firing,) = fired(prediction)
    left = EXPIRING_SHARE * DAY - true_age(prediction, firing.since)
    assert left / (1 - prediction.speed) > 10 * HOUR


def test_prometheus_evaluates_the_alert_over_the_scenes_as_its_model_does(tmp_path: Path) -> None:
    recorded = {
        each.scene.name: [
            replace(
                frame,
                samples={
                    name: frame.samples[name]
                    for name in (DATA_LOSS, RETENTION)
                    if name in frame.samples
                },
            )
            for frame in recording_of(each.scene).frames
        ]
        for each in PREDICTIONS
    }
    path = replay.write(tmp_path, RULES, (shipped_rule(),), recorded)
    promtool.run("promtool", "test", "rules", path)


def test_the_table_of_predictions_in_the_document_is_what_the_scenes_give() -> None:
    assert between(DOCUMENT.read_text(), "predictions") == render(), (
        "run python -m tools.generate docs/truth.md"
    )
