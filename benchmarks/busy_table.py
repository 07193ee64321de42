"""The figures of ``benchmarks.busy`` as rows of text, for the terminal and for the document."""

import math
from collections.abc import Callable, Sequence

from benchmarks.cases import Case, Figures

Rows = Sequence[tuple[str, Sequence[str]]]

_NOTHING = "-"


def rows(found: Sequence[Figures]) -> Rows:
    """Return a label and the texts of all cases for each figure; the first row is the heading."""
    return [(label, [text(each) for each in found]) for label, text in _FIGURES]


def text_table(found: Sequence[Figures]) -> str:
    """Return the table with aligned columns."""
    table = [[label, *texts] for label, texts in rows(found)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in table
    ]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def markdown_table(found: Sequence[Figures]) -> str:
    """Return the table in Markdown."""
    lines = ["| " + " | ".join([label, *texts]) + " |" for label, texts in rows(found)]
    return "\n".join([lines[0], "|---|" + "---:|" * len(found), *lines[1:]])


def mean_requests(found: Figures) -> float | None:
    """Return the mean number of requests per logstore and interval, None without an interval."""
    logstores = found.case.projects * found.case.logstores
    return sum(found.requests) / len(found.requests) / logstores if found.requests else None


def exact_requests(case: Case) -> int:
    """Return the number of requests of a poll in the exact way if every shard is behind."""
    return 1 + case.groups + case.shards + 2 * case.shards * case.groups


def _requests(found: Figures) -> str:
    mean = mean_requests(found)
    if mean is None:
        return _NOTHING
    ordered = sorted(found.requests)
    late = ordered[math.ceil(0.99 * len(ordered)) - 1]
    return f"{mean:.0f} / {late / (found.case.projects * found.case.logstores):.0f}"


def _operations(found: Figures) -> str:
    logstores = found.case.projects * found.case.logstores
    names = ("ListShards", "GetCheckPoint", "GetCursor", "GetCursorTime")
    return " / ".join(f"{found.operations.get(name, 0) / logstores:.0f}" for name in names)


def _exact(part: Callable[[Figures], str]) -> Callable[[Figures], str]:
    return lambda found: part(found) if found.exact is not None else _NOTHING


def _exact_requests(found: Figures) -> str:
    assert found.exact is not None
    made = found.exact.requests
    return f"{made}" if found.exact.is_complete else f"{made} of {exact_requests(found.case)}"


def _exact_seconds(found: Figures) -> str:
    assert found.exact is not None
    return ("" if found.exact.is_complete else "> ") + f"{found.exact.seconds:.1f}"


def _exact_cpu(found: Figures) -> str:
    assert found.exact is not None
    return ("" if found.exact.is_complete else "> ") + f"{found.exact.cpu_seconds * 1e3:.0f}"


def _seconds(value: float | None) -> str:
    return "not reached" if value is None else f"{value:.1f}"


def _states(found: Figures) -> str:
    if found.states_after is not None:
        return _seconds(found.states_after)
    return f"{found.states} of {found.case.pairs}"


_FIGURES: Sequence[tuple[str, Callable[[Figures], str]]] = (
    ("shards x groups", lambda found: found.case.name),
    ("seconds from start to the first response", lambda found: _seconds(found.http_after)),
    ("… to the first age", lambda found: _seconds(found.first_age_after)),
    ("… to all ages", lambda found: _seconds(found.ages_after)),
    ("… to all states", _states),
    ("requests per logstore and interval, mean / p99", _requests),
    ("… ListShards / GetCheckPoint / GetCursor / GetCursorTime", _operations),
    ("requests per second", lambda found: f"{found.requests_per_second:.1f}"),
    ("refused after the first minute", lambda found: f"{found.refused_share:.1%}"),
    ("polls, skipped polls", lambda found: f"{found.polls:.0f}, {found.polls_skipped:.0f}"),
    (
        "seconds per poll",
        lambda found: _NOTHING if found.poll_seconds is None else f"{found.poll_seconds:.1f}",
    ),
    (
        "CPU per poll, ms",
        lambda found: _NOTHING if found.cpu_seconds is None else f"{found.cpu_seconds * 1e3:.0f}",
    ),
    ("share of a core, scrapes included", lambda found: f"{found.core_share:.1%}"),
    ("share of a core, fake SLS", lambda found: f"{found.standin_core_share:.1%}"),
    ("peak memory, MB", lambda found: f"{found.peak_megabytes:.0f}"),
    ("detection delay, s", lambda found: _seconds(found.detected_after)),
    ("live shards shown as stalled", lambda found: f"{found.false_stalls}"),
    ("exact way: requests", _exact(_exact_requests)),
    ("exact way: seconds to all states", _exact(_exact_seconds)),
    ("exact way: CPU per poll, ms", _exact(_exact_cpu)),
)
