"""The dashboard of one consumer group: stalls, lags and owners of its shards."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from exporter.metrics.catalogue import (
    CHECKPOINT_AGE,
    CHECKPOINT_UPDATED,
    GROUP_CONSUMED,
    GROUP_CONSUMERS,
    GROUP_OWNER_CHANGES,
    GROUP_RESETS,
    GROUP_UP,
    GROUP_WRITTEN,
    LAG,
    STALLED,
    UNREAD,
)
from exporter.metrics.family import Family
from tools.dashboards.frame import GROUP_UID, Panel, datasource, frame, groups, job, shard, window
from tools.dashboards.limits import (
    LAG_SECONDS,
    ONE_IS_BAD,
    ONE_IS_ODD,
    RETENTION_SHARE,
    STALL_SECONDS,
    STATE_COLOURS,
)
from tools.dashboards.panels import Column, Query, curves, number, rows, timeline
from tools.dashboards.queries import (
    SHARD,
    increase,
    of_group,
    per_second,
    per_shard,
    retention_left,
    retention_used,
    shards_by_state,
    shards_in,
    stalled_by_cause,
    worst,
    worst_state,
)

NAME = "shard {{shard}}"
OF_GROUP = ("project", "logstore", "consumer_group")


def dashboard() -> Dashboard:
    """Return the dashboard of a consumer group."""
    return frame(
        GROUP_UID,
        "SLS consumer groups: one group",
        "The shards of one consumer group.",
        variables=[datasource(), job(), *groups(one=True), shard(), window()],
        rows={
            "Now": _now(),
            "Shards now": [_shards()],
            "Shards over time": _history(),
            "Consumers": _consumers(),
        },
    )


def _now() -> list[Panel]:
    return [
        number(
            "State of the worst shard",
            "State of the shard of the group with the worst state.",
            worst_state(),
            unit="none",
            states=True,
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


def _history() -> list[Panel]:
    return [
        timeline(
            "Stalls by shard",
            "Green: the checkpoint advances, or everything is read. Orange: there is unread data, "
            "and the checkpoint has not advanced for 2 minutes. Red: for 5 minutes, as in the "
            "alert.",
            Query(per_shard(STALLED), NAME),
            unit="s",
            steps=STALL_SECONDS,
        ),
        curves(
            "Stall",
            "Time for which data is unread and the checkpoint has not advanced. 0 if caught up.",
            [Query(per_shard(STALLED), NAME)],
            unit="s",
            steps=STALL_SECONDS,
        ),
        curves(
            "Lag",
            "Receive time of the newest log minus that of the last consumed one. The error is at "
            "most the consumer's flush interval plus the polling interval.",
            [Query(per_shard(LAG), NAME)],
            unit="s",
            steps=LAG_SECONDS,
        ),
        curves(
            "Unread log groups",
            "Number of log groups between the checkpoint and the end of the shard.",
            [Query(per_shard(UNREAD), NAME)],
            unit="short",
        ),
        curves(
            "Checkpoint age",
            "Time since the checkpoint was last written. It also grows while a shard is idle, "
            "because consumers do not write an unchanged checkpoint.",
            [Query(per_shard(CHECKPOINT_AGE), NAME)],
            unit="s",
        ),
        curves(
            "Retention headroom",
            "Time left until SLS deletes the oldest unread log. At 0, data is lost. A shard is not "
            "shown while everything in it is read, or if it was never read.",
            [Query(retention_left(), NAME)],
            unit="s",
        ),
        curves(
            "Written and consumed",
            "Log groups per second in the watched shards, over five polling intervals. If more is "
            "written than consumed, the group falls behind.",
            [
                Query(per_second(GROUP_WRITTEN), "written"),
                Query(per_second(GROUP_CONSUMED), "consumed"),
            ],
            unit="cps",
        ),
        curves(
            "Stalled shards by cause",
            "The likely cause of each stall, from the checkpoints of the group.",
            [Query(f"sum by (cause) ({stalled_by_cause()})", "{{cause}}")],
            unit="short",
            stacked=True,
        ),
        curves(
            "Shards by state",
            "All shards of the group.",
            [Query(f"sum by (state) ({shards_by_state()})", "{{state}}")],
            unit="short",
            stacked=True,
            colours=STATE_COLOURS,
        ),
    ]


def _consumers() -> list[Panel]:
    return [
        curves(
            "Consumers",
            "Distinct consumer names in the checkpoints. A dead consumer counts until another one "
            "takes over its shards, and one without a name (Flink) does not.",
            [Query(of_group(GROUP_CONSUMERS), "consumers")],
            unit="short",
        ),
        curves(
            "Owner changes",
            "Changes of the consumer name in checkpoints during five polling intervals. If they do "
            "not end, the group is being rebalanced all the time.",
            [Query(increase(GROUP_OWNER_CHANGES), "owner changes")],
            unit="short",
            steps=ONE_IS_ODD,
        ),
        curves(
            "Checkpoint resets",
            "Checkpoints that were set back during five polling intervals.",
            [Query(increase(GROUP_RESETS), "checkpoint resets")],
            unit="short",
            steps=ONE_IS_ODD,
        ),
    ]
