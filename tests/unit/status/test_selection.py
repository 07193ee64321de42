from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.model.snapshot import View
from exporter.status.selection import KEYS, NAMES, parse, select
from tests.support.snapshots import group, target
from tests.support.status_views import HOSTILE, behind, caught_up, document_of, failing, varied

ROWS = document_of(varied()).groups
WORST_FIRST = "lost mailer denied slow-path unjudged never indexer steady"


def chosen(query: Mapping[str, str]) -> list[str]:
    return [row.consumer_group for row in select(ROWS, parse(query, numbers=("page",)))]


def test_the_worst_come_first_and_what_cannot_be_seen_before_what_looks_fine() -> None:
    assert chosen({}) == WORST_FIRST.split()


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"project": "platform"}, ["lost", "denied", "slow-path"]),
        ({"project": "plat"}, []),
        ({"logstore": "clicks"}, ["unjudged", "never"]),
        ({"project": "shop", "logstore": "orders", "consumer_group": "mailer"}, ["mailer"]),
        ({"state": "stalled"}, ["mailer"]),
        ({"state": "stalled,consuming"}, ["mailer", "indexer"]),
        ({"state": "failing"}, ["denied", "slow-path"]),
        ({"state": "caught_up"}, ["slow-path", "steady"]),
        ({"state": "trouble"}, ["lost", "mailer", "denied", "slow-path", "unjudged", "never"]),
        ({"q": "MAIL"}, ["mailer"]),
        ({"q": "shop/orders"}, ["mailer", "indexer", "steady"]),
        ({"q": "indexer-0"}, ["indexer"]),
        ({"q": "unauthorized"}, ["denied"]),
        ({"q": "platform no response"}, ["slow-path"]),
        ({"q": "  "}, WORST_FIRST.split()),
        ({"q": "<script>"}, ["steady"]),
        ({"q": "mailer", "state": "caught_up"}, []),
        ({"state": "", "project": "", "q": "", "sort": ""}, WORST_FIRST.split()),
    ],
)
def test_a_filter_keeps_what_matches_all_of_it(query: dict[str, str], names: list[str]) -> None:
    assert chosen(query) == names


@pytest.mark.parametrize(
    ("sort", "names"),
    [
        ("consumer_group", "denied indexer lost mailer never slow-path steady unjudged"),
        ("-consumer_group", "unjudged steady slow-path never mailer lost indexer denied"),
        ("-stalled", "lost mailer indexer slow-path steady denied never unjudged"),
        ("stalled", "slow-path steady indexer mailer lost denied never unjudged"),
        ("-lag", "lost mailer indexer slow-path steady denied never unjudged"),
        ("state", "steady indexer never unjudged denied slow-path mailer lost"),
        ("-owners", "mailer lost slow-path unjudged indexer steady denied never"),
    ],
)
def test_a_sort_puts_what_is_not_known_last(sort: str, names: str) -> None:
    assert chosen({"sort": sort}) == names.split()


@pytest.mark.parametrize("name", sorted(KEYS))
def test_every_sort_keeps_every_group(name: str) -> None:
    assert sorted(chosen({"sort": name})) == sorted(WORST_FIRST.split())
    assert sorted(chosen({"sort": f"-{name}"})) == sorted(WORST_FIRST.split())


def test_equals_are_in_the_order_of_their_names() -> None:
    view = View(targets=(target(*(group(caught_up(0), name=name) for name in "cab")),))
    rows = document_of(view).groups
    for sort in ("lag", "-lag"):
        asked = parse({"sort": sort}, numbers=())
        assert [row.consumer_group for row in select(rows, asked)] == ["a", "b", "c"]


def test_longer_stall_is_sorted_first() -> None:
    view = View(
        targets=(
            target(
                group(behind(0, stalled=400), name="a"),
                group(behind(0, stalled=500), name="b"),
                failing("timeout", "late", behind(0, stalled=450), name="c"),
            ),
        )
    )
    rows = select(document_of(view).groups, parse({}, numbers=()))
    assert [row.consumer_group for row in rows] == ["b", "c", "a"]


@pytest.mark.parametrize(
    ("query", "ignored"),
    [
        ({}, ()),
        ({"state": "stuck"}, ("state",)),
        ({"state": "stalled,stuck"}, ("state",)),
        ({"sort": "--lag"}, ("sort",)),
        ({"sort": "secret"}, ("sort",)),
        ({"page": "two"}, ("page",)),
        ({"page": "-1"}, ("page",)),
        ({"page": "٢"}, ("page",)),
        ({"page": "9" * 5000}, ("page",)),
        ({"group": "mailer"}, ("group",)),
        ({"a\x00b" + "c" * 100: ""}, ("a\ufffdb" + "c" * 60 + "…",)),
    ],
)
def test_invalid_parameters_are_ignored_and_reported(
    query: dict[str, str], ignored: tuple[str, ...]
) -> None:
    asked = parse(query, numbers=("page",))
    assert asked.ignored == ignored
    assert asked.numbers == {}
    assert asked.sort == "-state"


def test_at_most_ten_invalid_parameters_are_reported() -> None:
    query = {f"name-{number}": "x" for number in range(1000)}
    assert len(parse(query, numbers=()).ignored) == 10


def test_link_changes_only_the_given_parameters_of_the_query() -> None:
    asked = parse({"q": "a&b", "state": "stalled", "sort": "lag", "page": "3"}, numbers=("page",))
    assert asked.link(page=2) == "?state=stalled&q=a%26b&sort=lag&page=2"
    assert asked.link(state="") == "?q=a%26b&sort=lag"
    assert parse({}, numbers=()).link() == "?"


words = st.one_of(
    st.text(max_size=8), st.sampled_from(["stalled", "failing", "-lag", "2", HOSTILE])
)
queries = st.dictionaries(st.sampled_from([*NAMES, "state", "q", "sort", "page", "x"]), words)


@given(queries)
def test_any_query_selects_a_subset_of_the_groups(query: dict[str, str]) -> None:
    asked = parse(query, numbers=("page",))
    found = select(ROWS, asked)
    assert len(found) == len({row.consumer_group for row in found}) <= len(ROWS)
    assert asked.link(page=2).startswith("?")
