"""The Chinese page of metrics has each metric with its type, its labels and an explanation."""

import re

from exporter.metrics.catalogue import CATALOGUE
from tests.support.docs import read

PAGE = read("docs/zh-CN/metrics.md")
DESCRIBED = re.compile(r"^### `(\S+)`\n\n\*(\w+)\uff0c\u6807\u7b7e\uff1a(.+)\*\n\n\S", re.MULTILINE)
NONE = "\u65e0"


def test_each_metric_has_its_type_and_its_labels_in_chinese() -> None:
    found = [(name, kind, re.findall(r"`(\w+)`", text)) for name, kind, text in described()]

    assert sorted(found) == sorted(
        (metric.name, metric.kind, list(metric.labels)) for metric in CATALOGUE
    )


def test_metric_without_labels_says_so_in_chinese() -> None:
    assert all((text == NONE) == ("`" not in text) for _, _, text in described())


def test_every_heading_of_a_metric_is_read() -> None:
    assert len(described()) == len(re.findall(r"^### ", PAGE, re.MULTILINE))


def described() -> list[tuple[str, str, str]]:
    """Return name, kind and labels of each metric on the page."""
    return DESCRIBED.findall(PAGE)
