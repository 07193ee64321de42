"""Responses as the models of API 2020-12-30 allow them: every field may be absent or null."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.sls import responses
from exporter.sls.json_values import Parsed, ShapeError
from exporter.sls.paging import read_listing

NOW = 1_700_000_000.0
COUNTS = st.integers(0, 2**31 - 1)
TEXTS = st.text("abcMT=0123456789-", max_size=12)
NAMES = st.text("abc-", min_size=1, max_size=8)


def shapes(fields: Mapping[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Return objects in which each field has its type, or is null or absent.

    A number may also be written as text, as the models declare the time of a cursor.
    """
    return st.fixed_dictionaries(
        {}, optional={name: st.none() | _as_text(values) for name, values in fields.items()}
    )


def _as_text(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return values | values.map(lambda value: str(value) if type(value) is int else value)


CHECKPOINTS = shapes(
    {
        "shard": COUNTS,
        "checkpoint": TEXTS,
        "updateTime": st.integers(0, 2**63 - 1),
        "consumer": TEXTS,
    }
)
GROUPS = shapes({"name": NAMES, "timeout": COUNTS, "order": st.booleans()})
SHARDS = shapes(
    {
        "shardID": COUNTS,
        "status": st.sampled_from(["readwrite", "readonly"]),
        "inclusiveBeginKey": TEXTS,
        "exclusiveEndKey": TEXTS,
        "createTime": COUNTS,
    }
)
PROJECTS = shapes({"projectName": NAMES, "region": TEXTS, "status": TEXTS})


def with_field(rows: list[dict[str, Any]], name: str) -> list[Any]:
    """Return the values of a field in the rows that have it."""
    return [row[name] for row in rows if row.get(name) is not None]


@given(st.lists(CHECKPOINTS, max_size=4, unique_by=lambda row: str(row.get("shard"))))
def test_checkpoint_is_read_if_it_names_its_shard(rows: list[dict[str, Any]]) -> None:
    found = responses.checkpoints(rows, now=NOW)
    assert [entry.shard for entry in found.entries] == [
        int(shard) for shard in with_field(rows, "shard")
    ]
    assert len(found.entries) + len(found.faults) == len(rows)


@given(st.lists(GROUPS, max_size=4))
def test_group_is_read_if_it_has_a_name(rows: list[dict[str, Any]]) -> None:
    found = responses.consumer_groups(rows)
    named = [row for row in rows if row.get("name") is not None]
    assert [(entry.name, entry.order, entry.timeout_seconds) for entry in found.entries] == [
        (
            row["name"],
            row.get("order") is True,
            None if row.get("timeout") is None else int(row["timeout"]),
        )
        for row in named
    ]


@given(st.lists(SHARDS, max_size=4))
def test_shard_is_read_if_it_has_a_number(rows: list[dict[str, Any]]) -> None:
    found = responses.shards(rows)
    numbered = [row for row in rows if row.get("shardID") is not None]
    assert [(entry.shard, entry.status) for entry in found.entries] == [
        (int(row["shardID"]), row.get("status") or "") for row in numbered
    ]


@given(COUNTS)
def test_cursor_time_and_retention_are_read_as_numbers_and_as_texts(number: int) -> None:
    for value in (number, str(number)):
        assert responses.cursor_time({"cursor_time": value}) == number
        assert responses.retention_days({"ttl": value}) == number


@pytest.mark.parametrize("answer", [{}, {"cursor_time": None}, {"ttl": None}, None])
def test_absent_number_is_an_error_of_the_shape(answer: object) -> None:
    for read in (responses.cursor_time, responses.retention_days):
        with pytest.raises(ShapeError):
            read(answer)


@given(
    shapes({"count": COUNTS, "total": COUNTS}),
    st.none() | st.lists(NAMES, max_size=4),
    st.none() | st.lists(PROJECTS, max_size=4),
)
def test_page_without_names_is_empty_only_if_its_total_is_zero(
    sizes: dict[str, Any], logstores: list[str] | None, projects: list[dict[str, Any]] | None
) -> None:
    total = None if sizes.get("total") is None else int(sizes["total"])
    for read, key, listed, names in (
        (responses.logstore_names, "logstores", logstores, logstores or []),
        (responses.project_names, "projects", projects, with_field(projects or [], "projectName")),
    ):
        answer = {**sizes, key: listed}
        if listed is None and total != 0:
            with pytest.raises(ShapeError):
                read(answer)
        else:
            page = read(answer)
            assert list(page.names.entries) == names
            assert (page.count, page.total) == (len(listed or []), total)


@given(st.lists(NAMES, max_size=9, unique=True), st.integers(1, 4))
def test_listing_without_totals_is_read_to_its_empty_page(names: list[str], size: int) -> None:
    def read_page(offset: int) -> responses.Page:
        return responses.logstore_names({"logstores": names[offset : offset + size]})

    assert read_listing(read_page, "ListLogStores") == Parsed(entries=tuple(names))
