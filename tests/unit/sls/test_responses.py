"""Responses as types: every documented shape, and any other input."""

import contextlib
import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.model.shards import Checkpoint, ConsumerGroup, Shard
from exporter.sls import json_values, responses
from exporter.sls.json_values import ShapeError
from exporter.sls.responses import Refusal

NOW = 1_700_000_000.0
YEAR = 366 * 86_400

CHECKPOINT = {
    "shard": 0,
    "checkpoint": "MTUyNDE1NTM3OTM3MzkwODQ5Ng==",
    "updateTime": 1524224984800922,
    "consumer": "consumer_1",
}


def checkpoints(answer: object) -> json_values.Parsed[Checkpoint]:
    found = responses.checkpoints(answer, now=NOW)
    with contextlib.suppress(ValueError):  # JSON has no such value
        body = json.dumps(answer, allow_nan=False).encode()
        assert responses.read_checkpoints(body, NOW) == found
    return found


# GetCheckPoint


def test_documented_response_of_get_check_point_is_a_bare_array() -> None:
    parsed = checkpoints(json_values.load_json(json.dumps([CHECKPOINT]).encode()))
    assert parsed.entries == (
        Checkpoint(
            shard=0,
            cursor="MTUyNDE1NTM3OTM3MzkwODQ5Ng==",
            updated_at=1524224984.800922,
            consumer="consumer_1",
        ),
    )
    assert parsed.faults == ()


def test_empty_array_gives_no_checkpoints() -> None:
    assert checkpoints([]) == json_values.Parsed(entries=())


def test_missing_fields_of_a_shard_are_empty() -> None:
    expected = Checkpoint(shard=3, cursor="", updated_at=None, consumer="")
    assert checkpoints([{"shard": 3}]).entries == (expected,)
    nulls = {"shard": 3, "checkpoint": None, "updateTime": None, "consumer": None}
    assert checkpoints([nulls]).entries == (expected,)


@pytest.mark.parametrize(
    ("update_time", "instant"),
    [
        (1_524_224_984, 1_524_224_984.0),
        (1_524_224_984_800, 1_524_224_984.8),
        (1_524_224_984_800_922, 1_524_224_984.800922),
        (1_524_224_984_800_922_000, 1_524_224_984.800922),
        ("1524224984800922", 1_524_224_984.800922),
        (1_524_224_984.5, 1_524_224_984.5),
        (1, 1.0),
        (NOW + YEAR, NOW + YEAR),
        (NOW + YEAR + 1, None),
        (99_999_999_999, None),
        (100_000_000_000, 100_000_000.0),
        (100_000_000_000_000, 100_000_000.0),
        (100_000_000_000_000_000, 100_000_000.0),
        (10**20, None),
        (10**400, None),
        (1e308, None),
        (float("inf"), None),
        (float("nan"), None),
        (0, None),
        (-1, None),
        ("", None),
        ("-5", None),
        ("soon", None),
        ("9" * 5000, None),
        ("\u0661\u0662", None),
        (None, None),
        (True, None),
        ([1_524_224_984], None),
        ({}, None),
    ],
)
def test_an_update_time_is_read_by_its_magnitude(
    update_time: object, instant: float | None
) -> None:
    (entry,) = checkpoints([{**CHECKPOINT, "updateTime": update_time}]).entries
    assert entry.updated_at == instant


@pytest.mark.parametrize(
    ("bad", "fault"),
    [
        (None, "expected an object, got nothing"),
        ([], "expected an object, got an array"),
        ("text", "expected an object, got the text 'text'"),
        ({}, "shard is nothing, expected a whole number"),
        ({"shard": None}, "shard is nothing, expected a whole number"),
        ({"shard": "x"}, "shard is the text 'x', expected a whole number"),
        ({"shard": True}, "shard is a boolean, expected a whole number"),
        ({"shard": 0.5}, "shard is a number, expected a whole number"),
        ({"shard": float("inf")}, "shard is a number, expected a whole number"),
        ({"shard": -1}, "shard is out of range"),
        ({"shard": 2**31}, "shard is out of range"),
        ({"shard": 1e300}, "shard is out of range"),
        ({"shard": 1, "checkpoint": 5}, "checkpoint is a number, expected a string"),
        ({"shard": 1, "consumer": ["a"]}, "consumer is an array, expected a string"),
        (
            {"shard": "\x1b[31m" * 1000},
            f"shard is the text {'�[31m�[31m�[31m�[31m�[31m�[31m�…'!r}, expected a whole number",
        ),
    ],
)
def test_a_bad_entry_is_left_out_and_told(bad: object, fault: str) -> None:
    last = {**CHECKPOINT, "shard": 7}
    parsed = checkpoints([CHECKPOINT, bad, last])
    assert [entry.shard for entry in parsed.entries] == [0, 7]
    assert parsed.faults == (fault,)


