"""What is known of every consumer group: as JSON for programs, as a page for people.

Pure functions of a view and the time; the page is whole without scripts or outside assets.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from typing import Any

from exporter.progress import ShardProgress, State, stalled_seconds, state
from exporter.snapshot import GroupStatus, View


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardRow:
    """One shard of a group; times in seconds, None where not known."""

    shard: int
    state: State
    consumer: str
    age_seconds: float | None
    lag_seconds: float | None
    unread_log_groups: int | None
    stalled_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRow:
    """One consumer group; the worst shard is the one to look at first."""

    project: str
    logstore: str
    consumer_group: str
    state: State
    up: bool
    consumers: Sequence[str]
    last_success_seconds: float | None
    error: str | None
    failing_seconds: float | None
    worst_shard: int | None
    age_seconds: float | None
    lag_seconds: float | None
    stalled_seconds: float | None
    shards: Sequence[ShardRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """All groups, and how many targets were not polled yet."""

    groups: Sequence[GroupRow]
    pending_targets: int


# From bad to good: a group is as bad as its worst shard.
SEVERITY = (
    State.EXPIRED,
    State.STALLED,
    State.UNKNOWN,
    State.UNCONSUMED,
    State.CONSUMING,
    State.CAUGHT_UP,
    State.FINISHED,
)


def document(view: View, *, monotonic: float, wall: float) -> Document:
    """Describe a view at a reading of the monotonic clock and of the wall clock."""
    return Document(
        groups=[
            _group(group, monotonic, wall) for target in view.targets for group in target.groups
        ],
        pending_targets=len(view.pending),
    )


def as_json(found: Document, query: Mapping[str, str]) -> bytes:
    """Write the document as JSON; ``project``, ``logstore`` and ``consumer_group`` filter it."""
    fields = asdict(_filtered(found, query))
    return json.dumps(fields, ensure_ascii=False).encode("utf-8", errors="replace")


def page(found: Document, query: Mapping[str, str], *, telemetry_path: str) -> bytes:
    """Write the document as an HTML page."""
    rows = "".join(_row(group) for group in _filtered(found, query).groups)
    pending = (
        f"<p>{found.pending_targets} logstores were not polled yet.</p>"
        if found.pending_targets
        else ""
    )
    html = _PAGE.format(rows=rows, pending=pending, metrics=escape(telemetry_path, quote=True))
    return html.encode("utf-8", errors="replace")


def duration(seconds: float | None) -> str:
    """Write a duration for people: its two largest units, or a dash where it is not known."""
    if seconds is None:
        return "-"
    left = round(seconds)
    parts: list[str] = []
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")):
        count, left = divmod(left, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2])


def _filtered(found: Document, query: Mapping[str, str]) -> Document:
    wanted = {
        name: query[name] for name in ("project", "logstore", "consumer_group") if name in query
    }
    groups = [
        group
        for group in found.groups
        if all(getattr(group, name) == value for name, value in wanted.items())
    ]
    return Document(groups=groups, pending_targets=found.pending_targets)


def _group(group: GroupStatus, monotonic: float, wall: float) -> GroupRow:
    snapshot = group.visible(monotonic)
    now = snapshot.polled.server_now(monotonic) if snapshot else wall
    rows = [
        _shard(shard, now, group.stall_after) for shard in (snapshot.shards if snapshot else ())
    ]
    worst = min(rows, key=_badness, default=None)
    return GroupRow(
        **group.key._asdict(),
        state=worst.state if worst else State.UNKNOWN,
        up=group.up,
        consumers=sorted(snapshot.consumers) if snapshot else [],
        last_success_seconds=None if group.last_success is None else wall - group.last_success,
        error=group.failure.message if group.failure else None,
        failing_seconds=wall - group.failure.since if group.failure else None,
        worst_shard=worst.shard if worst else None,
        age_seconds=worst.age_seconds if worst else None,
        lag_seconds=_most(row.lag_seconds for row in rows),
        stalled_seconds=_most(row.stalled_seconds for row in rows),
        shards=rows,
    )


def _shard(shard: ShardProgress, now: float, stall_after: float) -> ShardRow:
    return ShardRow(
        shard=shard.shard,
        state=state(shard, now, stall_after=stall_after),
        consumer=shard.consumer,
        age_seconds=None if shard.updated_at is None else max(0.0, now - shard.updated_at),
        lag_seconds=shard.lag_seconds,
        unread_log_groups=shard.unread,
        stalled_seconds=stalled_seconds(shard, now),
    )


def _badness(row: ShardRow) -> tuple[int, float, float, int]:
    return (
        SEVERITY.index(row.state),
        -(row.stalled_seconds or 0.0),
        -(row.age_seconds or 0.0),
        row.shard,
    )


def _most(values: Any) -> float | None:  # noqa: ANN401  any iterable of optional numbers
    return max((value for value in values if value is not None), default=None)


def _row(group: GroupRow) -> str:
    cells = (
        group.project,
        group.logstore,
        group.consumer_group,
        group.state.value if group.up or group.shards else "no data",
        "-" if group.worst_shard is None else str(group.worst_shard),
        duration(group.stalled_seconds),
        duration(group.lag_seconds),
        duration(group.age_seconds),
        ", ".join(group.consumers[:3]) + (" …" if len(group.consumers) > 3 else ""),  # noqa: PLR2004  enough to recognise
        duration(group.last_success_seconds),
        group.error or "",
    )
    kind = "down" if not group.up else group.state.value
    return (
        f'<tr class="{kind}">' + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>\n"
    )


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>sls-exporter</title>
<style>
:root {{ color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }}
body {{ margin: 2rem auto; max-width: 90rem; padding: 0 1rem; }}
.table {{ overflow-x: auto; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ text-align: left; padding: .35rem .7rem; border-bottom: 1px solid #8884; }}
td {{ font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }}
tr.stalled td, tr.expired td, tr.down td {{ background: #d3302f26; }}
tr.unknown td, tr.unconsumed td {{ background: #e0a80026; }}
</style>
</head>
<body>
<h1>sls-exporter</h1>
<p>Consumer groups of Alibaba Cloud SLS. <a href="{metrics}">Metrics</a> ·
<a href="/api/v1/groups">JSON</a></p>
{pending}<div class="table">
<table>
<thead><tr><th>Project</th><th>Logstore</th><th>Consumer group</th><th>State</th>
<th>Worst shard</th><th>Stalled for</th><th>Lag</th><th>Age</th><th>Consumers</th>
<th>Last poll</th><th>Last error</th></tr></thead>
<tbody>
{rows}</tbody>
</table>
</div>
</body>
</html>
"""
