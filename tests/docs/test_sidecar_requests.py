"""The table of the requests of sidecars has the numbers that the exporter calculates."""

import re

import pytest

from exporter.polling.capacity import requests_of
from exporter.polling.turns import EVERY
from tests.support.docs import read

PAGE = read("docs/kubernetes.md").partition("## Beside a consumer")[2].partition("\n## ")[0]
INTERVAL = 60
ROWS = [
    tuple(float(cell) for cell in line.strip("| ").split("|"))
    for line in PAGE.splitlines()
    if re.match(r"\| \d", line)
]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_table_of_sidecars_agrees_with_the_estimates(row: tuple[float, ...]) -> None:
    pods, shards = int(row[0]), int(row[1])
    own = shards // pods
    pod = requests_of(1, own, others=shards - own)
    one = requests_of(1, shards)
    assert row[2:] == (
        pod.at_rest,
        pod.busy,
        round(pods * pod.at_rest / INTERVAL, 1),
        round(pods * pod.busy / INTERVAL, 1),
        round(one.busy / INTERVAL, 1),
    )


def test_table_of_sidecars_has_small_and_large_fleets() -> None:
    assert len(ROWS) == 4
    assert "one group" in PAGE
    assert f"every {EVERY}th poll".replace("5th", "fifth") in PAGE
