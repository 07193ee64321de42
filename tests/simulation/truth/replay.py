"""Recordings as input for promtool, to have Prometheus itself evaluate the rules over them.

The expected alerts come from the model in ``alerts``, for the instants before and at each change.
The rules have no annotations here, because these do not affect when an alert fires.
"""

import itertools
import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.simulation.truth.alerts import DISCOVERED, OF_LISTINGS, Firing, Rule, firings
from tests.simulation.truth.stage import GROUP, SCRAPE_SECONDS, START, Frame, Labels

_DURATIONS = "sls_exporter_api_request_duration"
_TARGET = (("instance", "a:10027"), ("job", "sls-exporter"))
_LABELS = dict(zip(("project", "logstore", "consumer_group"), GROUP, strict=True))


def write(
    folder: Path, rules_file: Path, rules: Sequence[Rule], scenes: Mapping[str, Sequence[Frame]]
) -> Path:
    """Write the rules and a test file of all scenes into a folder; return the test file."""
    modelled = {rule.name for rule in rules}
    severities = {}
    for group in (document := yaml.safe_load(rules_file.read_text()))["groups"]:
        group["rules"] = [rule for rule in group["rules"] if rule.get("alert") in modelled]
        for rule in group["rules"]:
            del rule["annotations"]
            severities[rule["alert"]] = rule["labels"]["severity"]
    text = yaml.safe_dump(document)
    (folder / "rules.yaml").write_text(text)
    used = frozenset(re.findall(r"\bsls_\w+", text))
    interval = f"{SCRAPE_SECONDS:.0f}s"
    tests = {
        "rule_files": ["rules.yaml"],
        "evaluation_interval": interval,
        "tests": [
            {
                "name": name,
                "interval": interval,
                "input_series": list(_series(frames, used)),
                "alert_rule_test": list(_expected(frames, rules, severities)),
            }
            for name, frames in scenes.items()
        ],
    }
    path = folder / "tests.yaml"
    path.write_text(_dumped(tests))
    return path


def write_queries(
    folder: Path, rules_file: Path, frames: Sequence[Frame], queries: Sequence[Mapping[str, Any]]
) -> Path:
    """Write a test file of queries over a recording, together with the rules; return its path.

    The queries are in the form of promtool. The series have the labels of a scrape. Those of the
    durations of requests are left out, because requests take real time.
    """
    interval = f"{SCRAPE_SECONDS:.0f}s"
    names = {name for each in frames for name in each.samples if not name.startswith(_DURATIONS)}
    test = {
        "interval": interval,
        "input_series": list(_series(frames, names, target=_TARGET)),
        "promql_expr_test": list(queries),
    }
    tests = {"rule_files": [str(rules_file)], "evaluation_interval": interval, "tests": [test]}
    path = folder / "queries.yaml"
    path.write_text(_dumped(tests))
    return path


def _series(
    frames: Sequence[Frame], used: Collection[str], *, target: Labels = ()
) -> Iterable[Mapping[str, str]]:
    """Yield the series of metrics, with the additional labels of a target."""
    keys: dict[tuple[str, Labels], None] = {}
    for frame in frames:
        found = {name: frame.samples[name] for name in frame.samples.keys() & used}
        keys |= {(name, labels): None for name in sorted(found) for labels in found[name]}
    for name, labels in keys:
        # promtool's time begins at 0.
        shift = START + frames[0].at if name.endswith("_timestamp_seconds") else 0.0
        values = [frame.samples.get(name, {}).get(labels) for frame in frames]
        selector = ",".join(f'{label}="{value}"' for label, value in (*labels, *target))
        yield {"series": f"{name}{{{selector}}}", "values": " ".join(_tokens(values, shift))}


def _tokens(values: Iterable[float | None], shift: float) -> Iterable[str]:
    was_there = False
    for value, run in itertools.groupby(values):
        count = len(list(run))
        if value == math.inf:
            yield from ["inf"] * count  # promtool does not know a repeated infinity.
        elif value is not None:
            yield f"{value - shift!r}x{count - 1}" if count > 1 else repr(value - shift)
        elif was_there:
            # A series that is absent from a scrape ends immediately.
            yield "stale"
            if count > 1:
                yield f"_x{count - 1}"
        else:
            yield f"_x{count}"
        was_there = value is not None


def _expected(
    frames: Sequence[Frame], rules: Sequence[Rule], severities: Mapping[str, str]
) -> Iterable[Mapping[str, Any]]:
    start, end = frames[0].at, frames[-1].at
    fired = firings(rules, frames)
    listing = next(
        (dict(found) for each in frames for found in each.samples.get(DISCOVERED, {})), {}
    )
    for rule in rules:
        mine = [each for each in fired if each.alert == rule.name]
        changes = {at for each in mine for at in (each.since, each.until) if at is not None}
        looks = {end, *changes, *(at - SCRAPE_SECONDS for at in changes)}
        for at in sorted(at for at in looks if at >= start):
            yield {
                "eval_time": f"{at - start:.0f}s",
                "alertname": rule.name,
                "exp_alerts": [
                    {"exp_labels": _alert_labels(each, severities, listing)}
                    for each in mine
                    if each.since <= at and (each.until is None or at < each.until)
                ],
            }


def _alert_labels(
    firing: Firing, severities: Mapping[str, str], listing: Mapping[str, str]
) -> Mapping[str, str]:
    """Return the labels of an alert about a group, a shard or the only listing of a scene."""
    shard = {"shard": firing.shard} if firing.shard else {}
    labels = listing if firing.alert in OF_LISTINGS else {**_LABELS, **shard}
    known = {name: value for name, value in labels.items() if value}
    return {**known, "severity": severities[firing.alert]}


def _dumped(tests: Mapping[str, Any]) -> str:
    # By libyaml, because the values of a recording take PyYAML 80 times as long.
    return str(yaml.dump(tests, Dumper=yaml.CSafeDumper, width=100_000_000))
