"""The values of the panels while shards are stalled, for every likely cause.

The exporter polls a simulated world, and promtool evaluates each query of the overview and of the
dashboard of a group over its scrapes, with the shipped rules. The expected values of
``panels.yaml`` are literals.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.model.progress import Cause
from tests.simulation.truth.scene import HOUR, Scene, crash, produce
from tests.simulation.truth.scenes import SCENES
from tests.simulation.truth.stage import GROUP, SCRAPE_SECONDS, START, Frame, Labels, Stage
from tests.simulation.truth.table import recording_of
from tests.support import promtool
from tests.support.dashboards import Asked, inserted, queries
from tools.paths import ROOT, RULES

EXPECTED: Mapping[str, Mapping[str, Any]] = yaml.safe_load(
    (ROOT / "tests" / "chart" / "panels.yaml").read_text(encoding="utf-8")
)
TARGET = (("instance", "a:10027"), ("job", "sls-exporter"))
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
    assert set(expected) == {name_of(asked) for asked in ASKED}
    tests = [
        {
            "expr": rounded(asked),
            "eval_time": f"{EXPECTED[cause]['at']}s",
            "exp_samples": [
                {"labels": labels, "value": value}
                for labels, value in by_labels(expected[name_of(asked)]).items()
            ],
        }
        for asked in ASKED
    ]
    promtool.run("promtool", "test", "rules", case(tmp_path, EXPECTED[cause]["scene"], tests))


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


def case(folder: Path, scene: str, tests: Sequence[Mapping[str, Any]]) -> Path:
    """Write the scrapes of a scene and the queries to evaluate as a file for promtool."""
    frames = recording_of(SCENE_OF[scene]).frames
    document = {
        "rule_files": [str(RULES)],
        "evaluation_interval": f"{SCRAPE_SECONDS:.0f}s",
        "tests": [
            {
                "interval": f"{SCRAPE_SECONDS:.0f}s",
                "input_series": list(series(frames)),
                "promql_expr_test": list(tests),
            }
        ],
    }
    path = folder / "panels.yaml"
    path.write_text(yaml.safe_dump(document, width=100_000_000))
    return path


def series(frames: Sequence[Frame]) -> Iterator[Mapping[str, str]]:
    keys: dict[tuple[str, Labels], None] = {}
    for frame in frames:
        for name in sorted(frame.samples):
            if not name.startswith("sls_exporter_api_request_duration"):
                keys |= {(name, labels): None for labels in frame.samples[name]}
    for name, labels in keys:
        # promtool's time begins at 0.
        shift = START if name.endswith("_timestamp_seconds") else 0.0
        found = [frame.samples.get(name, {}).get(labels) for frame in frames]
        selector = ",".join(f'{label}="{value}"' for label, value in (*labels, *TARGET))
        yield {"series": f"{name}{{{selector}}}", "values": " ".join(tokens(found, shift))}


def tokens(found: Sequence[float | None], shift: float) -> Iterator[str]:
    was_there = False
    for value in found:
        if value is not None:
            yield f"{value - shift:.10g}"
        else:
            # A series that is absent from a scrape ends immediately.
            yield "stale" if was_there else "_"
        was_there = value is not None
