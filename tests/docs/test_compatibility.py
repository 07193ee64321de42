"""The tables of clients in the page about compatibility."""

import re

from tests.conformance.test_clients import CLIENTS, V1_SHA1, V1_SHA256, V4
from tests.support.docs import read

PAGE = read("docs/compatibility.md")
METHODS = (V1_SHA1, V1_SHA256, V4)


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def test_each_client_is_listed_with_the_ways_in_which_it_is_tested_to_sign() -> None:
    listed: dict[str, list[str]] = {}
    for line in section("Clients of SLS").splitlines():
        if found := re.match(r"\| `([\w@/-]+)`[^|]*\|(.*)\|[^|]*\|$", line):
            cells = [cell.strip() for cell in found[2].split("|")]
            assert set(cells) <= {"yes", "-"}
            listed[found[1]] = [
                method for method, cell in zip(METHODS, cells, strict=True) if cell == "yes"
            ]
    assert listed.pop("aliyun-log-python-sdk") == [V1_SHA1, V4]
    tested: dict[str, list[str]] = {}
    for client in CLIENTS:
        tested.setdefault(client.name, []).append(client.method)
    assert listed == tested


def test_versions_of_grafana_are_those_of_the_dashboards() -> None:
    supported = re.search(r"^\| Grafana \| ([^|]+) \|", PAGE, re.MULTILINE)
    assert supported is not None
    assert f"dashboards for Grafana {supported[1]} " in read("docs/dashboards.md")


def test_each_client_is_in_the_table_of_versions() -> None:
    versions = section("Versions in tests")
    assert [client.name for client in CLIENTS if f"| `{client.name}` |" not in versions] == []
