"""The truth table as Markdown, and its position in the document."""

import functools
from collections.abc import Mapping

from tests.simulation.truth import alerts, predictions
from tests.simulation.truth.causes import Likely, Shown, judge_causes, worst_shown
from tests.simulation.truth.judges import (
    BURROW,
    NAIVE,
    OURS,
    SERVICE,
    Outcome,
    Trouble,
    Verdict,
    outcomes,
    worst,
)
from tests.simulation.truth.scene import Scene
from tests.simulation.truth.scenes import SCENES
from tests.simulation.truth.stage import TROUBLED, Recording
from tools.marks import replaced
from tools.paths import ROOT, RULES

DOCUMENT = ROOT / "docs" / "truth.md"

_JUDGES = (OURS, NAIVE, SERVICE, BURROW)


def scene_of(name: str) -> Scene:
    """Return the scene with a name."""
    return next(scene for scene in SCENES if scene.name == name)


@functools.cache
def recordings_of(scene: Scene) -> Mapping[str, Recording]:
    """Play a scene, once in a process; return the recording of each group."""
    return scene.play()


def recording_of(scene: Scene) -> Recording:
    """Return the recording of the group that is in trouble, if one is."""
    return recordings_of(scene)[TROUBLED]


@functools.cache
def shipped_rules() -> tuple[alerts.Rule, ...]:
    """Return the rules about stalls as they are shipped."""
    return alerts.load(RULES)


@functools.cache
def outcomes_of(scene: Scene) -> Mapping[str, Outcome]:
    """Return the outcome of a scene by judge. That of the exporter uses the shipped rules."""
    return judged(recordings_of(scene), scene.trouble)


def judged(recordings: Mapping[str, Recording], trouble: Trouble | None) -> Mapping[str, Outcome]:
    """Return the outcome of each judge for all groups, which is the worst outcome of a group."""
    found = [
        outcomes(recording, trouble if group == TROUBLED else None, rules=shipped_rules())
        for group, recording in recordings.items()
    ]
    return {judge: worst(each[judge] for each in found) for judge in _JUDGES}


def render() -> str:
    """Run all scenes and return the table."""
    lines = [
        "| what happens | alarm due | " + " | ".join(_JUDGES) + " |",
        "|---|---|" + "---|" * len(_JUDGES),
    ]
    right = dict.fromkeys(_JUDGES, 0)
    for scene in SCENES:
        found = outcomes_of(scene)
        for judge in _JUDGES:
            right[judge] += found[judge].verdict is Verdict.RIGHT
        cells = " | ".join(_cell(found[judge]) for judge in _JUDGES)
        lines.append(f"| {scene.name} | {'yes' if scene.trouble else 'no'} | {cells} |")
    totals = " | ".join(f"{right[judge]} of {len(SCENES)}" for judge in _JUDGES)
    lines.append(f"| **right** | | {totals} |")
    return "\n".join(lines) + "\n"


@functools.cache
def shown_in(scene: Scene) -> Shown:
    """Return the rating of the causes that the exporter showed in a scene."""
    return causes_shown(recordings_of(scene), scene.likely)


def causes_shown(recordings: Mapping[str, Recording], likely: Likely | None) -> Shown:
    """Return the rating of the causes for all groups, which is the worst rating of a group."""
    return worst_shown(
        judge_causes(recording, likely if group == TROUBLED else None)
        for group, recording in recordings.items()
    )


def render_causes() -> str:
    """Run all scenes and return the table of likely causes."""
    lines = [
        "| what happens | cause of the stalls | sls-exporter | evidence that decided |",
        "|---|---|---|---|",
    ]
    for scene in SCENES:
        if scene.likely is not None:
            causes = ", ".join(
                f"`{cause}`" if len(scene.likely.causes) == 1 else f"`{cause}` ({count})"
                for cause, count in scene.likely.causes
            )
            shown = shown_in(scene)
            rating = str(shown) if shown.verdict is Verdict.RIGHT else f"**{shown}**"
            lines.append(f"| {scene.name} | {causes} | {rating} | {scene.likely.evidence} |")
    return "\n".join(lines) + "\n"


def page() -> str:
    """Return the document with updated tables."""
    text = replaced(DOCUMENT.read_text(encoding="utf-8"), "table", render())
    text = replaced(text, "table of causes", render_causes())
    return replaced(text, "predictions", predictions.render())


def _cell(outcome: Outcome) -> str:
    return str(outcome) if outcome.verdict is Verdict.RIGHT else f"**{outcome}**"
