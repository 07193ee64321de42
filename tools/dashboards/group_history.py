"""The curves of one consumer group and of its shards."""

from exporter.metrics.catalogue import (
    CHECKPOINT_AGE,
    GROUP_CONSUMED,
    GROUP_CONSUMERS,
    GROUP_OWNER_CHANGES,
    GROUP_RESETS,
    GROUP_WRITTEN,
    LAG,
    STALLED,
    UNREAD,
)
from tools.dashboards.frame import Panel
from tools.dashboards.limits import (
    LAG_SECONDS,
    ONE_IS_ODD,
    STALL_SECONDS,
    STATE_COLOURS,
)
from tools.dashboards.panels import Query, curves, timeline
from tools.dashboards.queries import (
    NEVER,
    catch_up,
    data_loss,
    increase,
    of_group,
    per_second,
    per_shard,
    retention_left,
    shards_by_state,
    stalled_by_cause,
)

NAME = "shard {{shard}}"


def of_group_over_time() -> list[Panel]:
    """Return the curves of the group as a whole."""
    return [
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
            "Data loss and catching up",
            "Time until the group loses unread data and until it has caught up, at its recent "
            "speed. A group that never catches up has no curve.",
            [
                Query(data_loss(), "loses data in"),
                Query(f"{catch_up()} < {NEVER}", "caught up in"),
            ],
            unit="s",
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
        curves(
            "Consumers",
            "Distinct consumer names in the checkpoints. A dead consumer counts until another one "
            "takes over its shards, and one without a name (Flink) does not.",
            [Query(of_group(GROUP_CONSUMERS), "consumers")],
            unit="short",
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


def of_shards_over_time() -> list[Panel]:
    """Return the curves of each shard."""
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
            "Unread log groups",
            "Number of log groups between the checkpoint and the end of the shard.",
            [Query(per_shard(UNREAD), NAME)],
            unit="short",
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
            "Retention headroom",
            "Time left until SLS deletes the oldest unread log. At 0, data is lost. A shard is not "
            "shown while everything in it is read, or if it was never read.",
            [Query(retention_left(), NAME)],
            unit="s",
        ),
        curves(
            "Checkpoint age",
            "Time since the checkpoint was last written. It also grows while a shard is idle, "
            "because consumers do not write an unchanged checkpoint.",
            [Query(per_shard(CHECKPOINT_AGE), NAME)],
            unit="s",
        ),
    ]
