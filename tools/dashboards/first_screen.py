"""The first screen of the overview: alerts, likely causes, data loss and lags."""

from grafana_foundation_sdk.builders import table

from exporter.metrics.catalogue import GROUP_SHARDS, LAG, STALLED
from tools.dashboards.frame import Panel, to_group
from tools.dashboards.limits import (
    CATCH_UP_SECONDS,
    LAG_SECONDS,
    LOSS_SECONDS,
    ONE_IS_BAD,
    STALL_SECONDS,
    never_mappings,
)
from tools.dashboards.panels import number
from tools.dashboards.queries import (
    EXPORTER_OR_GROUP,
    catch_up,
    data_loss,
    firing,
    recorded,
    shards_in,
    stalled_by_cause,
    worst,
)
from tools.dashboards.tables import Column, rows

GROUP_COLUMNS = (
    Column(title="project", label="project"),
    Column(title="logstore", label="logstore"),
    Column(title="consumer group", label="consumer_group", link=to_group("__data.fields")),
)
FURTHEST_BEHIND = f"topk(20, {worst(LAG)} > 0)"


def panels() -> list[Panel]:
    """Return the panels: the numbers of now, and tables that name the groups."""
    tables = (_alerts(), _causes(), _losses(), _lags())
    return [*_numbers(), *(each.height(8).span(12) for each in tables)]


def _numbers() -> list[Panel]:
    return [
        number(
            "Firing alerts",
            "Alerts of the rules of sls-exporter about the selected projects and the exporter. A "
            "dash: Prometheus does not evaluate the rules.",
            f"count({firing(EXPORTER_OR_GROUP)})\nor on () 0 * count({recorded(GROUP_SHARDS)})",
            unit="short",
            steps=ONE_IS_BAD,
        ),
        number(
            "Stalled shards",
            "Shards with unread data and a checkpoint that has not advanced for stall_after.",
            f"sum({shards_in('stalled')})",
            unit="short",
            steps=ONE_IS_BAD,
        ),
        number(
            "Shards that lost data",
            "Shards whose checkpoint is older than the oldest log that is left.",
            f"sum({shards_in('expired')})",
            unit="short",
            steps=ONE_IS_BAD,
        ),
        number(
            "Time to data loss",
            "Time until the first group loses unread data at its recent speed. A dash: no group "
            "does, or its speed is not known.",
            f"min({data_loss()})",
            unit="s",
            steps=LOSS_SECONDS,
            decimals=0,
        ),
        number(
            "Time to catch up",
            "Time until the last group has caught up at its recent speed. A dash: no speed is "
            "known.",
            f"max({catch_up()})",
            unit="s",
            steps=CATCH_UP_SECONDS,
            mappings=never_mappings(),
            decimals=0,
        ),
        number(
            "Worst lag",
            "Receive time of the newest log minus that of the last consumed one, on the worst "
            "shard. A dash: no cursor access.",
            f"max({worst(LAG)})",
            unit="s",
            steps=LAG_SECONDS,
            decimals=0,
        ),
    ]


def _alerts() -> table.Panel:
    since = firing(EXPORTER_OR_GROUP).replace("ALERTS", "ALERTS_FOR_STATE", 1)
    since = since.replace(', alertstate="firing"', "")
    return rows(
        "Alerts",
        "The firing alerts of the rules of sls-exporter, with the time since their conditions "
        "became true. The newest is first.",
        [
            Column(title="alert", label="alertname", width=230),
            Column(title="severity", label="severity", width=80),
            *GROUP_COLUMNS,
            Column(title="shard", label="shard", width=60),
            Column(
                title="active for",
                expr=f"time() - {since}\nand ignoring (alertstate) {firing(EXPORTER_OR_GROUP)}",
                unit="s",
                width=100,
            ),
        ],
        sorted_by="active for",
        smallest_first=True,
        nothing="No alert is firing.",
    )


def _causes() -> table.Panel:
    causes = f"{stalled_by_cause()} > 0"
    return rows(
        "Stalled groups by cause",
        "Consumer groups with stalled shards and their likely causes, the longest stall first.",
        [
            *GROUP_COLUMNS,
            Column(title="likely cause", label="cause", width=160),
            Column(title="stalled shards", expr=causes, unit="short", width=110),
            Column(
                title="worst stall",
                expr=f"0 * ({causes})\n+ ignoring (cause) group_left () {worst(STALLED)}",
                unit="s",
                steps=STALL_SECONDS,
                width=110,
            ),
        ],
        sorted_by="worst stall",
        nothing="No shard is stalled.",
    )


def _losses() -> table.Panel:
    return rows(
        "Groups that lose data",
        "The 20 groups that lose unread data first at their recent speed. SLS deletes the data "
        "of a group after this time.",
        [
            *GROUP_COLUMNS,
            Column(
                title="loses data in",
                expr=f"bottomk(20, {data_loss()})",
                unit="s",
                steps=LOSS_SECONDS,
                width=120,
            ),
        ],
        sorted_by="loses data in",
        smallest_first=True,
        nothing="No group loses data at its recent speed.",
    )


def _lags() -> table.Panel:
    return rows(
        "Groups furthest behind",
        "The 20 groups with the largest lag of a shard, and the time until each has caught up.",
        [
            *GROUP_COLUMNS,
            Column(title="lag", expr=FURTHEST_BEHIND, unit="s", steps=LAG_SECONDS, width=110),
            Column(
                title="caught up in",
                expr=f"{catch_up()}\nand {FURTHEST_BEHIND}",
                unit="s",
                steps=CATCH_UP_SECONDS,
                mappings=never_mappings(),
                width=120,
            ),
        ],
        sorted_by="lag",
        nothing="No group is behind.",
    )
