"""The alert rules by name, and all rules with shorter times."""

import re
from typing import Any

import yaml

_MILLISECONDS = {"s": 1_000, "m": 60_000, "h": 3_600_000}
_DURATION = r"(\d+)([smh])\b"
_RANGE_OR_OFFSET = re.compile(rf"(?<=\[){_DURATION}|(?<=offset ){_DURATION}")
_SECONDS = re.compile(r"(?<=[<>=-] )\d{2,}\b")
_NOT_A_WAIT = {"SLSExporterClockSkew"}  # its threshold is a clock difference, not a waiting time


def alerting_rules(rules_text: str) -> dict[str, dict[str, Any]]:
    """Return the alerting rules by name, without the recording rules."""
    return {
        rule["alert"]: rule
        for group in yaml.safe_load(rules_text)["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }


def scaled(rules_text: str, factor: float) -> str:
    """Return the rules with every time multiplied by the factor, 0.01 for a hundredth.

    Times are `for`, `keep_firing_for`, ranges, offsets, and thresholds in seconds, which in these
    rules are the numbers of two or more digits. Ratios and counts stay. Ranges must stay longer
    than two scrapes. The settings of a group, such as `stall_after`, are not in the rules.
    """
    rules = yaml.safe_load(rules_text)
    for group in rules["groups"]:
        for rule in group["rules"]:
            for key in {"for", "keep_firing_for"} & set(rule):
                rule[key] = re.sub(_DURATION, lambda found: _scale(found, factor), rule[key])
            rule["expr"] = _RANGE_OR_OFFSET.sub(lambda found: _scale(found, factor), rule["expr"])
            if rule.get("alert") not in _NOT_A_WAIT:
                rule["expr"] = _SECONDS.sub(
                    lambda found: f"{int(found[0]) * factor:g}", rule["expr"]
                )
    return str(yaml.safe_dump(rules, sort_keys=False, width=1000))


def _scale(found: re.Match[str], factor: float) -> str:
    number, unit = (group for group in found.groups() if group is not None)
    return f"{round(int(number) * _MILLISECONDS[unit] * factor)}ms"
