"""The chart rejects invalid values, with their location or an explanation."""

import json
from typing import Any

import helm_python
import pytest
import yaml

from tests.support.chart_faults import CONTRADICTORY, INVALID, KEYS, LEAST, ROLE
from tests.support.helm import render
from tools.chart import VALUES, rows
from tools.paths import CHART

ROWS = {row.path for row in rows(VALUES.read_text(encoding="utf-8"))}


def test_the_schema_knows_every_value_and_no_other() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    leaves = set()

    def walk(node: dict[str, Any], path: tuple[str, ...]) -> None:
        node = schema["definitions"][node["$ref"][14:]] if "$ref" in node else node
        whole = ".".join(path)
        if "properties" in node and whole not in ROWS:
            assert node["additionalProperties"] is False, whole
            for key, child in node["properties"].items():
                walk(child, (*path, key))
        else:
            leaves.add(whole)

    walk(schema, ())
    assert leaves == ROWS | {"global", "enabled"}


@pytest.mark.parametrize(
    ("values", "message"),
    INVALID,
)
def test_an_invalid_value_is_rejected_with_its_location(
    values: dict[str, Any], message: str
) -> None:
    with pytest.raises(helm_python.HelmValuesError) as caught:
        render({**LEAST, **values})
    assert message in str(caught.value)


def test_a_chart_that_depends_on_this_one_may_use_a_condition_and_globals() -> None:
    assert render({**LEAST, "enabled": True, "global": {"any": 1}}).workload()


@pytest.mark.parametrize(
    ("values", "message"),
    CONTRADICTORY,
)
def test_contradictory_values_are_rejected_with_an_explanation(
    values: dict[str, Any], message: str | None
) -> None:
    if message is None:
        assert render({**LEAST, **values}).workload()
        return
    with pytest.raises(helm_python.HelmRenderError) as caught:
        render({**LEAST, **values})
    assert message in str(caught.value)


def test_role_of_configuration_is_assumed_with_key_of_chart() -> None:
    rendered = render(
        {**LEAST, "config": {**LEAST["config"], "credentials": ROLE}, "credentials": KEYS}
    )
    config = yaml.safe_load(rendered.one("ConfigMap")["data"]["config.yaml"])
    assert config["credentials"] == {
        **ROLE,
        "access_key_id_file": "/var/run/secrets/sls/access-key-id",
        "access_key_secret_file": "/var/run/secrets/sls/access-key-secret",
    }
