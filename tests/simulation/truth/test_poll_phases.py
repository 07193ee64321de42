"""The accuracy of the alert and of the causes does not depend on the phase of the polls."""

import pytest

from tests.simulation.truth.cause_scenes import CAUSE_SCENES
from tests.simulation.truth.judges import OURS, Verdict
from tests.simulation.truth.table import causes_shown, judged, scene_of


@pytest.mark.parametrize("phase", [1.0, 13.0, 31.0, 59.0])
@pytest.mark.parametrize(
    "name",
    [
        "consumer that commits every 5 minutes",
        "idle for 2 hours, then a burst, consumed within a minute",
        "whole group dead after one last log, producers silent",
        "owner writes the same checkpoint again and again",
        "every other poll fails while the group is dead",
        "logstore deleted and created again with lower cursors; one of two consumers dies",
        "4 groups that commit every 5 minutes",
        "whole group dead, producers go on",
        "quiet night, then a first log; one of two consumers is dead",
        *(scene.name for scene in CAUSE_SCENES),
    ],
)
def test_alert_and_causes_are_right_regardless_of_poll_phase(name: str, phase: float) -> None:
    scene = scene_of(name)
    recordings = scene.play(poll_phase=phase)
    assert judged(recordings, scene.trouble)[OURS].verdict is Verdict.RIGHT
    assert causes_shown(recordings, scene.likely).verdict is Verdict.RIGHT
