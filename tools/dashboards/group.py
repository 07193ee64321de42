"""The dashboard of one consumer group: stalls, lags and owners of its shards."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from exporter.metrics.catalogue import (
    CHECKPOINT_AGE,
    CHECKPOINT_UPDATED,
    GROUP_CONSUMERS,
    GROUP_SHARDS,
    GROUP_UP,
    LAG,
    STALLED,
    UNREAD,
)
from exporter.metrics.family import Family
from tools.dashboards.frame import GROUP_UID, Panel, datasource, frame, groups, job, shard, window
from tools.dashboards.group_history import of_group_over_time, of_shards_over_time
from tools.dashboards.limits import (
    CATCH_UP_SECONDS,
    LAG_SECONDS,
    LOSS_SECONDS,
    ONE_IS_BAD,
    RETENTION_SHARE,
    STALL_SECONDS,
    never_mappings,
    state_mappings,
)
from tools.dashboards.panels import Query, label_value, number
from tools.dashboards.queries import (
    GROUP,
    SHARD,
    catch_up,
    data_loss,
    firing,
    of_group,
    recorded,
    retention_used,
    shards_in,
    stalled_by_cause,
    total,
    worst,
    worst_state,
)
from tools.dashboards.tables import Column, rows

OF_GROUP = ("project", "logstore", "consumer_group")


def dashboard() -> Dashboard:
    """Return the dashboard of a consumer group."""
    return frame(
        GROUP_UID,
        "SLS consumer groups: one group",
        "The shards of one consumer group.",
        variables=[datasource(), job(), *groups(one=True), shard(), window(GROUP)],
        alerts=GROUP,
        rows={
            "Now": _now(),
            "Shards now": [_shards()],
            "The group over time": of_group_over_time(),
            "Shards over time": of_shards_over_time(),
        },
    )


def _now() -> list[Panel]:
    return [
        number(
            "State of the worst shard",
            "State of the shard of the group with the worst state.",
            worst_state(),
            unit="none",
            mappings=state_mappings(),
        ),
        number(
            "Stalled shards",
            "Shards with unread data and a checkpoint that has not advanced for stall_after.",
            shards_in("stalled"),
            unit="short",
            steps=ONE_IS_BAD,
        ),
        number(
            "Worst stall",
            "Time for which the worst shard has had unread data and an unchanged checkpoint.",
            worst(STALLED),
            unit="s",
            steps=STALL_SECONDS,
            decimals=0,
        ),
        number(
            "Worst lag",
            "Receive time of the newest log minus that of the last consumed one, on the worst "
            "shard.",
            worst(LAG),
            unit="s",
            steps=LAG_SECONDS,
            decimals=0,
        ),
        number(
            "Retention used",
            "Age of the oldest unread log as a share of the retention time: at 100 % it is deleted "
            "unread. A dash: nothing is unread.",
            retention_used(),
            unit="percentunit",
            steps=RETENTION_SHARE,
            decimals=1,
        ),
        number(
            "Failed polls",
            "1 while the exporter cannot poll this group. The values here are then old.",
            f"1 - {of_group(GROUP_UP)}",
            unit="short",
            steps=ONE_IS_BAD,
        ),
        number(
            "Firing alerts",
            "Alerts about this group. A dash: Prometheus does not evaluate the rules.",
            f"count({firing(GROUP)})\nor on () 0 * count({recorded(GROUP_SHARDS)})",
            unit="short",
            steps=ONE_IS_BAD,
        ),
        label_value(
            "Likely causes",
            "The likely causes of the stalled shards. A dash: no shard is stalled.",
            Query(f"sum by (cause) ({stalled_by_cause()}) > 0", "{{cause}}"),
        ),
        number(
            "Time to data loss",
            "Time until the group loses unread data at its recent speed. A dash: it loses none, or "
            "its speed is not known.",
            data_loss(),
            unit="s",
            steps=LOSS_SECONDS,
            decimals=0,
        ),
        number(
            "Time to catch up",
            "Time until the group has caught up at its recent speed. A dash: its speed is not "
            "known.",
            catch_up(),
            unit="s",
            steps=CATCH_UP_SECONDS,
            mappings=never_mappings(),
            decimals=0,
        ),
        number(
            "Unread",
            "Number of log groups between the checkpoints and the ends of the shards.",
            total(UNREAD),
            unit="short",
        ),
        number(
            "Consumers now",
            "Distinct consumer names in the checkpoints, also of dead consumers.",
            of_group(GROUP_CONSUMERS),
            unit="short",
        ),
    ]


def _shards() -> Panel:
    def largest(metric: Family) -> str:
        return f"max without (instance, pod) ({metric.name}{{{SHARD}}})"

    return rows(
        "Shards",
        "One row for each shard and its owner, the longest stall first. The owner is the consumer "
        "that wrote the last checkpoint, whether it still runs or not.",
        [
            Column(title="shard", label="shard", width=80),
            Column(title="consumer", label="consumer"),
            Column(title="stalled for", expr=largest(STALLED), unit="s", steps=STALL_SECONDS),
            Column(title="lag", expr=largest(LAG), unit="s", steps=LAG_SECONDS),
            Column(title="unread log groups", expr=largest(UNREAD), unit="short"),
            Column(title="checkpoint age", expr=largest(CHECKPOINT_AGE), unit="s"),
            Column(
                title="checkpoint written",
                expr=f"1000 * {largest(CHECKPOINT_UPDATED)}",
                unit="dateTimeAsIso",
            ),
        ],
        sorted_by="stalled for",
        hidden=OF_GROUP,
    )
