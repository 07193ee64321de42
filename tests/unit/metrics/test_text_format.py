"""Numbers and labels as Go, whose tools read them, would write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.utils import floatToGoString

from exporter.metrics.text_format import go_float, header, label_text, line, lines_of

plain = st.integers(-10_000_000, 10_000_000) | st.floats(-1e7, 1e7) | st.floats(-1e-3, 1e-3)
timestamps = st.integers(999_999_999, 10_000_000_001) | st.floats(999_999_999, 10_000_000_001)
numbers = plain | timestamps | st.floats(allow_nan=False) | st.integers(0, 2**63)

WRITTEN = [
    (0, b"0.0"),
    (-0.5, b"-0.5"),
    (1e-7, b"1e-07"),
    (0.00001, b"1e-05"),
    (-0.00006, b"-6e-05"),
    (0.0001, b"0.0001"),
    (999_999, b"999999.0"),
    (999_999.5, b"999999.5"),
    (1_000_000, b"1e+06"),
    (1_234_567.5, b"1.2345675e+06"),
    (999_999_999, b"9.99999999e+08"),
    (1_000_000_000, b"1e+09"),
    (1_000_000_001, b"1.000000001e+09"),
    (1_000_000_000.5, b"1.0000000005e+09"),
    (1_700_000_000, b"1.7e+09"),
    (1_700_000_000.25, b"1.70000000025e+09"),
    (1_700_000_000.000001, b"1.700000000000001e+09"),
    (1_700_000_000.1234567, b"1.7000000001234567e+09"),
    (2_000_000_000, b"2e+09"),
    (3_999_999_999.999999, b"3.999999999999999e+09"),
    (4_000_000_000.000001, b"4.000000000000001e+09"),
    (9_999_999_999, b"9.999999999e+09"),
    (10_000_000_000, b"1e+10"),
    (2**63, b"9.223372036854776e+18"),
    (-1_000_000, b"-1000000.0"),
    (float("inf"), b"+Inf"),
    (float("-inf"), b"-Inf"),
    (float("nan"), b"NaN"),
]


@pytest.mark.parametrize(("value", "text"), WRITTEN)
def test_a_number_is_written_as_go_writes_it(value: float, text: bytes) -> None:
    assert go_float(value) == text


@given(numbers)
def test_any_number_is_written_as_by_prometheus_client(value: float) -> None:
    assert go_float(value).decode() == floatToGoString(value)  # type: ignore[no-untyped-call]  # upstream


def test_labels_are_sorted_by_name_with_their_values_escaped() -> None:
    labels = {"b": "plain", "a": 'back\\slash, "quote" and\nnewline'}
    assert label_text(labels) == rb'a="back\\slash, \"quote\" and\nnewline",b="plain"'


def test_a_line_without_labels_has_no_braces() -> None:
    assert line("polls", b"", 5) == b"polls 5.0\n"
    assert line("polls", b'a="b"', 5) == b'polls{a="b"} 5.0\n'


def test_header_has_help_and_type() -> None:
    assert header("polls", "gauge", "Polls.") == b"# HELP polls Polls.\n# TYPE polls gauge\n"


def test_header_with_a_unit_ends_with_it() -> None:
    assert header("took_seconds", "histogram", "Took.", unit="seconds") == (
        b"# HELP took_seconds Took.\n# TYPE took_seconds histogram\n# UNIT took_seconds seconds\n"
    )


def test_lines_of_one_metric_follow_each_other() -> None:
    heads = [b'{a="1"} ', b'{a="2"} ']
    assert lines_of("polls", heads, [b"0.0", b"5.0"]) == b'polls{a="1"} 0.0\npolls{a="2"} 5.0\n'
