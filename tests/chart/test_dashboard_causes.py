"""The values of the panels while shards are stalled, for every likely cause.

The exporter polls a simulated world, and promtool evaluates each query of the overview and of the
dashboard of a group over its scrapes, with the shipped rules. The expected values of
``panels.yaml`` are literals.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.model.progress import Cause
from tests.simulation.truth import replay
from tests.simulation.truth.scene import HOUR, Scene, crash, produce
from tests.simulation.truth.scenes import SCENES
from tests.simulation.truth.stage import GROUP, Stage
from tests.simulation.truth.table import recording_of
from tests.support import promtool
from tests.support.dashboards import Asked, inserted, queries
from tools.paths import ROOT, RULES

EXPECTED: Mapping[str, Mapping[str, Any]] = yaml.safe_load(
    (ROOT / "tests" / "chart" / "panels.yaml").read_text(encoding="utf-8")
)
CHOSEN = {
    "__rate_interval": "60s",
    "job": "(sls-exporter)",
    "window": "300",
    **dict(zip(("project", "logstore", "consumer_group"), GROUP, strict=True)),
}
ASKED = [asked for asked in queries() if asked.dashboard != "exporter.json"]
KEPT = "alertname, cause, consumer, shard, state"
"""The labels that distinguish the series of a panel. There is one group and one exporter."""


def nameless(stage: Stage) -> None:
    """Let a consumer without a name die, while another one has a name and goes on."""
    produce(stage)
    stage.world.start_consumer(*GROUP, "c0", shards=[0])
    stage.world.start_consumer(*GROUP, "c1", shards=[1], writes_as="")
    stage.at(1830.0, lambda: crash(stage, "c1"))


NAMELESS = Scene(name="one of two consumers has no name and dies", build=nameless, seconds=HOUR)
SCENE_OF = {scene.name: scene for scene in (*SCENES, NAMELESS)}

each_cause = pytest.mark.parametrize("cause", EXPECTED)


def test_each_cause_has_its_values() -> None:
    assert EXPECTED.keys() == set(Cause)


@each_cause
def test_each_panel_shows_the_value_of_the_cause(cause: str, tmp_path: Path) -> None:
    expected = EXPECTED[cause]["panels"]
    tests = [
        {
            "expr": rounded(asked),
            "eval_time": f"{EXPECTED[cause]['at']}s",
            "exp_samples": [
                {"labels": labels, "value": value}
                for labels, value in by_labels(expected.get(name_of(asked), {})).items()
            ],
        }
        for asked in ASKED
    ]
    recording = recording_of(SCENE_OF[EXPECTED[cause]["scene"]])
    path = replay.write_queries(tmp_path, RULES, recording.frames, tests)
    promtool.run("promtool", "test", "rules", path)
    assert set(expected) == {name_of(asked) for asked in ASKED}


@each_cause
def test_panels_name_the_cause(cause: str) -> None:
    found = EXPECTED[cause]["panels"]
    for name in ("overview: Stalled groups by cause: stalled shards", "group: Likely causes"):
        assert f'{{cause="{cause}"}}' in found[name]


def by_labels(expected: float | Mapping[str, float]) -> Mapping[str, float]:
    """Return the expected series by their labels; a number is that of the only one."""
    return expected if isinstance(expected, Mapping) else {"{}": expected}


def name_of(asked: Asked) -> str:
    """Return the name of a query: its dashboard and panel, and its name if there are several."""
    name = f"{asked.dashboard.removesuffix('.json')}: {asked.panel}"
    is_single = sum(each.panel == asked.panel for each in OF_DASHBOARD[asked.dashboard]) == 1
    return name if is_single else f"{name}: {asked.legend}"


OF_DASHBOARD = {
    name: [asked for asked in queries() if asked.dashboard == name]
    for name in {asked.dashboard for asked in queries()}
}


def rounded(asked: Asked) -> str:
    """Return a query whose series have only the labels that distinguish them."""
    return f"round(sum by ({KEPT}) ({inserted(asked.expr, asked.dashboard, CHOSEN)}), 0.001)"
