"""The queries of the runbook over simulated hours: only the culprit is in their results."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from exporter.model.progress import Cause
from tests.simulation.truth import replay
from tests.simulation.truth.scenes import SCENES
from tests.simulation.truth.stage import GROUP
from tests.simulation.truth.table import recording_of
from tests.support import promtool
from tests.support.docs import read
from tools.paths import RULES

PAGE = read("docs/runbook.md")
SECTIONS = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
SCENE_OF = {scene.name: scene for scene in SCENES}
POISONED = "poisoned shard: its owner lives, other shards move"
DEAD = "whole group dead, producers go on"
SLOW = "consumer too slow, falls behind"
UNCONSUMED = "group created, never consumed"
LOST = "dead for a day: unread data expires"
NAMES = "project, logstore, consumer_group, job, instance"


def queries_of(section: str) -> Sequence[str]:
    """Return the queries of a section, with the names of the simulated group."""
    (block,) = re.findall(r"^```promql\n(.*?)^```$", SECTIONS[section], re.MULTILINE | re.DOTALL)
    named: str = block
    for word, name in zip(("PROJECT", "LOGSTORE", "GROUP"), GROUP, strict=True):
        named = named.replace(f'"{word}"', f'"{name}"')
    return [query.strip() for query in named.split("\n\n")]


ALERTS = [name for name in SECTIONS if name.startswith("SLS")]


def verify(folder: Path, scene: str, queries: Mapping[str, Sequence[str]]) -> None:
    """Compare the labels of what queries return at the end of a scene with the expected ones."""
    frames = recording_of(SCENE_OF[scene]).frames
    tests = [
        {
            "expr": f"count without ({NAMES}) ({query})",
            "eval_time": f"{frames[-1].at - frames[0].at:.0f}s",
            "exp_samples": [{"labels": labels, "value": 1} for labels in expected],
        }
        for query, expected in queries.items()
    ]
    path = replay.write_queries(folder, RULES, frames, tests)
    promtool.run("promtool", "test", "rules", path)


@pytest.mark.parametrize("scene", ["steady consumer", "rebalance: shards change owners"])
def test_queries_return_nothing_while_all_is_well(scene: str, tmp_path: Path) -> None:
    found = [query for alert in ALERTS for query in queries_of(alert)]
    assert len(found) > 50
    verify(tmp_path, scene, dict.fromkeys(found, ()))


@pytest.mark.parametrize(
    ("alert", "scene", "expected"),
    [
        ("SLSConsumerShardStalled", POISONED, ['{consumer="c1", shard="1"}']),
        ("SLSConsumerGroupStalled", DEAD, ['{cause="group_silent"}']),
        ("SLSConsumerLagHigh", SLOW, ['{shard="0"}', '{shard="1"}']),
        ("SLSConsumerLagGrowing", POISONED, ['{shard="1"}']),
        ("SLSConsumerFallingBehind", POISONED, ["{}"]),
        ("SLSConsumerShardsUnconsumed", UNCONSUMED, ['{shard="0"}', '{shard="1"}']),
        ("SLSConsumerDataLost", LOST, ['{state="expired"}']),
    ],
)
def test_first_query_returns_the_culprit(
    alert: str, scene: str, expected: list[str], tmp_path: Path
) -> None:
    verify(tmp_path, scene, {queries_of(alert)[0]: expected})


def test_speeds_are_those_of_shards_that_are_behind(tmp_path: Path) -> None:
    speeds = queries_of("SLSConsumerFallingBehind")[1]
    verify(tmp_path, POISONED, {speeds: ['{shard="1"}']})


def test_page_has_a_section_for_each_likely_cause() -> None:
    whole = re.findall(r"^## By likely cause\n(.*?)^## ", PAGE, re.MULTILINE | re.DOTALL)[0]
    found = dict(re.findall(r"^### `(\w+)`\n(.*?)(?=^### |\Z)", whole, re.MULTILINE | re.DOTALL))
    assert found.keys() == set(Cause)
    for section in found.values():
        assert "\n**Verify.** " in section
        steps = re.findall(r"^\| (.+?) \| (.+?) \|$", section, re.MULTILINE)
        assert steps[0] == ("step", "what it can lose")
        assert len(steps) >= 4
