"""The Chinese rules: the same rules, with Chinese texts that name the same values."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import promtool
from tests.support.helm import render
from tests.support.rules import alerting_rules
from tools.paths import CHART, CHINESE_RULES, ROOT, RULES
from tools.rules import CHINESE_TEXTS, variant

ENGLISH = alerting_rules(RULES.read_text(encoding="utf-8"))
CHINESE = alerting_rules(CHINESE_RULES.read_text(encoding="utf-8"))
RULE_TESTS = sorted((ROOT / "tests" / "chart" / "rules").glob("*.yaml"))
DESCRIPTIONS: dict[str, str] = yaml.safe_load(
    (ROOT / "tests" / "data" / "descriptions.zh-CN.yaml").read_text(encoding="utf-8")
)
"""Chinese descriptions in the unit tests of the rules, by the English ones."""
TRANSLATED = ("summary", "description", "runbook_url")
HAN = r"[\u4e00-\u9fff]"
TIGHT = re.compile(rf"{HAN}[A-Za-z0-9]|[A-Za-z0-9%]{HAN}|{HAN} +{HAN}")
each_alert = pytest.mark.parametrize("alert", ENGLISH)


class SeriesLoader(yaml.SafeLoader):
    """A safe loader for which the values 0x60 of a series are not a hexadecimal number."""

    yaml_implicit_resolvers = {  # noqa: RUF012 # declared by the base class
        first: [each for each in resolvers if each[0] != "tag:yaml.org,2002:int"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


SeriesLoader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"[0-9]+$"), list("0123456789")
)


def actions(text: str) -> Counter[str]:
    """Return the actions of a template, except the words that only join its parts."""
    found = re.findall(r"\{\{-?\s*(.*?)\s*-?\}\}", text)
    return Counter(each for each in found if each not in {"else", "end"})


def without_texts(text: str) -> list[dict[str, Any]]:
    """Return the groups of rules without the annotations that are translated."""
    groups: list[dict[str, Any]] = yaml.safe_load(text)["groups"]
    for rule in (rule for group in groups for rule in group["rules"] if "alert" in rule):
        for name in TRANSLATED:
            del rule["annotations"][name]
    return groups


def translated(test: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """Return a unit test with the alerts that have a Chinese description, and their names."""
    cases = []
    for case in test.get("alert_rule_test", []):
        texts = [each["exp_annotations"] for each in case["exp_alerts"]]
        if texts and all(each["description"] in DESCRIPTIONS for each in texts):
            chinese = CHINESE[case["alertname"]]["annotations"]
            expected = [
                {
                    "exp_labels": each["exp_labels"],
                    "exp_annotations": {
                        **each["exp_annotations"],
                        "summary": chinese["summary"],
                        "description": DESCRIPTIONS[each["exp_annotations"]["description"]],
                        "runbook_url": chinese["runbook_url"],
                    },
                }
                for each in case["exp_alerts"]
            ]
            cases.append({**case, "exp_alerts": expected})
    return {**test, "alert_rule_test": cases}, {case["alertname"] for case in cases}


def test_promtool_reports_no_errors_for_the_chinese_rules() -> None:
    printed = promtool.run(
        "promtool", "check", "rules", "--lint=all", "--lint-fatal", CHINESE_RULES
    )

    assert "SUCCESS" in printed


def test_chinese_rules_differ_from_the_english_ones_in_texts_and_links_only() -> None:
    assert without_texts(CHINESE_RULES.read_text(encoding="utf-8")) == without_texts(
        RULES.read_text(encoding="utf-8")
    )


def test_each_alert_has_a_chinese_text_and_no_text_is_left_over() -> None:
    texts = yaml.safe_load(CHINESE_TEXTS.read_text(encoding="utf-8"))

    assert list(texts) == ["header", *ENGLISH]


@each_alert
def test_chinese_alert_names_the_same_values_and_leads_to_the_chinese_runbook(alert: str) -> None:
    english, chinese = ENGLISH[alert]["annotations"], CHINESE[alert]["annotations"]

    assert actions(chinese["description"]) == actions(english["description"])
    assert re.fullmatch(rf"[^。{{]*{HAN}[^。{{]*。", chinese["summary"])
    assert len(chinese["summary"]) < 60
    assert chinese["description"].rstrip("{ end}").endswith("。")
    assert re.search(HAN, chinese["description"])
    assert chinese["runbook_url"] == english["runbook_url"].replace("docs/", "docs/zh-CN/")


def test_each_chinese_description_is_rendered_as_expected(tmp_path: Path) -> None:
    rendered: set[str] = set()
    for path in RULE_TESTS:
        document = yaml.load(path.read_text(encoding="utf-8"), SeriesLoader)  # noqa: S506 # safe
        tests = [translated(test) for test in document["tests"]]
        file = tmp_path / path.name
        document |= {"rule_files": [str(CHINESE_RULES)], "tests": [each for each, _ in tests]}
        file.write_text(yaml.safe_dump(document), encoding="utf-8")
        promtool.run("promtool", "test", "rules", file)
        rendered.update(*(names for _, names in tests))

    assert rendered == set(ENGLISH)


@pytest.mark.parametrize(
    "text",
    [*DESCRIPTIONS.values(), *(rule["annotations"]["summary"] for rule in CHINESE.values())],
)
def test_chinese_text_has_a_space_next_to_latin_words_and_nowhere_else(text: str) -> None:
    assert not TIGHT.search(text)


def test_variant_keeps_all_but_the_header_and_the_changed_alert() -> None:
    source = RULES.read_text(encoding="utf-8")
    changed = variant(
        source,
        "# other\n",
        lambda alert, rule: (
            rule.replace("for: 5m", "for: 1m") if alert == "SLSExporterAbsent" else rule
        ),
    )
    expected = yaml.safe_load(source)
    (absent,) = (
        rule
        for group in expected["groups"]
        for rule in group["rules"]
        if rule.get("alert") == "SLSExporterAbsent"
    )
    absent |= {"for": "1m", "keep_firing_for": "1m"}

    assert yaml.safe_load(changed) == expected
    assert changed.startswith("# other\ngroups:\n")
    assert changed.count("\n  # One series per consumer group for range queries") == 1


@pytest.mark.parametrize(("language", "path"), [("en", RULES), ("zh-CN", CHINESE_RULES)])
def test_chart_has_the_rules_in_its_language(language: str, path: Path) -> None:
    address = "https://wiki.example.com/sls"
    values = {"enabled": True, "language": language, "runbookUrl": address}
    minimal = yaml.safe_load((CHART / "ci" / "least-values.yaml").read_text(encoding="utf-8"))
    spec = render({**minimal, "prometheusRule": values}).one("PrometheusRule")["spec"]
    found = alerting_rules(yaml.safe_dump(dict(spec)))
    source = alerting_rules(path.read_text(encoding="utf-8"))

    assert found.keys() == source.keys()
    for alert, rule in source.items():
        assert found[alert]["expr"] == rule["expr"]
        assert found[alert]["annotations"] == {
            "summary": rule["annotations"]["summary"],
            "description": rule["annotations"]["description"],
            "runbook_url": f"{address}#{alert.lower()}",
        }
