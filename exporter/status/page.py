"""The status page: one HTML document that works without scripts and loads no external assets.

Its style and its script are in the head, before any untrusted input. The security policy of the web
server allows only these two, by their hashes.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

from exporter import __version__
from exporter.base.text import counted
from exporter.model.progress import State
from exporter.status.form import filter_form
from exporter.status.markup import Html, join, tag
from exporter.status.rows import SEVERITY, GroupRow, StatusRows
from exporter.status.selection import FAILING, Query, parse, select
from exporter.status.story import instant
from exporter.status.summary import Summary, ambiguous_projects, summarise
from exporter.status.table import groups_table
from exporter.status.wording import STATE_MEANINGS, STATE_NAMES, duration

PAGE_ROWS = 100
_MOST_ITEMS = 3

_ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    "%3Ccircle cx='8' cy='8' r='7' fill='%23{colour}'/%3E%3C/svg%3E"
)
_RED, _AMBER, _GREEN = "d03a2b", "d69a00", "2f9e56"
# The order on the first line of the page, from worst to best.
_NOTEWORTHY = (
    (State.EXPIRED, "bad"),
    (State.STALLED, "bad"),
    (State.UNKNOWN, "warn"),
    (State.UNCONSUMED, "warn"),
)


def page(found: StatusRows, query: Mapping[str, str], *, telemetry_path: str) -> bytes:
    """Return one page of the groups that match a query, as UTF-8 HTML.

    Invalid values count as absent. A page number beyond the last page selects the last page.
    """
    asked = parse(query, numbers=("page",))
    rows = select(found.groups, asked)
    last = max(1, -(-len(rows) // PAGE_ROWS))
    number = min(max(1, asked.numbers.get("page", 1)), last)
    shown = rows[(number - 1) * PAGE_ROWS : number * PAGE_ROWS]
    summary = summarise(found.groups)
    content = tag(
        "main",
        _headline(summary, found.pending_targets, found.items_without_groups),
        _ignored(asked),
        groups_table(shown, asked, now=found.monotonic, ambiguous=ambiguous_projects(found.groups))
        if shown
        else _nothing(found, asked),
        _pager(asked, number=number, last=last, shown=len(shown), rows=rows),
        tag("p", "Refreshed at ", instant(found.at), class_="quiet"),
        id="found",
    )
    body = tag(
        "body",
        _header(telemetry_path),
        filter_form(asked),
        tag("p", id="note", role="status"),
        content,
        _legend(),
    )
    document = join(Html("<!doctype html>\n"), tag("html", _head(summary), body, lang="en"))
    return document.encode("utf-8", errors="replace")


@cache
def _asset(name: str) -> Html:
    return Html((files(__package__) / name).read_text(encoding="utf-8"))


def _head(summary: Summary) -> Html:
    colour = _GREEN
    if summary.states[State.EXPIRED] or summary.states[State.STALLED] or summary.failing:
        colour = _RED
    elif summary.states[State.UNKNOWN] or summary.states[State.UNCONSUMED]:
        colour = _AMBER
    stalled = summary.states[State.STALLED]
    title = f"{stalled} stalled - sls-exporter" if stalled else "sls-exporter"
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title),
        tag("link", rel="icon", href=_ICON.format(colour=colour)),
        tag("style", _asset("page.css")),
        tag("script", _asset("page.js"), type="module"),
    )


def _header(telemetry_path: str) -> Html:
    # Relative links also work behind a proxy that serves this page under another path.
    links = tag(
        "nav",
        tag("a", "Metrics", href="./" + telemetry_path.removeprefix("/")),
        tag("a", "JSON", href="./api/v1/groups"),
    )
    return tag("header", tag("h1", "Consumer groups"), links)


def _headline(summary: Summary, pending: int, items_without_groups: Sequence[str]) -> Html:
    """Summarize all groups in one line, in which each count links to its groups."""
    every = Query()
    counts = [_count(counted(summary.groups, "group"), every.link(), "")]
    counts += [
        _count(f"{summary.states[state]:,} {STATE_NAMES[state]}", every.link(state=state), tone)
        for state, tone in _NOTEWORTHY
        if summary.states[state]
    ]
    if summary.failing:
        counts.append(_count(f"{summary.failing:,} failing", every.link(state=FAILING), "bad"))
    if pending:
        counts.append(tag("li", f"{counted(pending, 'logstore')} not polled yet", class_="warn"))
    if items_without_groups:
        words = (
            f"{counted(len(items_without_groups), 'item')} of the configuration without groups: "
        )
        more = "" if len(items_without_groups) <= _MOST_ITEMS else ", …"
        counts.append(
            tag(
                "li", f"{words}{', '.join(items_without_groups[:_MOST_ITEMS])}{more}", class_="warn"
            )
        )
    if summary.worst and summary.worst.stalled_seconds:
        counts.append(_worst(summary.worst, every))
    elif not summary.failing and summary.groups:
        counts.append(tag("li", "nothing has stalled", class_="good"))
    return tag("ul", *counts, id="summary", aria_label="Summary of all groups")


def _count(words: str, link: str, tone: str) -> Html:
    return tag("li", tag("a", words, href=link, data_swap=True), class_=tone or None)


def _worst(row: GroupRow, every: Query) -> Html:
    link = every.link(project=row.project, logstore=row.logstore, consumer_group=row.consumer_group)
    name = tag("a", row.consumer_group, href=link, data_swap=True)
    return tag("li", f"worst stall {duration(row.stalled_seconds)}: ", name)


def _ignored(asked: Query) -> Html:
    if not asked.ignored:
        return Html()
    return tag("p", f"Not understood, so ignored: {', '.join(asked.ignored)}.", class_="problem")


def _nothing(found: StatusRows, asked: Query) -> Html:
    if found.groups:
        everything = tag("a", "Show all groups", href=Query(sort=asked.sort).link(), data_swap=True)
        return tag("p", "No group matches the filter. ", everything, ".", class_="nothing")
    if found.pending_targets:
        return tag("p", "No logstore was polled yet.", class_="nothing")
    return tag("p", "There are no consumer groups to watch.", class_="nothing")


def _pager(asked: Query, *, number: int, last: int, shown: int, rows: Sequence[GroupRow]) -> Html:
    total = len(rows)
    noun = "row" if not all(row.is_group for row in rows) else "group"
    first = (number - 1) * PAGE_ROWS
    places = f"{first + 1:,} to {first + shown:,} of {counted(total, noun)}"
    if last == 1:
        return tag("p", counted(total, noun), " shown", class_="quiet")

    def link(words: str, to: int, rel: str) -> Html:
        if not 1 <= to <= last:
            return tag("span", words, class_="quiet")
        return tag("a", words, href=asked.link(page=to), rel=rel, id=f"page-{rel}", data_swap=True)

    return tag(
        "nav",
        link("Previous", number - 1, "prev"),
        tag("span", f"Page {number:,} of {last:,}: {places}"),
        link("Next", number + 1, "next"),
        id="pager",
        aria_label="Pages",
    )


def _term(state: State) -> str:
    name = STATE_NAMES[state]
    return name if name == state.value.replace("_", " ") else f"{name} ({state.value})"


def _legend() -> Html:
    terms: Sequence[tuple[str, str]] = [
        *((_term(state), STATE_MEANINGS[state]) for state in SEVERITY),
        ("failing", "the newest poll failed; the row shows the results of the last successful one"),
        ("listing", "finds the names that match a pattern; it is shown while it fails"),
        ("left out", "not polled, because a logstore at another endpoint has the same series"),
        ("stalled for", "how long nothing has moved although there is unread data"),
        ("lag", "from the newest log back to the last one consumed, by their time of receipt"),
        ("age", "since the last checkpoint was saved; it grows while there is nothing to read"),
        (
            "reads, written",
            "log groups per second, the mean of the last polls; the plot is unread data in an hour",
        ),
        ("worst shard", "the shard to look at first; age is that shard's, stall and lag the most"),
    ]
    pairs = [join(tag("dt", term), tag("dd", meaning)) for term, meaning in terms]
    return tag(
        "footer",
        tag("details", tag("summary", "Terms"), tag("dl", *pairs), id="legend"),
        tag("p", f"sls-exporter {__version__}", class_="quiet"),
    )
