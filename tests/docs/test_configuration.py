"""The example, the documentation and the schema name the same keys, and the same defaults."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from exporter.config.json_schema import json_schema
from exporter.config.problems import ConfigError
from exporter.config.reader import load, parse
from exporter.model.endpoint import Endpoint
from tests.support.docs import blocks
from tools.paths import ROOT

EXAMPLE = ROOT / "config.example.yaml"
GUIDE = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
ENVIRON = {
    "SLS_KEY_ID": "LTAI",
    "SLS_KEY_SECRET": "hunter2",
    "SLS_SECURITY_TOKEN": "hunter3",
    "SLS_EXTERNAL_ID": "hunter4",
    "OTHER_KEY_ID": "LTAJ",
    "HOSTNAME": "pod-1",
}
LEAST = "projects: [{project: p, endpoint: h, logstores: [{logstore: l, consumer_groups: [g]}]}]\n"
# The section of the guide, and where in the example its keys appear.
SECTIONS = {
    "Configuration": "Top level",
    "CredentialsConfig": "credentials",
    "PollingConfig": "polling",
    "DiscoveryConfig": "discovery",
    "MetricsConfig": "metrics",
    "HttpConfig": "http",
    "ProjectConfig": "projects",
    "LogstoreConfig": "logstores",
    "GroupConfig": "consumer_groups",
}


def models() -> dict[str, dict[str, Any]]:
    schema = json_schema()
    return {"Configuration": schema, **schema["$defs"]}


def rows(section: str) -> dict[str, str]:
    """Return the keys of a section's table, each with its default as it is written."""
    body = re.split(
        r"^## ", GUIDE.split(f"\n## {section}\n", 1)[1], maxsplit=1, flags=re.MULTILINE
    )[0]
    cells = (line.split("|") for line in body.splitlines() if line.startswith("| `"))
    return {key.strip(" `"): default.strip() for _, key, _, default, *_ in cells}


def keys_of(node: object) -> Iterator[str]:
    for value in node if isinstance(node, list) else ():
        yield from keys_of(value)
    for key, value in node.items() if isinstance(node, dict) else ():
        yield key
        yield from keys_of(value if key != "labels" else None)


def uncommented() -> str:
    """Return the example with its optional keys switched on: `# key: value` and `#   key: …`."""
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    return "\n".join(re.sub(r"^( +)# ( *[a-z_]+:(?: |$))", r"\1\2", line) for line in lines)


def test_guide_states_region_of_every_form_of_endpoint() -> None:
    body = GUIDE.split("\n## Endpoints\n", 1)[1].split("\n## ", 1)[0]
    found = re.findall(r"^\| `(.+?)` \|.*\| (.+) \|$", body, flags=re.MULTILINE)
    assert len(found) == 13
    for endpoint, stated in found:
        region = Endpoint.parse(endpoint).region
        assert stated == ("set `region`" if region is None else f"`{region}`")


def test_the_guide_describes_every_model() -> None:
    assert {*SECTIONS, "ProjectPollingConfig"} == models().keys()


@pytest.mark.parametrize("model", SECTIONS)
def test_a_section_of_the_guide_has_the_keys_of_its_model_in_order(model: str) -> None:
    assert list(rows(SECTIONS[model])) == list(models()[model]["properties"])


@pytest.mark.parametrize("model", SECTIONS)
def test_the_guide_states_the_defaults_of_the_model(model: str) -> None:
    required = models()[model].get("required", [])
    for key, stated in rows(SECTIONS[model]).items():
        schema = models()[model]["properties"][key]
        if "default" in schema:
            default = schema["default"]
            text = str(default).lower().removesuffix(".0") if default != [] else "[]"
            assert stated == f"`{text}`", key
        else:
            assert (stated == "required") == (key in required), key
            assert "`" not in stated, key


def test_the_schema_states_the_defaults_that_the_models_have() -> None:
    # Only the models of the top level, because a project inherits its defaults from there.
    stated: dict[str, object] = defaults("Configuration")
    for model in ("PollingConfig", "DiscoveryConfig", "MetricsConfig", "HttpConfig"):
        stated[SECTIONS[model]] = defaults(model)
    text = yaml.safe_dump(stated) + LEAST
    assert parse(text, name="c", environ={}, base_dir=ROOT) == parse(
        LEAST, name="c", environ={}, base_dir=ROOT
    )


