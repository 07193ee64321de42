"""Variants of the alert rules, which differ from the source in their texts or in single keys.

A variant is made from the text of the source, so it keeps the comments of the rules.
"""

import re
import textwrap
from collections.abc import Callable, Mapping

import yaml

from tools.paths import ROOT, RULES

CHINESE_TEXTS = ROOT / "tools" / "alerts.zh-CN.yaml"
_KEEP_FIRING = re.compile(r"^ *keep_firing_for: .*\n", re.MULTILINE)
_WITHOUT_KEEP_FIRING = """\
# Alert and recording rules of sls-exporter for rulers that do not know keep_firing_for.
# docs/rulers.md names such rulers and explains what is lost. The runbook is docs/runbook.md.
#
# - The rules are those of sls-exporter.rules.yaml, except for keep_firing_for. Load one of the two.
# - Replace the beginnings of runbook_url and dashboard_url as sls-exporter.rules.yaml describes.
"""


def source() -> str:
    """Return the rules that are shipped, from which the variants are made."""
    return RULES.read_text(encoding="utf-8")


def chinese() -> str:
    """Return the rules with Chinese texts, and links to the Chinese runbook."""
    text = CHINESE_TEXTS.read_text(encoding="utf-8")
    header, texts = yaml.safe_load(text)["header"], _by_alert(text)
    return variant(source(), header, lambda alert, rule: _translated(rule, texts[alert]))


def without_keep_firing() -> str:
    """Return the rules without ``keep_firing_for``."""
    return variant(source(), _WITHOUT_KEEP_FIRING, lambda _alert, rule: _KEEP_FIRING.sub("", rule))


def variant(text: str, header: str, change: Callable[[str, str], str]) -> str:
    """Return the rules below another header, each alerting rule replaced by ``change``.

    ``change`` gets the name of the alert and the text of its rule.
    """
    rules = text[text.index("groups:\n") :]
    alert = re.compile(r"^      - alert: (\w+)\n(?: {8}.*\n|\n(?= {8}))*", re.MULTILINE)
    return header + alert.sub(lambda found: change(found[1], found[0]), rules)


def _by_alert(texts: str) -> Mapping[str, str]:
    """Return the lines below each name at the left margin."""
    return dict(re.findall(r"^(\w+):\n((?:  .*\n)+)", texts, flags=re.MULTILINE))


def _translated(rule: str, texts: str) -> str:
    """Return a rule with the texts in place of its summary and its description."""
    head, _, tail = rule.partition("          summary: ")
    link = tail[tail.index("          runbook_url: ") :].replace(
        "/docs/runbook.md#", "/docs/zh-CN/runbook.md#"
    )
    return head + textwrap.indent(texts, " " * 8) + link
