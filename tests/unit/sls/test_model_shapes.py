"""Responses as the models of API 2020-12-30 allow them: every field may be absent or null."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.model.shards import Checkpoint
from exporter.sls import responses
from exporter.sls.json_values import Parsed, ShapeError
from exporter.sls.paging import read_listing
from tests.support.model_shapes import COUNTS, NAMES, rows, shapes

NOW = 1_700_000_000.0
KEYS = st.integers(0, 2**128 - 1).map("{:032x}".format)


def with_field(listed: list[Any], name: str) -> list[dict[str, Any]]:
    """Return the objects of a list that have a field."""
    return [row for row in listed if row is not None and row.get(name) is not None]


def number(row: dict[str, Any], name: str) -> int | None:
    """Return a number that may be written as text, None if it is absent."""
    value = row.get(name)
    return None if value is None else int(value)


@given(rows("GetCheckPointResponseBody"))
def test_checkpoint_is_read_if_it_names_its_shard(listed: list[Any]) -> None:
    named = with_field(listed, "shard")
    found = responses.checkpoints(listed, now=NOW)
    read = [
        Checkpoint(
            shard=int(row["shard"]),
            cursor=row.get("checkpoint") or "",
            updated_at=(number(row, "updateTime") or 0) / 10**6 or None,
            consumer=row.get("consumer") or "",
        )
        for row in named
    ]
    assert {entry.shard for entry in found.entries} == {entry.shard for entry in read}
    assert [entry for entry in found.entries if entry not in read] == []
    assert len(found.entries) + len(found.faults) == len(listed)


@given(rows("ConsumerGroup"))
def test_group_is_read_if_it_has_a_name(listed: list[Any]) -> None:
    found = responses.consumer_groups(listed)
    assert [(entry.name, entry.order, entry.timeout_seconds) for entry in found.entries] == [
        (row["name"], row.get("order") is True, number(row, "timeout"))
        for row in with_field(listed, "name")
    ]
    assert len(found.entries) + len(found.faults) == len(listed)


@given(rows("Shard", inclusiveBeginKey=KEYS, exclusiveEndKey=KEYS))
def test_shard_is_read_if_it_has_a_number(listed: list[Any]) -> None:
    def key(row: dict[str, Any], name: str) -> int | None:
        return None if row.get(name) is None else int(row[name], 16)

    found = responses.shards(listed)
    assert [
        (each.shard, each.status, each.created_at, each.begin_key, each.end_key)
        for each in found.entries
    ] == [
        (
            int(row["shardID"]),
            (row.get("status") or "").lower(),
            number(row, "createTime"),
            key(row, "inclusiveBeginKey"),
            key(row, "exclusiveEndKey"),
        )
        for row in with_field(listed, "shardID")
    ]
    assert len(found.entries) + len(found.faults) == len(listed)


@given(shapes("GetCursorResponseBody"))
def test_absent_cursor_is_read_as_empty(answer: dict[str, Any]) -> None:
    assert responses.cursor(answer) == (answer.get("cursor") or "")


@pytest.mark.parametrize(
    ("read", "model", "field", "least"),
    [
        (responses.cursor_time, "GetCursorTimeResponseBody", "cursor_time", 0),
        (responses.retention_days, "Logstore", "ttl", 1),
    ],
)
@given(data=st.data())
def test_number_is_read_unless_it_is_absent_or_too_small(
    read: Callable[[object], int], model: str, field: str, least: int, data: st.DataObject
) -> None:
    answer = data.draw(shapes(model))
    expected = number(answer, field)
    if expected is None:
        with pytest.raises(ShapeError, match=f"{field} is nothing"):
            read(answer)
    elif expected < least:
        with pytest.raises(ShapeError, match=f"{field} is out of range"):
            read(answer)
    else:
        assert read(answer) == expected


@pytest.mark.parametrize(
    "read",
    [
        lambda answer: responses.checkpoints(answer, now=NOW),
        responses.consumer_groups,
        responses.cursor,
        responses.cursor_time,
        responses.logstore_names,
        responses.project_names,
        responses.retention_days,
        responses.shards,
    ],
)
def test_absent_response_is_an_error_of_the_shape(read: Callable[[object], object]) -> None:
    with pytest.raises(ShapeError, match=r"expected an? (array|object), got nothing"):
        read(None)


def assert_page(page: Callable[[], responses.Page], answer: dict[str, Any], key: str) -> None:
    """Assert that a page is read, or refused if it does not list the names that it counts."""
    sizes = number(answer, "count"), number(answer, "total")
    listed = answer.get(key)
    if listed is None and 0 not in sizes:
        with pytest.raises(ShapeError):
            page()
        return
    found = page()
    assert (found.count, found.total) == (len(listed or []), sizes[1])
    assert len(found.names.entries) + len(found.names.faults) == len(listed or [])


@given(shapes("ListLogStoresResponseBody", count=COUNTS | st.just(0), total=COUNTS | st.just(0)))
def test_page_of_logstores_may_omit_an_empty_list(answer: dict[str, Any]) -> None:
    assert_page(lambda: responses.logstore_names(answer), answer, "logstores")
    if answer.get("logstores") is not None:
        names = [name for name in answer["logstores"] if name is not None]
        assert list(responses.logstore_names(answer).names.entries) == names


@given(
    shapes(
        "ListProjectResponseBody",
        count=COUNTS | st.just(0),
        total=COUNTS | st.just(0),
        projects=rows("Project"),
    )
)
def test_page_of_projects_may_omit_an_empty_list(answer: dict[str, Any]) -> None:
    assert_page(lambda: responses.project_names(answer), answer, "projects")
    if answer.get("projects") is not None:
        names = [row["projectName"] for row in with_field(answer["projects"], "projectName")]
        assert list(responses.project_names(answer).names.entries) == names


@given(st.lists(NAMES, max_size=9, unique=True), st.integers(1, 4))
def test_listing_without_totals_is_read_to_its_empty_page(names: list[str], size: int) -> None:
    def read_page(offset: int) -> responses.Page:
        page = names[offset : offset + size]
        return responses.logstore_names({"logstores": page} if page else {"count": 0})

    assert read_listing(read_page, "ListLogStores") == Parsed(entries=tuple(names))
