"""Items of the configuration that can match the same consumer groups."""

import sys
from itertools import product
from types import CodeType, FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.config.overlaps import (
    Overlap,
    covers,
    hidden_groups,
    may_meet,
    overlaps,
    shared_series,
)
from exporter.config.patterns import Pattern
from tests.unit.config.test_selectors import HOST, project, selectors

NAMES = ["".join(letters) for size in range(5) for letters in product("ab-", repeat=size)]


def found(*projects: str) -> dict[str, list[Overlap]]:
    """Return the overlaps of each item, by the numbers of its project and its logstore."""
    return {
        f"{selector.path[1]}.{selector.path[3]}": list(earlier)
        for selector, earlier in overlaps(selectors(*projects))
    }


def of_last(*logstores: str) -> list[Overlap]:
    """Return the overlaps of the last item of one project."""
    *_, last = found(project(*logstores)).values()
    return last


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("app", "app", True),
        ("app", "apps", False),
        ("app", "ap.", True),
        ("app-.*", "web-.*", False),
        ("app-.*", "app-test-.*", True),
        (".*-test", ".*-prod", False),
        ("app-.*-test", "app-.*", True),
        ("apps?", "app.*", True),
        ("ab*", "a-.*", True),
        ("ab{0,1}", "ac?", True),
        ("a|b", "b.*", True),
        ("(?i)A.*", "a.*", True),
        (r".*\d", ".*1", True),
        (r"\Qa.b\E", "a.*", True),
    ],
)
def test_patterns_meet_unless_their_plain_ends_rule_it_out(
    one: str, other: str, *, expected: bool
) -> None:
    assert may_meet(Pattern.parse(one), Pattern.parse(other)) is expected
    assert may_meet(Pattern.parse(other), Pattern.parse(one)) is expected


parts = st.sampled_from(
    ["a", "b", "-", ".", "a*", "b?", "-+", ".*", "[ab]", "(a|b)", "a{0,2}", "|"]
)
patterns = st.lists(parts, min_size=1, max_size=4).map("".join).map(Pattern.parse)


@settings(deadline=None, max_examples=300)
@given(patterns, patterns)
def test_patterns_that_match_a_common_name_meet(one: Pattern, other: Pattern) -> None:
    if any(one.matches(name) and other.matches(name) for name in NAMES):
        assert may_meet(one, other)


@settings(deadline=None, max_examples=300)
@given(patterns, patterns)
def test_pattern_that_covers_another_matches_all_its_names(one: Pattern, other: Pattern) -> None:
    if covers(one, other):
        assert all(one.matches(name) for name in NAMES if other.matches(name))


@settings(deadline=None, max_examples=100)
@given(
    st.lists(
        st.tuples(patterns, patterns, st.sampled_from(["x", "y"])),
        min_size=1,
        max_size=8,
        unique_by=lambda item: item[:2],
    )
)
def test_overlaps_are_all_pairs_whose_names_meet(items: list[tuple[Pattern, Pattern, str]]) -> None:
    every = selectors(
        *(
            project(
                f"{{logstore: '{logstore}', consumer_groups: [a]}}",
                name=str(name),
                endpoint=f"{host}.example.com",
                more=", region: r",
            )
            for name, logstore, host in items
        )
    )

    def meeting(number: int, *, is_same_endpoint: bool) -> list[int]:
        name, logstore, host = items[number]
        return [
            earlier
            for earlier, (other_name, other_logstore, other_host) in enumerate(items[:number])
            if (other_host == host) is is_same_endpoint
            and may_meet(other_name, name)
            and may_meet(other_logstore, logstore)
        ]

    assert [[each.earlier.path[1] for each in earlier] for _, earlier in overlaps(every)] == [
        meeting(number, is_same_endpoint=True) for number in range(len(items))
    ]
    assert {item.path[1]: first.path[1] for item, first in shared_series(every)} == {
        number: found[0]
        for number in range(len(items))
        if (found := meeting(number, is_same_endpoint=False))
    }


