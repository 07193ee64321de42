"""Limits and labels of groups on the page and in the JSON, and the states that follow from them."""

import json
from typing import Any

import pytest

from exporter.config.schema import MetricsConfig
from exporter.metrics.gzip_stream import plain
from exporter.metrics.polled_text import PolledText
from exporter.model.names import EntryKey
from exporter.model.progress import State
from exporter.model.snapshot import EntryStatus, Failure, GroupSettings, View
from exporter.status import api
from tests.support.scrape import Scrape, parsed
from tests.support.snapshots import ENDPOINT, group, target
from tests.support.status_views import MONOTONIC, behind, caught_up, document_of, page_of, read

STRICT = GroupSettings(stall_after=120.0, lag_limit=180.0, labels=(("team", "payments"),))
PATIENT = GroupSettings(stall_after=7200.0, lag_limit=21_600.0, labels=(("team", "<data>"),))


def two_measures(stalled: float) -> View:
    """Build two groups that have been stalled for the same time and differ in their settings."""
    groups = (
        group(
            caught_up(0),
            behind(1, stalled=stalled, evaluated_at=1010.0, read_at=1010.0),
            name=name,
            settings=settings,
        )
        for name, settings in (("patient", PATIENT), ("strict", STRICT))
    )
    return View(targets=(target(*groups),))


def answer(view: View, **query: str) -> dict[str, dict[str, Any]]:
    """Return the groups of the JSON by name."""
    found = json.loads(api.as_json(document_of(view), query))
    return {row["consumer_group"]: row for row in found["groups"]}


def scraped(view: View) -> Scrape:
    written = PolledText().write(view, MetricsConfig(), MONOTONIC)
    return parsed(b"".join(plain(written)).decode())


def on_page(view: View) -> dict[str, str]:
    """Return the state of each group on the page."""
    rows = read(page_of(view)).one("table", id="groups").all("tbody", role="rowgroup")
    return {row.all("th")[0].text: row.all("td")[0].text for row in rows}


@pytest.mark.parametrize(
    ("stalled", "strict", "patient"),
    [
        (60.0, State.CONSUMING, State.CONSUMING),
        (600.0, State.STALLED, State.CONSUMING),
        (9000.0, State.STALLED, State.STALLED),
    ],
)
def test_page_json_and_metrics_agree_on_states_by_the_measure_of_each_group(
    stalled: float, strict: State, patient: State
) -> None:
    view = two_measures(stalled)
    expected = {"strict": strict, "patient": patient}
    assert on_page(view) == {name: state.value for name, state in expected.items()}
    rows = answer(view)
    assert {name: row["state"] for name, row in rows.items()} == expected
    assert {name: row["shards"][1]["state"] for name, row in rows.items()} == expected
    found = scraped(view)
    for name, state in expected.items():
        assert found.value("sls_consumer_group_shards", consumer_group=name, state=state.value) == 1
        limits = (rows[name]["stall_after_seconds"], rows[name]["lag_limit_seconds"])
        assert limits == (
            found.value("sls_consumer_group_stall_after_seconds", consumer_group=name),
            found.value("sls_consumer_group_lag_limit_seconds", consumer_group=name),
        )
        [up] = found.find("sls_consumer_group_up", consumer_group=name)
        assert rows[name]["labels"] == {"team": up.labels["team"]}


def test_page_shows_limits_and_labels_of_a_group_as_text() -> None:
    words = [
        each.text for each in read(page_of(two_measures(60.0))).all("p", class_="settings quiet")
    ]
    assert sorted(words) == [
        "Stalled after 2h, lag limit 6h, team=<data>",
        "Stalled after 2m, lag limit 3m, team=payments",
    ]


def test_search_finds_groups_by_a_label() -> None:
    assert list(answer(two_measures(60.0), q="team=payments")) == ["strict"]


def test_listing_has_no_limits_and_no_labels() -> None:
    failure = Failure(code="timeout", message="late", since=1.0)
    view = View(entries=(EntryStatus(key=EntryKey(ENDPOINT, "shop"), failure=failure),))
    [row] = answer(view).values()
    assert (row["stall_after_seconds"], row["lag_limit_seconds"], row["labels"]) == (None, None, {})
