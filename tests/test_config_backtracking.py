"""Patterns whose match may take very long are refused, and those in use are not."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.config.backtracking import takes_long
from exporter.config.patterns import Pattern
from exporter.config.problems import ConfigError
from exporter.config.reader import parse
from tests.test_config_faults import GOOD

REFUSED = [
    "(a+)+b",
    "(a*)*",
    "(.*-)*x",
    "(.*)*",
    "(a|aa)*c",
    "(a|a?)+b",
    "(a|a)*x",
    "(?:a(?:|))*x",
    "(?:a(?:b?)?)*x",
    "(?:|){30}x",
    "([a-z]+-?)+x",
    "(x+x+)+y",
    "(a{1,100}){1,100}",
    "(?:(?:ab)+)+c",
    r"(\s*a*\s*)*b",
    "(?i)(?:ab|AB)+",
    "(?:(a)b|(a)c)+",
    "(?=(a+)+b)a.*",
    "(?!(a+)+b).*",
    "(?>(?:a+)+)b",
    "(?:a+){2,}+b",
    r"(?P<n>a*)(?:(?P=n)|a)*x",
    "(a)?(?:(?(1)a|aa)|a)*x",
    ".*.*.*.*x",
    ".*a.*b.*c.*d.*",
    "a*a*a*a*b",
    "a*b*(a|b)*(a|b)*c",
    "a?" * 40 + "a" * 40,
    "a{1,30}" * 4 + "b",
]
ACCEPTED = [
    "a.*",
    ".*",
    "billing-[0-9a-f]+",
    "(billing|audit)-.*",
    ".*-(prod|pre)",
    "(prod|pre)?-x",
    "[a-z]+(-[a-z]+)*",
    "([a-z]+-)*[a-z]+",
    "(foo|bar)*x",
    "(a|b|c)+",
    "(?:ab)+",
    "([0-9]{4}){2}",
    "(?:[0-9a-f]{4}-){7}[0-9a-f]{4}",
    "(?!etl-).*",
    "(?!.*-test$).*",
    "(?<=a)b.*|ab",
    "(?i)shop-.*",
    "(?i:a)b*",
    r"\w+-\d+(?:\.\d+)*",
    r"[^-\W]+-(?P<n>[a-z])(?P=n)",
    "(a)?(?(1)b|c)+",
    ".*a.*b.*c.*",
    "(?>a+)b",
    "a++b",
    r"\Aa.*\Z",
]
NAMES = ["a" * 256, "ab" * 128, "-" * 256, "aaa-" * 64, "a" * 255 + "!", "0" * 256]

atoms = st.sampled_from(["a", "b", "-", ".", "[ab]", "[a-z]", r"\w", "[^-]", "(?:a|ab)"])
repeats = st.sampled_from(["", "", "", "*", "+", "?", "{2}", "{1,3}", "{2,}", "*?"])
patterns = st.recursive(
    st.lists(st.builds(str.__add__, atoms, repeats), min_size=1, max_size=3).map("".join),
    lambda inner: st.builds(
        "({}|{}){}{}".format, inner, inner, repeats, st.sampled_from(["", "x", "b*"])
    ),
    max_leaves=3,
)


@pytest.mark.parametrize("text", REFUSED)
def test_a_pattern_that_may_take_for_ever_is_refused(text: str) -> None:
    re.compile(text)
    with pytest.raises(ValueError, match="matching a name could take for ever"):
        Pattern.parse(text)


@pytest.mark.parametrize("text", ACCEPTED)
def test_a_pattern_as_people_write_them_is_taken(text: str) -> None:
    pattern = Pattern.parse(text)
    for name in NAMES:
        pattern.matches(name)


def test_the_refusal_names_the_place_and_a_remedy() -> None:
    text = GOOD.replace("[g]", "['(.*-)*x']")
    with pytest.raises(ConfigError) as raised:
        parse(text, name="c.yaml", environ={}, base_dir=Path())
    assert str(raised.value) == (
        "c.yaml:6:23: projects[0].logstores[0].consumer_groups[0]: matching a name could take for"
        " ever: repetitions overlap, as in (a+)+ or (.*-)*; write [a-z-]+ rather than ([a-z]+-?)+"
    )


@settings(deadline=None, derandomize=True)
@given(patterns)
def test_a_pattern_that_is_taken_matches_any_name_in_bounded_time(text: str) -> None:
    # A fault shows as a hang, which the time limit of the tests ends.
    if not takes_long(text):
        for name in NAMES:
            re.fullmatch(text, name)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a?" * 512, True),
        ("(?:" * 80 + "a?" * 260 + ")*" * 80, True),
        ("[^a]{1,9}" * 110, True),
        ("a|" * 500, False),
        ("(?=a)" * 200, False),
        ("[a-z]" * 200, False),
    ],
)
def test_the_longest_patterns_are_judged(text: str, *, expected: bool) -> None:
    assert takes_long(text) is expected