@pytest.mark.parametrize(
    ("name", "logstore", "endpoint"),
    [
        ("shop", "app-{}-.*", HOST),
        ("shop", ".*-{}-app", HOST),
        ("shop-{}-.*", "app", HOST),
        (".*-{}-shop", ".*", HOST),
        ("shop-.*", "app-.*-{}", HOST),
        ("shop", "{}-.*", "e{}.example.com"),
    ],
)
def test_items_with_different_plain_text_are_compared_with_few_others(
    name: str, logstore: str, endpoint: str
) -> None:
    count = 100
    every = selectors(
        *(
            project(
                f"{{logstore: '{logstore.format(number)}', consumer_groups: [a]}}",
                name=name.format(number),
                endpoint=endpoint.format(number),
                more=", region: r",
            )
            for number in range(1000, 1000 + count)
        )
    )
    compared = 0

    def note(frame: FrameType, event: str, _: Any) -> None:  # noqa: ANN401  as sys.setprofile's
        nonlocal compared
        compared += event == "call" and frame.f_code is code

    code: CodeType = may_meet.__code__
    before = sys.getprofile()
    sys.setprofile(note)
    try:
        assert not any(earlier for _, earlier in overlaps(every))
        assert not [*shared_series(every)]
    finally:
        sys.setprofile(before)
    assert compared <= count


def test_overlap_names_the_settings_that_differ() -> None:
    [overlap] = of_last(
        "{logstore: 'a.*', consumer_groups: ['x.*'], stall_after: 1m, shards: [0]}",
        "{logstore: '.*', consumer_groups: ['.*'], labels: {team: a}}",
    )
    assert overlap.different == ("shards", "stall_after", "labels")
    assert not overlap.is_complete


def test_settings_of_groups_count_only_where_they_meet() -> None:
    first = "{logstore: 'a.*', consumer_groups: [{name: 'x-.*', lag_limit: 1h}, 'y-.*']}"
    [with_y] = of_last(first, "{logstore: '.*', consumer_groups: [y-1]}")
    assert with_y.different == ()
    [with_x] = of_last(first, "{logstore: '.*', consumer_groups: [x-1]}")
    assert with_x.different == ("lag_limit",)


def test_items_without_a_common_logstore_or_group_do_not_overlap() -> None:
    first = "{logstore: 'a-.*', consumer_groups: ['x-.*', one]}"
    assert of_last(first, "{logstore: 'b-.*', consumer_groups: ['.*']}") == []
    assert of_last(first, "{logstore: '.*', consumer_groups: ['y-.*', two]}") == []


def test_item_behind_one_that_matches_everything_is_completely_covered() -> None:
    [overlap] = of_last(
        "{logstore: '.*', consumer_groups: ['.*']}",
        "{logstore: web, consumer_groups: [a, 'b.*']}",
    )
    assert overlap.is_complete


def test_item_with_an_additional_group_is_not_completely_covered() -> None:
    [overlap] = of_last(
        "{logstore: '.*', consumer_groups: ['b.*']}",
        "{logstore: web, consumer_groups: [b1, c1]}",
    )
    assert not overlap.is_complete


def test_projects_overlap_by_name_and_endpoint() -> None:
    item = "{logstore: web, consumer_groups: [a]}"
    other = "cn-beijing.log.aliyuncs.com"
    result = found(
        project(item, name="shop"),
        project(item, name="sh.*", more=", polling: {interval: 10s}"),
        project(item, name="shop-1", endpoint=other),
        project(item, name="ship"),
    )
    assert {
        place: [(each.earlier.path[1], each.different) for each in earlier]
        for place, earlier in result.items()
    } == {"0.0": [], "1.0": [(0, ("polling",))], "2.0": [], "3.0": [(1, ("polling",))]}


def test_group_behind_a_name_that_covers_it_is_hidden_if_its_settings_differ() -> None:
    [owner] = selectors(
        project(
            "{logstore: web, consumer_groups: ['x.*', {name: x1, stall_after: 1m}, x2, '.*',"
            " {name: 'y.*', stall_after: 2m}, {name: '.*', lag_limit: 1m}]}"
        )
    ).projects
    assert [(item.name.text, by.name.text) for item, by in hidden_groups(owner.all[0])] == [
        ("x1", "x.*"),
        ("y.*", ".*"),
        (".*", ".*"),
    ]
