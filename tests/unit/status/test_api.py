import json
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.model.progress import Cause, Outlook, Totals
from exporter.model.snapshot import View
from exporter.status import api, rows
from exporter.status.history import History
from exporter.status.wording import CAUSE_REMEDIES
from tests.support.snapshots import group, target
from tests.support.status_views import (
    HOSTILE,
    MONOTONIC,
    NOW,
    caught_up,
    document_of,
    many,
    varied,
    with_outlook,
)


def answer(view: View, **query: str) -> Any:  # noqa: ANN401  JSON
    return json.loads(api.as_json(document_of(view), query))


def names(found: Any) -> list[str]:  # noqa: ANN401  JSON
    return [row["consumer_group"] for row in found["groups"]]


def test_stalled_group_has_all_its_fields() -> None:
    found = answer(varied(), consumer_group="mailer")
    assert found["groups"] == [
        {
            "project": "shop",
            "logstore": "orders",
            "consumer_group": "mailer",
            "listing": None,
            "sls_endpoint": "https://example.com",
            "conflicts_with": None,
            "state": "stalled",
            "up": True,
            "consumers": ["mailer-0", "mailer-1", "mailer-2"],
            "last_success_seconds": 10.0,
            "error": None,
            "error_code": None,
            "remedy": None,
            "failing_seconds": None,
            "cursor_access": True,
            "shard_error": None,
            "shard_remedy": None,
            "worst_shard": 1,
            "age_seconds": 2400.0,
            "lag_seconds": 1200.0,
            "stalled_seconds": 2400.0,
            "unread_log_groups": 1200,
            "read_log_groups_per_second": None,
            "written_log_groups_per_second": None,
            "catches_up": None,
            "catch_up_seconds": None,
            "data_loss_seconds": None,
            "console_url": None,
            "stall_after_seconds": 300.0,
            "lag_limit_seconds": 600.0,
            "labels": {},
            "shards": [
                {
                    "shard": 0,
                    "state": "caught_up",
                    "likely_cause": None,
                    "likely_remedy": None,
                    "consumer": "mailer-0",
                    "checkpoint": "MTA=",
                    "updated_at": 900.0,
                    "age_seconds": 110.0,
                    "lag_seconds": 0.0,
                    "unread_log_groups": 0,
                    "stalled_seconds": 0.0,
                    "stalled_since": None,
                },
                {
                    "shard": 1,
                    "state": "stalled",
                    "likely_cause": "owner_stuck",
                    "likely_remedy": CAUSE_REMEDIES[Cause.OWNER_STUCK],
                    "consumer": "mailer-1",
                    "checkpoint": "MTA=",
                    "updated_at": -1390.0,
                    "age_seconds": 2400.0,
                    "lag_seconds": 1200.0,
                    "unread_log_groups": 1200,
                    "stalled_seconds": 2400.0,
                    "stalled_since": -1390.0,
                },
                {
                    "shard": 2,
                    "state": "finished",
                    "likely_cause": None,
                    "likely_remedy": None,
                    "consumer": "mailer-2",
                    "checkpoint": "MTA=",
                    "updated_at": 900.0,
                    "age_seconds": 110.0,
                    "lag_seconds": 0.0,
                    "unread_log_groups": 0,
                    "stalled_seconds": 0.0,
                    "stalled_since": None,
                },
            ],
        }
    ]


@pytest.mark.parametrize(
    ("outlook", "fields"),
    [
        (Outlook(), (None, None, None)),
        (Outlook(catch_up_seconds=0.0), (True, 0.0, None)),
        (Outlook(catch_up_seconds=60.0), (True, 60.0, None)),
        (Outlook(catch_up_seconds=inf), (False, None, None)),
        (Outlook(catch_up_seconds=inf, data_loss_seconds=90.0), (False, None, 90.0)),
        (Outlook(data_loss_seconds=90.0), (None, None, 90.0)),
    ],
)
def test_outlook_has_only_finite_numbers(
    outlook: Outlook, fields: tuple[bool | None, float | None, float | None]
) -> None:
    (found,) = answer(View(targets=(target(with_outlook(group(caught_up()), outlook)),)))["groups"]
    names = ("catches_up", "catch_up_seconds", "data_loss_seconds")
    assert tuple(found[name] for name in names) == fields


