"""The overview: consumer groups with problems, and the health of the exporter."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from exporter.metrics.catalogue import (
    CURSOR_ACCESS,
    GROUP_CONSUMERS,
    GROUP_LAST_SUCCESS,
    GROUP_SHARDS,
    GROUP_STALLED_SHARDS,
    GROUP_UP,
    LAG,
    STALLED,
    UNREAD,
)
from exporter.metrics.self_catalogue import (
    BUILD_INFO,
    RELOAD_SUCCESSFUL,
    REQUEST_ERRORS,
    REQUESTS,
    TARGETS,
)
from tools.dashboards import first_screen
from tools.dashboards.first_screen import GROUP_COLUMNS
from tools.dashboards.frame import OVERVIEW_UID, Panel, datasource, frame, groups, job, to_group
from tools.dashboards.limits import (
    ERROR_SHARE,
    LAG_SECONDS,
    ONE_IS_BAD,
    ONE_IS_ODD,
    POLL_AGE_SECONDS,
    RETENTION_SHARE,
    STALL_SECONDS,
    STATE_COLOURS,
    state_mappings,
)
from tools.dashboards.panels import Query, curves, number, timeline
from tools.dashboards.queries import (
    EXPORTER_OR_GROUP,
    JOB,
    LOGSTORE,
    NOT_INVALID_CURSOR,
    of_group,
    recorded,
    recorded_worst_state,
    retention_used,
    shards_by_state,
    shards_in,
    total,
    worst,
    worst_state,
)
from tools.dashboards.tables import Column, rows

NAME = "{{project}} / {{logstore}} / {{consumer_group}} {{region}}"
RECORDED = "Needs the recording rules of sls-exporter."
SHOW_GROUP = ("Show this consumer group", to_group("__field.labels"))
SINCE_GOOD_POLL = f"time() - {of_group(GROUP_LAST_SUCCESS)}"


def dashboard() -> Dashboard:
    """Return the overview."""
    return frame(
        OVERVIEW_UID,
        "SLS consumer groups: overview",
        "Stalls and lags of all consumer groups that sls-exporter watches.",
        variables=[datasource(), job(), *groups(one=False)],
        alerts=EXPORTER_OR_GROUP,
        rows={
            "Now": first_screen.panels(),
            "Consumer groups": [*_numbers(), _groups()],
            "Over time": _history(),
            "The exporter": _exporter(),
        },
    )


def _numbers() -> list[Panel]:
    return [
        number(
            "Consumer groups",
            "Number of consumer groups that are watched.",
            f"count({of_group(GROUP_UP)})",
            unit="short",
        ).span(8),
        number(
            "Worst stall",
            "Time for which the worst shard has had unread data and its checkpoint has not "
            "advanced. 0 if there is none. A dash: no cursor access.",
            f"max({worst(STALLED)})",
            unit="s",
            steps=STALL_SECONDS,
            decimals=0,
        ).span(8),
        number(
            "Oldest unread data",
            "Age of the oldest unread log as a share of its logstore's retention time: at 100 % it "
            "is deleted unread. A dash: nothing is unread.",
            f"max(\n{retention_used()}\n)",
            unit="percentunit",
            steps=RETENTION_SHARE,
            decimals=1,
        ).span(8),
    ]


def _groups() -> Panel:
    return rows(
        "All groups",
        "One row for each consumer group, the worst first. Click its name to see its shards.",
        [
            *GROUP_COLUMNS,
            Column(
                title="state of the worst shard",
                expr=worst_state(),
                mappings=state_mappings(),
                width=180,
            ),
            Column(title="stalled", expr=shards_in("stalled"), unit="short", width=80),
            Column(
                title="shards",
                expr=f"sum without (state) ({shards_by_state()})",
                unit="short",
                width=80,
            ),
            Column(title="consumers", expr=of_group(GROUP_CONSUMERS), unit="short", width=100),
            Column(
                title="worst stall", expr=worst(STALLED), unit="s", steps=STALL_SECONDS, width=110
            ),
            Column(title="worst lag", expr=worst(LAG), unit="s", steps=LAG_SECONDS, width=110),
            Column(
                title="unread log groups",
                expr=total(UNREAD),
                unit="short",
                width=140,
            ),
            Column(
                title="retention used",
                expr=retention_used(),
                unit="percentunit",
                steps=RETENTION_SHARE,
                width=130,
            ),
            Column(
                title="last successful poll",
                expr=SINCE_GOOD_POLL,
                unit="s",
                steps=POLL_AGE_SECONDS,
                width=120,
            ),
        ],
        sorted_by="state of the worst shard",
    )


def _history() -> list[Panel]:
    return [
        timeline(
            "State of the worst shard",
            "State of the shard of each group with the worst state. Blue and green are healthy. "
            + RECORDED,
            Query(recorded_worst_state(), NAME),
            unit="none",
            states=True,
            link=SHOW_GROUP,
        ),
        curves(
            "Worst stall by group",
            "The 20 groups with the longest stall of a shard. 0 if all shards advance or are read. "
            + RECORDED,
            [Query(f"topk(20, {recorded(STALLED)})", NAME)],
            unit="s",
            steps=STALL_SECONDS,
            link=SHOW_GROUP,
        ),
        curves(
            "Worst lag by group",
            "The 20 groups with the largest lag of a shard. " + RECORDED,
            [Query(f"topk(20, {recorded(LAG)})", NAME)],
            unit="s",
            steps=LAG_SECONDS,
            link=SHOW_GROUP,
        ),
        curves(
            "Stalled shards by cause",
            "The likely cause of each stall in the selected groups, from their checkpoints. "
            + RECORDED,
            [Query(f"sum by (cause) ({recorded(GROUP_STALLED_SHARDS)})", "{{cause}}")],
            unit="short",
            stacked=True,
        ),
        curves(
            "Shards by state",
            "All shards of all selected groups. A shard counts once for each group. " + RECORDED,
            [Query(f"sum by (state) ({recorded(GROUP_SHARDS)})", "{{state}}")],
            unit="short",
            stacked=True,
            colours=STATE_COLOURS,
        ),
        curves(
            "Unread log groups",
            "The 20 groups with most log groups between checkpoints and the ends of their shards. "
            + RECORDED,
            [Query(f"topk(20, {recorded(UNREAD)})", NAME)],
            unit="short",
            link=SHOW_GROUP,
        ),
    ]


def _exporter() -> list[Panel]:
    return [
        number(
            "Exporters",
            "Processes of the exporter that Prometheus scrapes. Without one, nothing is watched.",
            f"count({BUILD_INFO.name}{{{JOB}}})",
            unit="short",
            nothing="none",
        ),
        number(
            "Groups whose polls fail",
            "Consumer groups whose last poll failed in every replica.",
            f"sum(1 - {of_group(GROUP_UP)})",
            unit="short",
            steps=ONE_IS_BAD,
        ),
        number(
            "Longest time since a successful poll",
            "Time since the last successful poll of the group with the oldest one. Its values are "
            "that old, and its shards are not shown after stale_after.",
            f"max({SINCE_GOOD_POLL})",
            unit="s",
            steps=POLL_AGE_SECONDS,
            decimals=0,
        ),
        number(
            "Failed API requests",
            "Share of the requests to SLS that failed in the last 15 minutes. InvalidCursor does "
            "not count, because it means that data has expired or a shard is empty.",
            "(\n"
            f"  sum(rate({REQUEST_ERRORS.name}{{{JOB}, {NOT_INVALID_CURSOR}}}[15m]))\n"
            f"  or on () 0 * sum({REQUESTS.name}{{{JOB}}})\n"
            f")\n/ sum(rate({REQUESTS.name}{{{JOB}}}[15m]))",
            unit="percentunit",
            steps=ERROR_SHARE,
            decimals=1,
        ),
        number(
            "Logstores without cursors",
            "Logstores whose cursors the exporter has no permission to read. It cannot distinguish "
            "idle from dead consumers there. A dash: lag is off.",
            f"sum(1 - max without (instance, pod) ({CURSOR_ACCESS.name}{{{LOGSTORE}}}))",
            unit="short",
            steps=ONE_IS_ODD,
        ),
        number(
            "Refused configurations",
            "Exporters that rejected their newest configuration and keep the previous one.",
            f"sum(1 - {RELOAD_SUCCESSFUL.name}{{{JOB}}})",
            unit="short",
            steps=ONE_IS_ODD,
        ),
        curves(
            "Logstores polled",
            "Logstores by exporter. Replicas poll the same ones, shards poll different ones.",
            [Query(f"{TARGETS.name}{{{JOB}}}", "{{instance}}")],
            unit="short",
        ),
        curves(
            "Time since the last successful poll",
            "The 20 groups with the oldest successful poll.",
            [Query(f"topk(20, {SINCE_GOOD_POLL})", NAME)],
            unit="s",
            steps=POLL_AGE_SECONDS,
        ),
    ]