ALMOST_REGULAR = st.fixed_dictionaries(
    {
        "shard": st.integers(-1, 3) | st.sampled_from([2**31 - 1, 2**31, 0.0, "1", True]),
        "checkpoint": st.sampled_from(
            ["", "MTUy", "\u65e5", "\x1b", "x" * 256, "x" * 257, None, 5]
        ),
        "updateTime": st.integers(10**15, 2 * 10**15)
        | st.sampled_from([0, 10**14 - 1, 10**14, int((NOW + YEAR) * 1e6), 10**17, 10**400, 1e15]),
        "consumer": st.sampled_from(["", "host-1", "\u200b", "x" * 257, None]),
    }
)


@given(st.lists(ALMOST_REGULAR, max_size=4))
def test_entries_do_not_depend_on_other_entries_of_the_response(rows: list[object]) -> None:
    alone, beside = checkpoints(rows), checkpoints([*rows, "none"])
    assert beside.entries == alone.entries
    faults = [*beside.faults]
    faults.remove("expected an object, got the text 'none'")
    assert faults == [*alone.faults]


def test_a_whole_number_may_be_written_as_a_float_or_a_text() -> None:
    parsed = checkpoints([{**CHECKPOINT, "shard": 1.0}, {**CHECKPOINT, "shard": "2"}])
    assert [entry.shard for entry in parsed.entries] == [1, 2]


def test_a_shard_that_is_listed_twice_keeps_its_newest_write() -> None:
    times = [1_600_000_000, 1_650_000_000, 1_620_000_000]
    parsed = checkpoints([{**CHECKPOINT, "updateTime": time} for time in times])
    assert [entry.updated_at for entry in parsed.entries] == [1_650_000_000.0]
    assert parsed.faults == ("shard 0 is listed twice",) * 2


def test_untrusted_text_is_truncated_and_sanitized() -> None:
    names = {0: "x" * 2**20, 1: "a\x00b\x1b[31m\nc", 2: "\ud800\u202e", 3: "主机-1"}
    parsed = checkpoints(
        [{**CHECKPOINT, "shard": shard, "consumer": name} for shard, name in names.items()]
    )
    assert [entry.consumer for entry in parsed.entries] == [
        "x" * 255 + "…",
        "a�b�[31m�c",
        "��",
        "主机-1",
    ]


@pytest.mark.parametrize("count", [10_000, 10_001])
def test_response_has_at_most_ten_thousand_entries(count: int) -> None:
    answer = [{**CHECKPOINT, "shard": shard} for shard in range(count)]
    if count == 10_000:
        assert len(checkpoints(answer).entries) == 10_000
    else:
        with pytest.raises(ShapeError, match="lists 10001 entries, more than 10000"):
            checkpoints(answer)


times = st.integers(10**14, 10**17 - 1) | st.integers(16 * 10**14, 2 * 10**15)
regular = st.fixed_dictionaries(
    {
        "shard": st.integers(0, 2**31 - 1),
        "checkpoint": st.sampled_from(["MTA=", "", "x" * 256]),
        "updateTime": st.integers(10**14, 10**17 - 1)
        | st.integers(1_600_000_000_000_000, 2 * 10**15),
        "consumer": st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=300),
    }
)
irregular = st.fixed_dictionaries(
    {},
    optional={
        "shard": st.integers(-1, 2**32)
        | st.booleans()
        | st.floats(0, 5)
        | st.just("1")
        | st.none(),
        "checkpoint": st.text(max_size=300) | st.none() | st.integers(),
        "updateTime": st.integers() | st.sampled_from([10**14 - 1, 10**17, 1.5e15, "1", None]),
        "consumer": st.text(max_size=300) | st.none() | st.booleans(),
        "more": st.lists(st.none() | st.text()),
    },
)