def test_rates_are_those_of_the_last_polls() -> None:
    status = group(caught_up())
    history = History()
    for poll in range(7):
        totals = Totals(consumed=100 * poll, written=None)
        history.add(60.0 * poll, 0, totals, interval=60.0)
    found = rows.document(
        View(targets=(target(status),)),
        monotonic=MONOTONIC,
        wall=NOW,
        histories={status.key: history},
    )
    (fields,) = json.loads(api.as_json(found, {}))["groups"]
    assert fields["read_log_groups_per_second"] == 1.667
    assert fields["written_log_groups_per_second"] is None


def test_failing_group_has_its_error_and_the_remedy() -> None:
    (found,) = answer(varied(), consumer_group="denied")["groups"]
    assert found["up"] is False
    assert found["state"] == "unknown"
    assert found["error_code"] == "Unauthorized"
    assert found["error"].startswith("GetCheckPoint: 401 Unauthorized")
    assert "RAM policy" in found["remedy"]
    assert found["failing_seconds"] == 70.0
    assert found["last_success_seconds"] is None
    assert found["shards"] == []


def test_summary_covers_all_groups_regardless_of_the_query() -> None:
    found = answer(varied(), state="stalled")
    assert found["at"] == 1010.0
    assert found["pending_targets"] == 1
    assert (found["total"], found["offset"], found["limit"]) == (1, 0, None)
    assert found["ignored"] == []
    assert found["summary"] == {
        "groups": 8,
        "failing": 2,
        "states": {
            "caught_up": 2,
            "consuming": 1,
            "stalled": 1,
            "unconsumed": 1,
            "expired": 1,
            "finished": 0,
            "unknown": 2,
        },
        "worst_stalled_seconds": 90_000.0,
    }


def test_without_a_limit_all_groups_are_there() -> None:
    assert len(answer(many(1000))["groups"]) == 1000


def test_limit_and_offset_walk_through_all_groups_once() -> None:
    view = many(100)
    walked: list[str] = []
    while True:
        found = answer(view, sort="consumer_group", limit="30", offset=str(len(walked)))
        assert found["total"] == 100
        if not found["groups"]:
            break
        walked += names(found)
    assert walked == names(answer(view, sort="consumer_group"))
    assert len(walked) == 100


@pytest.mark.parametrize(("limit", "count"), [("0", 0), ("3", 3), ("999999999", 8)])
def test_a_limit_bounds_the_groups_and_not_their_total(limit: str, count: int) -> None:
    found = answer(varied(), limit=limit)
    assert len(found["groups"]) == count
    assert (found["total"], found["limit"]) == (8, int(limit))


def test_invalid_parameter_is_reported_and_changes_nothing() -> None:
    found = answer(varied(), limit="many", offset="-1", state="stuck", sort="x", page="2")
    assert sorted(found["ignored"]) == ["limit", "offset", "page", "sort", "state"]
    assert len(found["groups"]) == 8


def test_a_hostile_name_arrives_as_it_is() -> None:
    found = answer(varied(), consumer_group="steady")
    assert found["groups"][0]["consumers"] == [HOSTILE]


@given(st.text(max_size=30), st.text(max_size=30))
def test_names_with_any_characters_are_valid_json(name: str, consumer: str) -> None:
    view = View(targets=(target(group(caught_up(0, consumer=consumer), name=name)),))
    (found,) = answer(view)["groups"]
    assert found["consumer_group"] == name.encode("utf-8", errors="replace").decode()
    assert found["consumers"] == ([consumer] if consumer else [])