def defaults(model: str) -> dict[str, object]:
    properties = models()[model]["properties"]
    return {key: schema["default"] for key, schema in properties.items() if "default" in schema}


def test_the_schema_states_no_defaults_for_the_polling_of_a_project() -> None:
    assert list(models()["ProjectPollingConfig"]["properties"]) == list(defaults("PollingConfig"))
    assert defaults("ProjectPollingConfig") == {}


@pytest.mark.parametrize("model", models())
def test_every_key_has_a_description_in_the_schema(model: str) -> None:
    schema = models()[model]
    assert schema["additionalProperties"] is False
    for key, value in schema["properties"].items():
        assert value["description"].endswith("."), key


def test_the_schema_has_durations_and_names_as_text() -> None:
    properties = models()["PollingConfig"]["properties"]
    assert (properties["interval"]["type"], properties["interval"]["default"]) == ("string", "60s")
    assert models()["LogstoreConfig"]["properties"]["logstore"]["type"] == "string"
    assert json_schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_the_example_is_valid_without_any_other_file() -> None:
    config = load(EXAMPLE, environ=ENVIRON)
    assert [project.project.text for project in config.projects] == [
        "my-project",
        "web-.*",
        "another-project",
    ]


def test_the_example_has_every_key_and_no_other() -> None:
    keys = set(keys_of(yaml.safe_load(uncommented())))
    assert keys == {key for model in models().values() for key in model["properties"]}


def test_the_commented_keys_of_the_example_are_valid_except_for_missing_files() -> None:
    with pytest.raises(ConfigError) as caught:
        parse(uncommented(), name="c", environ=ENVIRON, base_dir=ROOT)
    messages = {fault.message for fault in caught.value.problems}
    assert {re.sub(r"'.*'", "'…'", message) for message in messages} == {
        "'…' cannot be read: No such file or directory",
        "excludes access_key_id, which is given too; keep one of the two",
        "excludes access_key_secret, which is given too; keep one of the two",
        "excludes security_token, which is given too; keep one of the two",
    }


def test_values_of_the_example_are_the_defaults_unless_stated_otherwise() -> None:
    config = load(EXAMPLE, environ=ENVIRON)
    bare = parse(LEAST, name="c", environ={}, base_dir=ROOT)
    examples = {"projects", "credentials"}
    assert config.model_dump(exclude=examples) == bare.model_dump(exclude=examples)


BLOCKS = re.findall(r"^```yaml\n(.*?)^```", GUIDE, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS)
def test_every_example_of_the_guide_is_valid_except_for_files_and_omitted_keys(
    block: str,
) -> None:
    try:
        parse(block, name="c", environ=ENVIRON, base_dir=ROOT)
    except ConfigError as error:
        rest = [f for f in error.problems if "No such file" not in f.message]
        assert [str(fault) for fault in rest] in ([], ["c:1:1: projects: this key is required"])


def test_the_errors_in_the_guide_are_the_real_error_messages() -> None:
    text = """\
# A file with three errors.
credentials: {access_key_id: A, access_key_secret: a}
polling:
  interval: 60
stall_after: 5m
projects:
  - project: my-project
    endpont: cn-shanghai.log.aliyuncs.com
    logstores: [{logstore: l, consumer_groups: [g]}]
"""
    with pytest.raises(ConfigError) as caught:
        parse(text, name="config.yaml", environ={}, base_dir=ROOT)
    assert f"```text\n{caught.value}\n```" in GUIDE


def test_example_of_a_configuration_in_a_variable_is_valid() -> None:
    (block,) = (each for each in blocks(GUIDE, "sh") if "SLS_EXPORTER_CONFIG" in each)
    text = block.partition("='")[2].partition("'")[0]
    (project,) = parse(text, name="c", environ={"HOSTNAME": "pod-1"}, base_dir=ROOT).projects
    assert [str(each) for each in project.logstores[0].consumers or ()] == ["pod-1"]