@given(st.lists(regular) | st.lists(regular | irregular) | st.just({}) | st.just([[]]))
def test_checkpoints_of_any_shape_are_read_or_refused(answer: object) -> None:
    with contextlib.suppress(ShapeError):
        checkpoints(answer)


@pytest.mark.parametrize(
    "fields",
    [b'"consumer":"a\\u0007b"', b'"consumer":"a\x7fb"', b'"shard":1', b'"checkpoint":null'],
)
def test_raw_body_is_parsed_like_decoded_json(fields: bytes) -> None:
    whole = json.dumps([CHECKPOINT]).encode()
    body = whole.replace(b"}]", b"," + fields + b"}]")
    expected = responses.checkpoints(json.loads(body), now=NOW)
    assert responses.read_checkpoints(body, NOW) == expected
    assert expected.entries != responses.read_checkpoints(whole, NOW).entries


def test_checkpoints_that_are_not_json_are_refused() -> None:
    whole = json.dumps([CHECKPOINT]).encode()
    for body in (whole + b"x", whole[:-1], whole + whole, b""):
        with pytest.raises(ShapeError):
            responses.read_checkpoints(body, NOW)


# The other operations

GROUP = {"name": "billing", "timeout": 60, "order": True}


@pytest.mark.parametrize("answer", [[GROUP], {"count": 1, "consumerGroups": [GROUP]}])
def test_consumer_groups_come_bare_or_in_an_object(answer: object) -> None:
    assert responses.consumer_groups(answer).entries == (
        ConsumerGroup(name="billing", timeout_seconds=60, order=True),
    )


@pytest.mark.parametrize("name", ["", None, 5, "x" * 257, "a\nb", "\ud800"])
def test_a_group_whose_name_cannot_be_shown_is_left_out(name: object) -> None:
    parsed = responses.consumer_groups([{**GROUP, "name": name}, GROUP])
    assert [group.name for group in parsed.entries] == ["billing"]
    assert len(parsed.faults) == 1


def test_shards_are_listed_by_their_other_name() -> None:
    parsed = responses.shards(
        [{"shardID": 0, "status": "readwrite"}, {"shardID": 1, "status": "ReadOnly"}, {"shard": 2}]
    )
    assert parsed.entries == (Shard(shard=0, status="readwrite"), Shard(shard=1, status="readonly"))
    assert parsed.faults == ("shardID is nothing, expected a whole number",)


@pytest.mark.parametrize(
    ("create_time", "created_at"),
    [(1_524_224_984, 1_524_224_984), ("1524224984", 1_524_224_984), (None, None), ([], None)],
)
def test_creation_time_of_a_shard_is_optional(create_time: object, created_at: int | None) -> None:
    answer = [{"shardID": 0, "status": "readwrite", "createTime": create_time}]
    assert responses.shards(answer).entries == (
        Shard(shard=0, status="readwrite", created_at=created_at),
    )


LAST_KEY = "f" * 32


@pytest.mark.parametrize(
    ("begin", "end", "begin_key", "end_key"),
    [
        ("0" * 32, "8" + "0" * 31, 0, 1 << 127),
        ("8" + "0" * 31, LAST_KEY, 1 << 127, (1 << 128) - 1),
        ("00ef", "EF00", 0xEF, 0xEF00),
        (None, [], None, None),
        ("", "0" + LAST_KEY, None, None),
        ("0x1", "-1", None, None),
        (" 1", "1_0", None, None),
        ("\u0661", 1, None, None),
    ],
)
def test_range_of_keys_of_a_shard_is_optional(
    begin: object, end: object, begin_key: int | None, end_key: int | None
) -> None:
    answer = [
        {
            "shardID": 0,
            "status": "readwrite",
            "inclusiveBeginKey": begin,
            "exclusiveEndKey": end,
        }
    ]
    assert responses.shards(answer).entries == (
        Shard(shard=0, status="readwrite", begin_key=begin_key, end_key=end_key),
    )


@pytest.mark.parametrize("seconds", [1_524_224_984, "1524224984", 1_524_224_984.0])
def test_a_cursor_time_is_a_number_or_a_text(seconds: object) -> None:
    assert responses.cursor_time({"cursor_time": seconds}) == 1_524_224_984


@pytest.mark.parametrize("seconds", [None, -1, "soon", 1e300, True, []])
def test_invalid_cursor_time_is_refused(seconds: object) -> None:
    with pytest.raises(ShapeError, match="cursor_time is"):
        responses.cursor_time({"cursor_time": seconds})


