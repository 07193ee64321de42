"""Plain names at two endpoints: labels must tell their series apart."""

from pathlib import Path

import pytest

from exporter.config.problems import ConfigError
from exporter.config.reader import parse

NORTH, SOUTH = "cn-beijing.log.aliyuncs.com", "cn-shenzhen.log.aliyuncs.com"
PLAIN = "{logstore: orders, consumer_groups: [billing]}"


def project(endpoint: str, logstore: str = PLAIN, more: str = "", name: str = "shop") -> str:
    """Write an item of ``projects``."""
    return f"- {{project: '{name}', endpoint: '{endpoint}', logstores: [{logstore}]{more}}}\n"


def problems(*projects: str, more: str = "") -> list[str]:
    """Return the paths of all problems of a configuration."""
    text = "projects:\n" + "".join(projects) + more
    try:
        parse(text, name="c.yaml", environ={}, base_dir=Path())
    except ConfigError as error:
        return [
            "/".join(map(str, each.path))
            for each in error.problems
            if "set different labels" in each.message
        ]
    return []


SECOND = ["projects/1/logstores/0/logstore"]


def test_series_of_two_endpoints_must_differ() -> None:
    assert problems(project(NORTH), project(SOUTH)) == SECOND
    assert problems(project(NORTH), project(NORTH, PLAIN.replace("orders", "clicks"))) == []
    assert problems(project(NORTH), project(SOUTH, name="bank")) == []


def test_endpoint_is_compared_by_meaning() -> None:
    text = project(NORTH, PLAIN) + project(f"https://{NORTH.upper()}/", PLAIN)
    with pytest.raises(ConfigError, match="is already listed at line 2"):
        parse("projects:\n" + text, name="c.yaml", environ={}, base_dir=Path())


@pytest.mark.parametrize("level", ["project", "logstore"])
def test_labels_tell_series_apart(level: str) -> None:
    def labeled(endpoint: str, region: str) -> str:
        labels = f", labels: {{region: {region}}}"
        if level == "project":
            return project(endpoint, more=labels)
        return project(endpoint, PLAIN.replace("}", labels + "}"))

    assert problems(labeled(NORTH, "north"), labeled(SOUTH, "south")) == []
    assert problems(labeled(NORTH, "north"), project(SOUTH)) == []
    assert problems(labeled(NORTH, "north"), labeled(SOUTH, "north")) == SECOND


def test_label_of_a_group_must_not_undo_that_of_its_project() -> None:
    item = "{logstore: orders, consumer_groups: [{name: billing, labels: {region: x}}]}"
    north, south = ", labels: {region: north}", ", labels: {region: south}"
    assert problems(project(NORTH, item, north), project(SOUTH, item, south)) == SECOND
    assert problems(project(NORTH, item, north), project(SOUTH, PLAIN, south)) == []


def test_labels_of_a_group_alone_do_not_tell_logstores_apart() -> None:
    item = "{logstore: orders, consumer_groups: [{name: billing, labels: {region: x}}]}"
    assert problems(project(NORTH, item), project(SOUTH)) == SECOND


def test_pattern_of_groups_does_not_hide_equal_logstores() -> None:
    item = "{logstore: orders, consumer_groups: ['.*']}"
    assert problems(project(NORTH, item), project(SOUTH, item)) == SECOND


@pytest.mark.parametrize(
    "other",
    [
        project(SOUTH, "{logstore: 'ord.*', consumer_groups: ['.*']}"),
        project(SOUTH, name="sh.*"),
        project(SOUTH, more=", exclude_logstores: ['ord.*']"),
        project(SOUTH, "{logstore: orders, consumer_groups: [b], exclude_consumer_groups: [b]}"),
    ],
)
def test_names_that_are_possibly_not_polled_are_valid(other: str) -> None:
    assert problems(project(NORTH), other) == []


def test_plain_name_of_an_excluded_project_is_valid() -> None:
    assert problems(project(NORTH), project(SOUTH), more="exclude_projects: [shop]\n") == []
