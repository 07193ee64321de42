"""Cursors as the service writes them, and what else a text may be."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.model.shards import decode_cursor, encode_cursor

cursors = st.integers(min_value=1, max_value=2**63 - 1)


def test_a_cursor_is_base64_of_a_decimal_number() -> None:
    assert decode_cursor("MTUyNDE1NTM3OTM3MzkwODQ5Ng==") == 1_524_155_379_373_908_496
    assert encode_cursor(1_524_155_379_373_908_496) == "MTUyNDE1NTM3OTM3MzkwODQ5Ng=="


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not base64",
        "1524155379373908496",
        "MTUyNA",
        "MTUyNDE1NTM3OTM3MzkwODQ5Ng==\n",
        "\u0661",
        base64.b64encode(b"").decode(),
        base64.b64encode(b"12\n").decode(),
        base64.b64encode(b"-1").decode(),
        base64.b64encode(b"1.5").decode(),
        base64.b64encode("\u0661".encode()).decode(),
        base64.b64encode(b"\xff\xff").decode(),
        base64.b64encode(b"9223372036854775808").decode(),
        base64.b64encode(b"1" * 200).decode(),
        base64.b64encode(b"00000000000000000001").decode(),  # more digits than 64 bits need
    ],
)
def test_text_other_than_a_64_bit_number_in_base64_is_not_a_cursor(text: str) -> None:
    assert decode_cursor(text) is None


@given(cursors)
def test_a_cursor_survives_writing_and_reading(cursor: int) -> None:
    assert decode_cursor(encode_cursor(cursor)) == cursor


@given(st.text(max_size=40))
def test_any_text_is_a_cursor_in_range_or_none(text: str) -> None:
    cursor = decode_cursor(text)
    assert cursor is None or 0 <= cursor < 2**63