@pytest.mark.parametrize("days", [0, "0", -1])
def test_retention_time_below_a_day_is_refused(days: object) -> None:
    with pytest.raises(ShapeError, match="ttl is"):
        responses.retention_days({"ttl": days})


def test_a_page_of_projects_is_read_by_their_names() -> None:
    page = responses.project_names(
        {"count": 2, "total": 9, "projects": [{"projectName": "a", "region": "x"}, {"name": "b"}]}
    )
    assert (page.names.entries, page.count, page.total) == (("a",), 2, 9)
    assert page.names.faults == ("expected a name, got nothing",)


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        (
            {"errorCode": "Unauthorized", "errorMessage": "no\nway"},
            Refusal(code="Unauthorized", message="no�way"),
        ),
        ({"errorCode": "Unauthorized"}, Refusal(code="Unauthorized", message="")),
        (
            {"errorCode": "LogStoreNotExist", "errorMessage": {"en": "gone"}},
            Refusal(code="LogStoreNotExist", message=""),
        ),
    ],
)
def test_a_refusal_counts_by_its_code(body: object, refusal: Refusal) -> None:
    assert responses.refusal(body) == refusal


@pytest.mark.parametrize(
    "code", ["", None, 5, "<html>", "a b", "1st", "Code\n", "x" * 65, "Ünauthorized"]
)
def test_an_error_without_a_code_of_the_service_is_none_of_it(code: object) -> None:
    with pytest.raises(ShapeError):
        responses.refusal({"errorCode": code, "errorMessage": ""})


# JSON


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "the response is empty"),
        (b"<html>\n<body>", "the response is not JSON; it begins with '<html>�<body>'"),
        (b"[1, 2", "the response is not JSON; it begins with '[1, 2'"),
        (b"[NaN]", "the response is not JSON; it begins with '[NaN]'"),
        (b"[-Infinity]", "the response is not JSON; it begins with '[-Infinity]'"),
        (b"[" * 100_000, f"the response is not JSON; it begins with '{'[' * 64}'"),
        (b"7" * 5000, f"the response is not JSON; it begins with '{'7' * 64}'"),
    ],
)
def test_error_for_invalid_json_quotes_its_beginning(body: bytes, message: str) -> None:
    with pytest.raises(ShapeError) as raised:
        json_values.load_json(body)
    assert str(raised.value) == message


def test_a_byte_order_mark_does_not_matter() -> None:
    assert json_values.load_json(b"\xef\xbb\xbf[]") == []


def test_half_a_character_affects_only_its_own_text() -> None:
    assert json_values.load_json(b'["\\ud83d", 1]') == ["\ud83d", 1]
    assert json_values.load_json(b'["\xf0\x9f", 1]') == ["\ufffd", 1]


PARSERS: list[Callable[[object], object]] = [
    checkpoints,
    responses.consumer_groups,
    responses.shards,
    responses.cursor,
    responses.cursor_time,
    responses.retention_days,
    responses.logstore_names,
    responses.project_names,
    responses.refusal,
]

KEYS = [
    *("shard", "checkpoint", "updateTime", "consumer", "name", "timeout", "order", "shardID"),
    *("status", "cursor", "cursor_time", "ttl", "logstores", "projects", "projectName", "total"),
    *("count", "consumerGroups", "errorCode", "errorMessage"),
]
json_documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), inner, max_size=8)
    ),
    max_leaves=20,
)


@given(st.sampled_from(PARSERS), json_documents)
def test_any_json_is_read_or_has_another_shape(
    parse: Callable[[object], object], value: object
) -> None:
    only_shape_errors(lambda: parse(value))


@given(st.sampled_from(PARSERS), st.binary(max_size=200))
def test_any_bytes_are_read_or_have_another_shape(
    parse: Callable[[object], object], body: bytes
) -> None:
    only_shape_errors(lambda: parse(json_values.load_json(body)))
    only_shape_errors(lambda: responses.read_checkpoints(body, NOW))


def only_shape_errors(read: Callable[[], object]) -> None:
    # Values and messages can always be encoded: no half of a surrogate pair is left.
    try:
        text = repr(read())
    except ShapeError as error:
        text = str(error)
    assert text.isprintable()
    text.encode()
