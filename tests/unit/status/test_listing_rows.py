"""Listings that fail, among the consumer groups of the status page and the JSON."""

import json
from typing import Any

from msgspec.structs import replace

from exporter.model.names import EntryKey
from exporter.model.snapshot import EntryStatus, Failure, View
from exporter.status import api
from tests.support.snapshots import group, target
from tests.support.status_views import HOSTILE, NOW, behind, document_of, page_of, read, varied

ENDPOINT = "https://cn-shanghai.log.aliyuncs.com"


def failed(project: str = "", logstore: str = "", **changes: Any) -> EntryStatus:  # noqa: ANN401  any field
    """Build a listing that has failed for 40 seconds, and has never succeeded."""
    failure = Failure(
        code="Unauthorized",
        message="ListLogStores: 401 Unauthorized: denied",
        since=NOW - 40,
        remedy="Check the key.",
    )
    key = EntryKey(ENDPOINT, project, logstore)
    return replace(EntryStatus(key=key, failure=failure), **changes)


def view_with(*entries: EntryStatus) -> View:
    return replace(varied(), entries=entries)


def answer(view: View, **query: str) -> Any:  # noqa: ANN401  JSON
    return json.loads(api.as_json(document_of(view), query))


def test_listing_that_fails_has_the_fields_of_a_failing_group() -> None:
    (row,) = answer(view_with(failed("bank")), project="bank")["groups"]
    assert {name: value for name, value in row.items() if value not in (None, [], {}, "")} == {
        "project": "bank",
        "listing": "logstores",
        "sls_endpoint": ENDPOINT,
        "state": "unknown",
        "up": False,
        "error": "ListLogStores: 401 Unauthorized: denied",
        "error_code": "Unauthorized",
        "remedy": "Check the key.",
        "failing_seconds": 40.0,
    }


def test_kind_of_a_listing_follows_from_its_names() -> None:
    view = view_with(failed(), failed("bank"), failed("bank", "ledger"))
    found = answer(view, q="denied")["groups"]
    kinds = {(row["project"], row["logstore"]): row["listing"] for row in found if row["listing"]}
    assert kinds == {
        ("", ""): "projects",
        ("bank", ""): "logstores",
        ("bank", "ledger"): "consumer_groups",
    }


def test_listing_that_succeeds_has_no_row() -> None:
    found = answer(view_with(failed("bank", failure=None, last_success=NOW)))
    assert found["total"] == found["summary"]["groups"] == 8
    assert found["summary"]["failing"] == 2


def test_listings_count_as_failing_and_not_as_groups() -> None:
    summary = answer(view_with(failed("bank"), failed("bank", "ledger")))["summary"]
    assert (summary["groups"], summary["failing"]) == (8, 4)
    assert summary["states"] == answer(varied())["summary"]["states"]


def test_listing_that_fails_comes_before_groups_that_are_fine() -> None:
    view = View(
        targets=(target(group(behind(stalled=9.0), name="fine"), group(name="late")),),
        entries=(failed("bank"),),
    )
    assert [row["project"] for row in answer(view)["groups"]] == ["bank", "shop", "shop"]


def test_page_shows_a_listing_with_its_error_remedy_and_effect() -> None:
    page = read(page_of(view_with(failed("bank")), {"project": "bank"}))
    (body,) = page.one("table", id="groups").all("tbody")
    assert body.one("th").text == "listing of logstores"
    problem = body.one("p", class_="problem").text
    assert problem.startswith("Failing for 40s: ListLogStores: 401 Unauthorized: denied")
    assert problem.endswith("Check the key.")
    assert "never succeeded, so nothing that it would find is watched" in body.text
    assert "1 row shown" in page.text


def test_page_says_what_a_listing_that_worked_before_hides() -> None:
    view = view_with(failed("bank", last_success=NOW - 100))
    page = read(page_of(view, {"project": "bank"}))
    assert "New names are not found until it succeeds." in page.one("table", id="groups").text
    assert "1m 40s ago" in page.text


def test_page_shows_the_endpoint_of_a_listing_of_projects() -> None:
    page = read(page_of(view_with(failed()), {"q": ENDPOINT}))
    assert ENDPOINT in page.one("table", id="groups").text
    assert "listing of projects" in page.text


def test_hostile_name_of_a_listing_is_text() -> None:
    view = view_with(failed(HOSTILE, HOSTILE), failed())
    page = read(page_of(view, {"q": "denied"}))
    assert page.all("img") == []
    assert HOSTILE in page.text
