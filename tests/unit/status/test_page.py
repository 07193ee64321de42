from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.base.text import bounded
from exporter.model.names import TargetKey
from exporter.model.snapshot import Failure, View
from exporter.status import page
from tests.support.snapshots import ENDPOINT, group, shard, target
from tests.support.status_views import (
    HOSTILE,
    NOW,
    Element,
    behind,
    caught_up,
    document_of,
    failing,
    many,
    page_of,
    read,
    varied,
)


def texts(row: Element) -> list[str]:
    return [cell.text for cell in row.children if isinstance(cell, Element)]


def cells(row: Element) -> list[str]:
    """Return the texts of the row of a group."""
    return texts(row.all("tr", role="row")[0])


def rows(html: str) -> list[Element]:
    return read(html).all("tbody", role="rowgroup")


def names(html: str) -> list[str]:
    return [row.one("th", role="rowheader").text for row in rows(html)]


def shape(element: Element) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Walk through elements and the names of their attributes."""
    yield element.name, tuple(element.attributes)
    for child in element.children:
        if isinstance(child, Element):
            yield from shape(child)


def test_group_row_shows_the_most_important_values() -> None:
    (row,) = rows(page_of(varied(), {"consumer_group": "mailer"}))
    assert cells(row) == [
        "stalled", "shop", "orders", "mailer", "1 mailer-1", "40m", "20m", "40m", "3", "10s ago",
    ]  # fmt: skip


def test_the_shards_of_a_group_unfold_the_worst_first() -> None:
    (row,) = rows(page_of(varied(), {"consumer_group": "mailer"}))
    fold = row.one("details")
    assert fold.one("summary").text == "3 shards of mailer: 1 stalled, 1 caught up, 1 finished"
    assert [texts(line) for line in fold.one("tbody").all("tr")] == [
        ["1", "stalled", "owner is stuck", "mailer-1", "40m", "20m", "1,200", "40m"],
        ["0", "caught up", "-", "mailer-0", "0s", "0s", "0", "1m 50s"],
        ["2", "finished", "-", "mailer-2", "0s", "0s", "0", "1m 50s"],
    ]


@pytest.mark.parametrize(("name", "has_causes"), [("mailer", True), ("indexer", False)])
def test_likely_causes_are_shown_if_a_shard_is_stalled(name: str, *, has_causes: bool) -> None:
    (row,) = rows(page_of(varied(), {"consumer_group": name}))
    headings = ["Shard", "State", "Owner", "Stalled for", "Lag", "Unread", "Age"]
    if has_causes:
        headings.insert(2, "Likely cause")
    table = row.one("details").one("table")
    assert [cell.text for cell in table.one("thead").all("th")] == headings
    assert {len(texts(line)) for line in table.one("tbody").all("tr")} == {len(headings)}


def test_only_a_single_group_is_unfolded_from_the_beginning() -> None:
    assert (
        "open"
        in read(page_of(varied(), {"q": "mailer"}))
        .one("table", id="groups")
        .one("details")
        .attributes
    )
    folds = read(page_of(varied())).one("table", id="groups").all("details")
    assert len(folds) == 7
    assert not any("open" in fold.attributes for fold in folds)


def test_a_failing_group_shows_its_error_and_the_remedy() -> None:
    (row,) = rows(page_of(varied(), {"consumer_group": "denied"}))
    assert cells(row)[0] == "failing"
    assert cells(row)[-1] == "never"
    problem = row.one("p", class_="problem")
    assert problem.text.startswith("Failing for 1m 10s: GetCheckPoint: 401 Unauthorized: denied")
    assert "log:GetConsumerGroupCheckPoint" in problem.one("strong").text


def test_failing_group_shows_results_of_the_last_successful_poll() -> None:
    (row,) = rows(page_of(varied(), {"consumer_group": "slow-path"}))
    assert cells(row)[0] == "failing caught up"
    assert row.one("summary").text == "1 shard of slow-path: caught up"


def test_an_error_without_a_remedy_is_shown_alone() -> None:
    view = View(targets=(target(failing("ParameterInvalid", "bad", name="g")),))
    problem = rows(page_of(view))[0].one("p", class_="problem")
    assert problem.text == "Failing for 1m 10s: bad"


def test_missing_cursor_permission_is_shown_if_it_hides_the_state() -> None:
    html = page_of(varied())
    told = [
        name for name, row in zip(names(html), rows(html), strict=True) if "GetCursor" in row.text
    ]
    assert told == ["unjudged"]


def test_error_of_shards_is_shown_with_its_remedy_if_it_hides_the_state() -> None:
    failure = Failure(
        code="InternalServerError", message="GetCursor: 500", since=NOW, remedy="Wait."
    )
    unknown = shard(unread=None, lag_seconds=None)
    view = View(
        targets=(target(group(unknown, name="a"), group(shard(), name="b"), shard_failure=failure),)
    )
    told, clear = rows(page_of(view))
    problem = told.one("p", class_="problem")
    assert problem.text == "Not all shards could be read: GetCursor: 500 Wait."
    assert not clear.all("p", class_="problem")


def test_the_first_line_counts_and_leads_to_what_it_counts() -> None:
    summary = read(page_of(varied(), {"state": "consuming"})).one("ul", id="summary")
    assert [item.text for item in summary.all("li")] == [
        "8 groups",
        "1 data lost",
        "1 stalled",
        "2 unknown",
        "1 unconsumed",
        "2 failing",
        "1 logstore not polled yet",
        "worst stall 1d 1h: lost",
    ]
    assert [link.attributes["href"] for link in summary.all("a")] == [
        "?",
        "?state=expired",
        "?state=stalled",
        "?state=unknown",
        "?state=unconsumed",
        "?state=failing",
        "?project=platform&logstore=audit&consumer_group=lost",
    ]


def test_the_first_line_says_that_all_is_well() -> None:
    view = View(targets=(target(group(caught_up(0)), group(behind(0, stalled=20), name="b")),))
    summary = read(page_of(view)).one("ul", id="summary")
    assert [item.text for item in summary.all("li")] == ["2 groups", "nothing has stalled"]


@pytest.mark.parametrize(
    ("view", "title"),
    [(varied(), "1 stalled - sls-exporter"), (View(), "sls-exporter")],
)
def test_title_shows_the_number_of_stalls(view: View, title: str) -> None:
    assert read(page_of(view)).one("title").text == title


def test_without_groups_the_page_says_why() -> None:
    assert "There are no consumer groups to watch." in page_of(View())
    pending = View(pending=frozenset({TargetKey(ENDPOINT, "shop", "orders")}))
    assert "No logstore was polled yet." in page_of(pending)
    html = page_of(varied(), {"q": "nobody"})
    assert "No group matches the filter." in html
    assert rows(html) == []


def test_the_form_shows_the_query_and_the_headings_its_order() -> None:
    found = read(page_of(varied(), {"q": 'a"b', "state": "stalled", "sort": "lag"}))
    form = found.one("form", id="filter")
    assert form.one("input", name="q").attributes["value"] == 'a"b'
    chosen = [option.text for option in form.all("option") if "selected" in option.attributes]
    assert chosen == ["stalled", "lag, ascending"]


def test_a_heading_turns_the_order_around_and_says_which_it_is() -> None:
    html = page_of(varied(), {"sort": "-lag"})
    headings = read(html).all("th", role="columnheader")
    links = {heading.text: heading.one("a").attributes["href"] for heading in headings}
    assert links["Lag"] == "?sort=lag"
    assert links["State"] == "?"
    assert links["Consumer group"] == "?sort=consumer_group"
    assert [
        (heading.text, heading.attributes["aria-sort"])
        for heading in headings
        if "aria-sort" in heading.attributes
    ] == [("Lag", "descending")]
    assert all(heading.attributes["scope"] == "col" for heading in headings)


def test_a_filter_by_a_whole_name_is_shown_and_can_be_dropped() -> None:
    found = read(page_of(varied(), {"project": "shop", "q": "mail"}))
    exact = found.one("span", class_="exact")
    assert exact.text.startswith("project: shop")
    assert exact.one("input", type="hidden", name="project").attributes["value"] == "shop"
    assert exact.one("a").attributes["href"] == "?q=mail"


@pytest.mark.parametrize(
    ("number", "first", "last", "shown"),
    [
        ("", "group-0", 100, "Page 1 of 3: 1 to 100 of 250 groups"),
        ("0", "group-0", 100, "Page 1 of 3: 1 to 100 of 250 groups"),
        ("2", "group-4", 100, "Page 2 of 3: 101 to 200 of 250 groups"),
        ("3", "group-8", 50, "Page 3 of 3: 201 to 250 of 250 groups"),
        ("4000", "group-8", 50, "Page 3 of 3: 201 to 250 of 250 groups"),
        ("x", "group-0", 100, "Page 1 of 3: 1 to 100 of 250 groups"),
    ],
)
def test_many_groups_are_shown_page_by_page(number: str, first: str, last: int, shown: str) -> None:
    html = page_of(many(250, shards=1), {"sort": "consumer_group", "page": number})
    assert names(html)[0] == first
    assert len(names(html)) == last
    assert shown in read(html).one("nav", id="pager").text


def test_pages_link_to_adjacent_pages_with_the_same_query() -> None:
    view = many(300, shards=1)
    pager = read(page_of(view, {"page": "2", "q": "store"})).one("nav", id="pager")
    assert [link.attributes["href"] for link in pager.all("a")] == [
        "?q=store&page=1",
        "?q=store&page=3",
    ]
    first = read(page_of(view)).one("nav", id="pager")
    assert [link.text for link in first.all("a")] == ["Next"]


def test_only_the_worst_of_many_shards_are_shown() -> None:
    shards = [caught_up(number) for number in range(999)]
    view = View(targets=(target(group(*shards, behind(999, stalled=400))),))
    fold = read(page_of(view)).one("table", id="groups").one("details")
    lines = fold.one("tbody").all("tr")
    assert len(lines) == 64
    assert lines[0].one("th").text == "999"
    assert "And 936 shards in no worse state." in fold.text


def test_links_are_relative_so_that_the_page_works_under_any_path() -> None:
    html = page.page(document_of(varied()), {}, telemetry_path="/sls/metrics").decode()
    links = [link.attributes["href"] or "" for link in read(html).all("a")]
    assert "./sls/metrics" in links
    assert "./api/v1/groups" in links
    assert all(link.startswith(("?", "./")) for link in links)
    assert read(html).one("form", id="filter").attributes["action"] == "./"


def test_page_has_no_external_resources_and_no_automatic_refresh() -> None:
    found = read(page_of(varied()))
    assert [element.attributes.get("http-equiv") for element in found.all("meta")] == [None, None]
    assert [link.attributes["rel"] for link in found.all("link")] == ["icon"]
    assert "src" not in found.one("script").attributes
    assert "https://" not in page_of(varied())


def test_style_and_script_precede_any_untrusted_text() -> None:
    view = View(targets=(target(group(caught_up(0, consumer="FOREIGN"), name="FOREIGN")),))
    html = page_of(view, {"q": "FOREIGN", "FOREIGN": "x"})
    assert html.index("</script>") < html.index("<body>") < html.index("FOREIGN")
    assert html.count("<script") == html.count("<style") == 1


def test_page_shows_when_it_was_refreshed() -> None:
    moment = read(page_of(View())).one("main").one("time")
    assert moment.text == "1970-01-01 00:16:50 UTC"
    assert moment.attributes["datetime"] == "1970-01-01T00:16:50Z"


def test_unknown_parameters_are_shown() -> None:
    html = page_of(varied(), {"<b>": "1", "state": "<i>"})
    assert "Not understood, so ignored: &lt;b&gt;, state." in html
    assert "<i>" not in html


foreign_texts = st.one_of(
    st.text(min_size=1, max_size=40), st.just(HOSTILE), st.text("<>&\"'/ =!-", min_size=1)
)


@given(foreign_texts, foreign_texts, foreign_texts, foreign_texts)
def test_no_text_changes_the_elements_of_the_page(
    project: str, name: str, consumer: str, message: str
) -> None:
    def html(project: str, name: str, consumer: str, message: str) -> str:
        key = TargetKey(ENDPOINT, project, project)
        bad = failing("timeout", message, caught_up(0, consumer=consumer), name=name, key=key)
        view = View(targets=(target(bad, key=key),))
        return page_of(
            view, {"q": "", "project": project, "logstore": project, "consumer_group": name}
        )

    foreign = html(project, name, consumer, message)
    assert list(shape(read(foreign))) == list(shape(read(html("p", "n", "c", "m"))))
    (row,) = rows(foreign)
    assert row.one("th", role="rowheader").text == bounded(name).strip()
    assert row.one("td", class_="owner").text == bounded(consumer).strip()
    assert row.one("span", class_="error").text == bounded(message).strip()


@given(foreign_texts)
def test_no_search_changes_the_elements_of_the_page(text: str) -> None:
    plain = read(page_of(View(), {"q": "x"}))
    found = read(page_of(View(), {"q": text}))
    assert list(shape(found)) == list(shape(plain))
    value = found.one("input", name="q").attributes["value"]
    assert value == text.encode("utf-8", errors="replace").decode()[:256]
