"""Generated files of the chart: parts of the schema, and the table of values."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from exporter.config.json_schema import json_schema
from tools import rules
from tools.marks import replaced
from tools.paths import CHART

VALUES = CHART / "values.yaml"
SCHEMA = CHART / "values.schema.json"
README = CHART / "README.md"


class UndocumentedError(Exception):
    """A value without a comment above it, or with one that the table would not show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A value in the form of the table."""

    section: str
    path: str
    default: object
    text: str


def schema() -> str:
    """Return the schema of the values.

    Its definitions with a capital letter come from the exporter's code and rules.
    """
    written = json.loads(SCHEMA.read_text(encoding="utf-8"))
    configuration = json_schema()
    definitions = configuration.pop("$defs")
    # The chart itself reports missing projects, and they are not required with a user's ConfigMap.
    for key in ("$schema", "title", "required"):
        del configuration[key]
    groups = yaml.safe_load(rules.source())["groups"]
    alerts = [rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule]
    own = {name: each for name, each in written["definitions"].items() if name[0].islower()}
    written["definitions"] = {
        **own,
        "Alert": {"enum": alerts},
        "Dashboard": {"enum": sorted(path.stem for path in (CHART / "dashboards").glob("*.json"))},
        "Configuration": configuration,
        **definitions,
    }
    text = json.dumps(written, indent=2, ensure_ascii=False)
    return text.replace("#/$defs/", "#/definitions/") + "\n"


def readme() -> str:
    """Return the page of the chart, with the table of its values."""
    table = _table(rows(VALUES.read_text(encoding="utf-8")))
    return replaced(README.read_text(encoding="utf-8"), "values", table)


def rows(text: str) -> list[Row]:
    """Return the values with their comments; raises UndocumentedError if one is missing.

    A mapping whose keys have no comments is one value; its comment is that of the whole.
    """
    node = yaml.compose(text)
    if not isinstance(node, yaml.MappingNode):
        raise TypeError("the values are not a mapping")
    return list(_rows(node, (), text.splitlines(), yaml.safe_load(text)))


def _rows(
    node: yaml.MappingNode,
    above: tuple[str, ...],
    lines: list[str],
    values: Any,  # noqa: ANN401
) -> Iterator[Row]:
    for key, child in node.value:
        path = (*above, key.value)
        comment = _comment(lines, key.start_mark.line)
        value = values[key.value]
        documented = isinstance(child, yaml.MappingNode) and any(
            _comment(lines, each.start_mark.line) for each, _ in child.value
        )
        if documented and comment:
            raise UndocumentedError(f"{'.'.join(path)} has a comment, and its keys have too")
        if documented:
            yield from _rows(child, path, lines, value)
        elif comment:
            section = _section(lines, key.start_mark.line)
            yield Row(section=section, path=".".join(path), default=value, text=comment)
        else:
            raise UndocumentedError(f"{'.'.join(path)} has no comment above it in values.yaml")


def _comment(lines: list[str], line: int) -> str:
    """Return the comment that ends right above a line."""
    found: list[str] = []
    while line > 0 and re.match(r" *# ", lines[line - 1]):
        line -= 1
        found.insert(0, lines[line].strip(" #"))
    return " ".join(found)


def _section(lines: list[str], line: int) -> str:
    """Return the heading above a line."""
    return next(each[3:] for each in reversed(lines[:line]) if each.startswith("## "))


def _table(found: list[Row]) -> str:
    parts: list[str] = []
    section = ""
    for row in found:
        if row.section != section:
            section = row.section
            parts.append(f"\n### {section}\n\n| value | default | meaning |\n|---|---|---|\n")
        default = json.dumps(row.default, ensure_ascii=False)
        parts.append(f"| `{row.path}` | `{default}` | {row.text.replace('|', chr(92) + '|')} |\n")
    return "".join(parts) + "\n"
