"""The form for filters and sorting. It sends GET parameters, which the server evaluates."""

from exporter.status.markup import Html, join, tag
from exporter.status.rows import SEVERITY
from exporter.status.selection import DEFAULT_SORT, FAILING, NAMES, TROUBLE, Query
from exporter.status.wording import STATE_NAMES

COLUMNS = {
    "state": "State",
    "project": "Project",
    "logstore": "Logstore",
    "consumer_group": "Consumer group",
    "shard": "Worst shard",
    "stalled": "Stalled for",
    "lag": "Lag",
    "age": "Age",
    "owners": "Owners",
    "last_success": "Last successful poll",
}
_FILTERS = {**COLUMNS, "sls_endpoint": "Endpoint"}
_STATES = (
    ("", "all"),
    (TROUBLE, "all with trouble"),
    (FAILING, "failing"),
    *((state.value, STATE_NAMES[state]) for state in SEVERITY),
)
_SORTS = (
    (DEFAULT_SORT, "worst first"),
    ("-stalled", "longest stall first"),
    ("-lag", "largest lag first"),
    ("-age", "oldest checkpoint first"),
    ("-last_success", "longest without a successful poll"),
    ("consumer_group", "consumer group, A to Z"),
    ("project", "project, A to Z"),
)


def filter_form(asked: Query) -> Html:
    """Build the form, filled in with the values of a query."""
    search = tag(
        "input",
        type="search",
        name="q",
        id="q",
        value=asked.q,
        maxlength="256",
        placeholder="group, logstore, owner, error",
        autocomplete="off",
        spellcheck="false",
    )
    exact = [(name, value) for name in NAMES if (value := getattr(asked, name))]
    return tag(
        "form",
        tag("span", *(_exact(asked, name, value) for name, value in exact), id="exact"),
        _field("q", "Search", search),
        _field("state", "State", _select("state", _states(asked.state), asked.state)),
        _field("sort", "Sort", _select("sort", _sorts(asked.sort), asked.sort)),
        tag("button", "Apply"),
        _refresh(),
        method="get",
        action="./",
        id="filter",
        role="search",
    )


def _exact(asked: Query, name: str, value: str) -> Html:
    """Show a filter by an exact name, with a link that removes it."""
    words = _FILTERS[name].lower()
    drop = tag(
        "a",
        "Drop",
        href=asked.link(**{name: ""}),
        data_swap=True,
        aria_label=f"Drop the filter by {words}",
    )
    hidden = tag("input", type="hidden", name=name, value=value)
    return tag("span", hidden, f"{words}: {value} ", drop, class_="exact")


def _refresh() -> Html:
    # Only the script can refresh the page and keep rows unfolded, so only it shows this box.
    box = tag("input", type="checkbox", id="refresh")
    return tag("label", box, " Refresh every 10 s", id="tools", hidden=True)


def _field(name: str, words: str, control: Html) -> Html:
    return tag("span", tag("label", words, for_=name), control, class_="field")


def _select(name: str, options: list[tuple[str, str]], chosen: str) -> Html:
    written = [
        tag("option", words, value=value, selected=value == chosen) for value, words in options
    ]
    return tag("select", join(*written), name=name, id=name)


def _states(chosen: str) -> list[tuple[str, str]]:
    known = dict(_STATES)
    return [*_STATES] if chosen in known else [*_STATES, (chosen, chosen.replace(",", ", "))]


def _sorts(chosen: str) -> list[tuple[str, str]]:
    if chosen in dict(_SORTS):
        return [*_SORTS]
    way = "descending" if chosen.startswith("-") else "ascending"
    return [*_SORTS, (chosen, f"{COLUMNS[chosen.removeprefix('-')].lower()}, {way}")]
