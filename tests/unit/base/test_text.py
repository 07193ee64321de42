"""Untrusted text made safe to show."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.base.text import bounded, counted


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("plain", "plain"),
        ("主机 é ☂", "主机 é ☂"),
        ("a\nb\r\tc\x00\x1b[31m\x7f", "a�b��c��[31m�"),
        ("\ud800x\udfff", "�x�"),
        ("right\u202eleft\u200b\u2028", "right�left��"),
    ],
)
def test_text_is_on_one_line_and_encodable(text: str, shown: str) -> None:
    assert bounded(text) == shown


def test_text_is_cut_with_an_ellipsis() -> None:
    assert bounded("x" * 8, 8) == "x" * 8
    assert bounded("x" * 9, 8) == "xxxxxxx…"


def test_text_is_cut_at_256_characters_by_itself() -> None:
    assert bounded("x" * 256) == "x" * 256
    assert bounded("x" * 10**6) == "x" * 255 + "…"


@given(st.text(st.characters(), max_size=40), st.integers(1, 30))
def test_any_text_becomes_safe_and_stays_so(text: str, limit: int) -> None:
    shown = bounded(text, limit)
    assert len(shown) <= limit
    assert shown.isprintable()
    shown.encode()
    assert bounded(shown, limit) == shown


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 shards"), (1, "1 shard"), (2, "2 shards"), (1000, "1,000 shards")]
)
def test_count_has_a_noun_in_its_number(count: int, text: str) -> None:
    assert counted(count, "shard") == text
