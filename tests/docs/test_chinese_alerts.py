"""The Chinese pages about alerts have each alert, its severity and the parts of its section."""

import re

import pytest

from tests.support.docs import read
from tests.support.rules import alerting_rules
from tools.markdown import anchors
from tools.paths import CHINESE_RULES

ALERTS = alerting_rules(CHINESE_RULES.read_text(encoding="utf-8"))
RUNBOOK = read("docs/zh-CN/runbook.md")
PAGE = read("docs/zh-CN/alerts.md")
PARTS = ["含义", "影响", "排查", "原因", "处置", "误报"]
each_alert = pytest.mark.parametrize("alert", ALERTS)


@each_alert
def test_link_of_each_chinese_alert_leads_to_a_section_with_all_parts(alert: str) -> None:
    link = ALERTS[alert]["annotations"]["runbook_url"]
    section = RUNBOOK.partition(f"\n## {alert}\n")[2].partition("\n## ")[0]

    assert link.partition("/docs/zh-CN/runbook.md#")[2] in anchors(RUNBOOK)
    assert re.findall(r"^\*\*(\w+)\*\*\uff1a\S", section, re.MULTILINE) == PARTS


@each_alert
def test_each_alert_is_in_the_chinese_table_with_its_severity(alert: str) -> None:
    (severity,) = re.findall(rf"^\| \[{alert}\]\(\S+\) \| (\w+) \|", PAGE, re.MULTILINE)

    assert severity == ALERTS[alert]["labels"]["severity"]


def test_chinese_pages_are_about_no_other_alert() -> None:
    assert set(re.findall(r"^## (SLS\w+)", RUNBOOK, re.MULTILINE)) == set(ALERTS)
    assert set(re.findall(r"^\| \[(SLS\w+)\]", PAGE, re.MULTILINE)) == set(ALERTS)
