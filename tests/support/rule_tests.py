"""The unit tests of the rules, and the same tests for other rules and for another evaluator."""

import re
from pathlib import Path
from typing import Any

import yaml

from tools.paths import NO_KEEP_FIRING_RULES, ROOT, RULES

RULE_TESTS = sorted((ROOT / "tests" / "chart" / "rules").glob("*.yaml"))
LOST = {
    "a checkpoint older than the first log that is left",
    "a loss that only one of two replicas predicts, since the other one has just started",
    "the exporter restarts as another pod during an alarm and is away for four minutes",
}
"""Scenes in which an alert outlives its condition. docs/rulers.md describes them."""
_SCENE = re.compile(r"^  - name: (.+)\n(?:(?!  - ).*\n)*", re.MULTILINE)
_VMALERT_START = 946_684_800
"""The time at which tests of vmalert-tool begin. Those of promtool begin at 0."""
_FIRST_NUMBER = re.compile(r"(?<!\S)-?\d+(?=[-+x\s]|$)")


def scenes(path: Path) -> tuple[str, dict[str, str]]:
    """Return the head of a file of unit tests, for the other rules, and its scenes by name."""
    text = path.read_text(encoding="utf-8")
    found = list(_SCENE.finditer(text))
    assert len(found) == text.count("\n  - name: ")
    source = f"../../../{RULES.relative_to(ROOT)}"
    head = text[: found[0].start()]
    assert source in head
    return head.replace(source, str(NO_KEEP_FIRING_RULES)), {scene[1]: scene[0] for scene in found}


def unit_tests_without_keep_firing(path: Path) -> str:
    """Return a file of unit tests for the rules without ``keep_firing_for``."""
    head, found = scenes(path)
    return "".join([head, *(text for name, text in found.items() if name not in LOST)])


def unit_tests_for_vmalert(path: Path) -> str:
    """Return a file of unit tests for vmalert-tool, without those about ``ALERTS``.

    vmalert-tool adds a label to this series.
    """
    text = path.read_text(encoding="utf-8")
    document: dict[str, Any] = yaml.safe_load(text)
    # "0x60" as values is a number for this library, but not for the evaluators.
    as_texts = yaml.load(text, yaml.BaseLoader)  # noqa: S506  # it makes only texts
    document["rule_files"] = [str(RULES)]
    for test, texts in zip(document["tests"], as_texts["tests"], strict=True):
        test["metricsql_expr_test"] = [
            each for each in test.pop("promql_expr_test", ()) if "ALERTS" not in each["expr"]
        ]
        for series, each in zip(test["input_series"], texts["input_series"], strict=True):
            is_time = "_timestamp_seconds{" in each["series"]
            series["values"] = _later(each["values"]) if is_time else each["values"]
    return yaml.safe_dump(document, sort_keys=False)


def _later(values: str) -> str:
    return _FIRST_NUMBER.sub(lambda found: str(int(found[0]) + _VMALERT_START), values)
