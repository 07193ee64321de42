"""Patterns of names: the syntax of RE2, what differs from Python's, and the limits."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.base.text import Expanded
from exporter.config.patterns import ByName, Pattern, any_matches
from exporter.config.problems import ConfigError
from exporter.config.reader import parse
from tests.unit.config.test_problems import GOOD

LOOKAROUND = (
    "there is no lookaround; list the names to leave out in exclude_projects, exclude_logstores,"
    " exclude_consumer_groups or exclude_consumers"
)
REFERENCE = "there are no references to groups; write each case, as in (aa|bb)"
POSSESSIVE = "there are no possessive repetitions; leave out the last +"
CHARACTER = r"write \x{20ac} for the character U+20AC"
FLAG = "leave out this flag; there are i, m, s and U"
REPEATED = "write at most 1000, the smaller number first; repetitions within each other multiply"
OPERATOR = "invalid perl operator"
ESCAPE = "invalid escape sequence"

# Python accepts each of these, and RE2 does not.
REFUSED = [
    ("(?!etl-).*", f"{OPERATOR}: '(?!'; {LOOKAROUND}"),
    ("(?=a).*", f"{OPERATOR}: '(?='; {LOOKAROUND}"),
    ("ab(?<=b)", f"{OPERATOR}: '(?<='; {LOOKAROUND}"),
    ("ab(?<!a)", f"{OPERATOR}: '(?<!'; {LOOKAROUND}"),
    (r"(a|b)-\1", f"{ESCAPE}: '\\1'; {REFERENCE}"),
    ("(?P<n>a|b)(?P=n)", f"{OPERATOR}: '(?P'; {REFERENCE}"),
    ("(a)?(?(1)b|c)", f"{OPERATOR}: '(?('; {REFERENCE}"),
    ("a++", f"bad repetition operator: '++'; {POSSESSIVE}"),
    ("a*+", f"bad repetition operator: '*+'; {POSSESSIVE}"),
    ("a?+", f"bad repetition operator: '?+'; {POSSESSIVE}"),
    ("a{1,2}+", f"bad repetition operator: '{{1,2}}+'; {POSSESSIVE}"),
    ("(?>a+)b", f"{OPERATOR}: '(?>'; there are no atomic groups; write (?:…)"),
    (r"a\Z", f"{ESCAPE}: '\\Z'; leave it out; a pattern always matches the whole name"),
    (r"\u20ac.*", f"{ESCAPE}: '\\u'; {CHARACTER}"),
    (r"[\u20ac]", f"{ESCAPE}: '\\u'; {CHARACTER}"),
    (r"\U0001f600", f"{ESCAPE}: '\\U'; {CHARACTER}"),
    (r"\N{EURO SIGN}", f"{ESCAPE}: '\\N'; {CHARACTER}"),
    (r"\é", f"{ESCAPE}: '\\é'; leave out the backslash"),
    (r"[\b]", f"{ESCAPE}: '\\b'"),
    ("(?x)a b", f"{OPERATOR}: '(?x'; {FLAG}"),
    ("(?is:a)(?a:b)", f"{OPERATOR}: '(?a'; {FLAG}"),
    ("(?iu)a", f"{OPERATOR}: '(?iu'; {FLAG}"),
    ("a(?#why)", f"{OPERATOR}: '(?#'; leave it out; there are no comments"),
    ("a{1001}", f"invalid repetition size: '{{1001}}'; {REPEATED}"),
    ("a{2,4000}", f"invalid repetition size: '{{2,4000}}'; {REPEATED}"),
    ("(a{100}){11}", f"invalid repetition size: '{{11}}'; {REPEATED}"),
    (
        ".{1000}.{1000}",
        "pattern too large - compile failed; shorten it, or repeat less often",
    ),
]
# Neither accepts these.
INVALID = [
    ("a(", "missing ): 'a('"),
    ("[a", "missing ]: '[a'"),
    ("a)", "unexpected ): 'a)'"),
    ("*", "no argument for repetition operator: '*'"),
    ("a\\", "trailing \\"),
    ("a{3,1}", f"invalid repetition size: '{{3,1}}'; {REPEATED}"),
    (r"\pL{1000}", "pattern too large - compile failed; shorten it, or repeat less often"),
]
# RE2 reads these as text.
MISREAD = ["{,3}", "{,}", "{01}", "{0,03}", "{00}", "{99999999999}", "{1,99999999999}"]
NAMES = ["a" * 256, "ab" * 128, "-" * 256, "aaa-" * 64, "é" * 256, "a" * 255 + "!"]

atoms = st.sampled_from(
    ["a", "b", "-", ".", "[ab]", "[^a]", "[a-c]", r"\w", r"\W", r"\d", r"\s", r"[^\w-]", r"[\d-]"],
) | st.sampled_from(
    [r"\.", r"\x61", r"\142", "(?i:A)", "(?i:[a-b])", "(?:a|ab)", "(b)", r"\b", "^", "$"]
)
repeats = st.sampled_from(["", "", "", "*", "+", "?", "{2}", "{1,3}", "{2,}", "{0}", "*?", "{2}?"])
patterns = st.recursive(
    st.lists(st.builds("(?:{}){}".format, atoms, repeats), min_size=1, max_size=4).map("".join),
    lambda inner: st.builds("(?:{}|{}){}{}".format, inner, inner, repeats, inner),
    max_leaves=3,
)
names = st.text(st.sampled_from("abAB1-_. éß٣"), max_size=10)


@pytest.mark.parametrize(("text", "reason"), REFUSED)
def test_pattern_that_only_python_accepts_is_rejected_with_remedy(text: str, reason: str) -> None:
    re.compile(text)
    with pytest.raises(ValueError, match="not a regular expression of RE2") as raised:
        Pattern.parse(text)
    assert str(raised.value) == f"not a regular expression of RE2: {reason}"


@pytest.mark.parametrize(("text", "reason"), INVALID)
def test_invalid_pattern_is_rejected_with_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match="not a regular expression of RE2") as raised:
        Pattern.parse(text)
    assert str(raised.value) == f"not a regular expression of RE2: {reason}"


@pytest.mark.parametrize("braces", MISREAD)
def test_repetition_that_re2_reads_as_text_is_rejected_with_remedy(braces: str) -> None:
    with pytest.raises(ValueError, match="not a repetition in RE2") as raised:
        Pattern.parse(f"(?:a|b){braces}")
    assert str(raised.value) == (
        f"not a repetition in RE2: '{braces}'; write {{0,n}} for at most n times, numbers up to"
        r" 1000 without zeros before them, and \{ for a brace"
    )


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (r"a\{,3\}", "a{,3}"),
        (r"a[{,3}]{4}", "a{,3}"),
        (r"\Qa{,3}\E", "a{,3}"),
        (r"[]{,3}]{5}", "]{,3}"),
        (r"[[:alpha:]{,3}]{5}", "a{,3}"),
        (r"a{}", "a{}"),
        (r"a{b}", "a{b}"),
        (r"\x{0061}", "a"),
        (r"\x{100000}|b", "b"),
    ],
)
def test_escaped_and_quoted_braces_match_themselves(text: str, name: str) -> None:
    assert Pattern.parse(text).matches(name)


def test_reference_that_re2_reads_as_octal_number_is_rejected() -> None:
    text = "()" * 12 + "a" + r"\12"
    re.compile(text)
    with pytest.raises(ValueError, match=r"^not a reference to a group in RE2: .*; write each"):
        Pattern.parse(text)
    assert Pattern.parse(r"\141[\142]").matches("ab")


@pytest.mark.parametrize(
    ("text", "matching", "other"),
    [
        (r"\d", "1", "٣"),
        (r"\w", "e", "é"),
        (r"\W", "é", "e"),
        (r"a\sb", "a b", "a\u2003b"),
        (r"a\b.*", "aé", "ab"),
        (r"\pL", "é", "1"),
        (r"(?i)i", "I", "İ"),
    ],
)
def test_pattern_classes_match_ascii_only(text: str, matching: str, other: str) -> None:
    pattern = Pattern.parse(text)
    assert pattern.matches(matching)
    assert not pattern.matches(other)


@pytest.mark.parametrize(
    "text", ["(a+)+b", "(.*-)*x", "(a|aa)*c", "([[:alpha:]]+)*1", "(" * 500 + ")" * 500]
)
def test_pattern_with_overlapping_repetitions_is_accepted(text: str) -> None:
    pattern = Pattern.parse(text)
    assert not any(pattern.matches(name) for name in NAMES[1:])


@settings(deadline=None, derandomize=True, max_examples=300)
@given(patterns, names)
def test_pattern_of_common_syntax_matches_as_in_python(text: str, name: str) -> None:
    assert Pattern.parse(f"{text}(?:)").matches(name) == bool(re.fullmatch(text, name, re.ASCII))


def test_error_contains_location_and_remedy() -> None:
    text = GOOD.replace("[g]", "[g, '(?!etl-).*']")
    with pytest.raises(ConfigError) as raised:
        parse(text, name="c.yaml", environ={}, base_dir=Path())
    assert str(raised.value) == (
        "c.yaml:6:26: projects[0].logstores[0].consumer_groups[1]: not a regular expression of RE2:"
        f" invalid perl operator: '(?!'; {LOOKAROUND}"
    )


@pytest.mark.parametrize("text", ["(hunter2", "hunter2{,3}", "(hunter2" * 100])
def test_error_does_not_show_value_of_variable(text: str) -> None:
    with pytest.raises(ValueError, match=r"the value of '\$\{X\}'") as raised:
        Pattern.parse(Expanded(text, "${X}"))
    assert "hunter2" not in str(raised.value)


def test_error_is_bounded_for_long_patterns() -> None:
    with pytest.raises(ValueError, match="missing") as raised:
        Pattern.parse("(" + "a" * 1000)
    assert len(str(raised.value)) < 200


def test_re2_writes_nothing_to_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    for text in ("a(", r"\pL{1000}"):
        with pytest.raises(ValueError, match="RE2"):
            Pattern.parse(text)
    slow = Pattern.parse("(?:.{1,30}){1,30}x")  # its states exceed the memory limit
    assert not any(slow.matches(name) for name in NAMES)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("text", "expected"), [(".*", True), ("a.b", True), ("a[b-z]b", False), ("a", False)]
)
def test_lone_surrogate_in_name_is_a_character(text: str, *, expected: bool) -> None:
    assert Pattern.parse(text).matches("a\ud800b") is expected


def test_lone_surrogate_in_pattern_is_rejected() -> None:
    with pytest.raises(ValueError, match="invisible characters"):
        Pattern.parse("\ud800.*")


def test_any_matches_looks_at_all_patterns() -> None:
    some = (Pattern.parse("a"), Pattern.parse("b.*"))
    assert [any_matches(some, name) for name in ("a", "bc", "ab")] == [True, True, False]
    assert not any_matches((), "a")


@pytest.mark.parametrize(("group", "loaded"), [("g", "False"), ("g.*", "True")])
def test_configuration_of_plain_names_does_not_import_re2(group: str, loaded: str) -> None:
    script = f"""
import sys
from pathlib import Path
from exporter.config.reader import parse
parse({GOOD.replace("[g]", f"[{group}]")!r}, name="c.yaml", environ={{}}, base_dir=Path())
print("re2" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == f"{loaded}\n"


@pytest.mark.parametrize("text", [" ", " app", "app ", " app-.* ", "app-.* "])
def test_name_with_spaces_around_it_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must not begin or end with a space"):
        Pattern.parse(text)


@given(
    st.lists(st.sampled_from(["a", "b", "a.*", ".*", "b|a"]), max_size=8),
    st.sampled_from(["a", "b", "ab", "c"]),
)
def test_items_by_name_are_those_of_matching_patterns_in_order(names: list[str], name: str) -> None:
    patterns = [Pattern.parse(each) for each in names]
    items = ByName((pattern, number) for number, pattern in enumerate(patterns))
    expected = [number for number, pattern in enumerate(patterns) if pattern.matches(name)]
    assert list(items.matching(name)) == expected
    assert set(items.plain_names) == {each for each in names if each in {"a", "b"}}
    assert items.has_patterns == any(not pattern.literal for pattern in patterns)
