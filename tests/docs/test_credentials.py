"""The page of access keys has correct policies, and no variable is missing."""

import json
import re
from pathlib import Path

import pytest

from exporter.commands.check import explain
from exporter.config.reader import parse
from exporter.credentials import variables
from tests.support.docs import read

TEXT = read("docs/credentials.md")
POLICIES = re.findall(r"^```json\n(.*?)^```$", TEXT, flags=re.MULTILINE | re.DOTALL)
NAMED = """\
projects:
  - project: shop
    endpoint: cn-shanghai.log.aliyuncs.com
    logstores: [{logstore: orders, consumer_groups: [billing]}]
"""
PATTERNS = NAMED.replace("shop", "sh.*").replace("orders", "or.*").replace("[billing]", "['.*']")
CONFIGURATIONS = [f"lag: false\n{NAMED}", NAMED, PATTERNS]


@pytest.mark.parametrize(("policy", "text"), [*zip(POLICIES, CONFIGURATIONS, strict=True)])
def test_a_policy_grants_the_permissions_that_check_lists(policy: str, text: str) -> None:
    config = parse(text, name="config.yaml", environ={}, base_dir=Path())
    explained = "\n".join(explain(config, {}))
    statements = json.loads(policy)["Statement"]
    given = [action for statement in statements for action in statement["Action"]]
    assert sorted(given) == sorted(set(re.findall(r"\blog:\w+", explained)))


def test_every_variable_has_its_row() -> None:
    known = {
        value
        for value in vars(variables).values()
        if isinstance(value, str) and value.startswith("ALIBABA_CLOUD_")
    }
    rows = re.findall(r"^\| `([A-Z0-9_]+)` \|", TEXT, flags=re.MULTILINE)
    assert set(rows) == known | {variables.CA_FILE}
    assert len(rows) == len(set(rows)) == 19
