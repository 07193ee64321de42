"""The catalog of metrics: name, type, labels, help, and the values of polled metrics.

Polled metrics are written from it, in its order. Those of the exporter itself are in
``self_catalogue``, and those of the process and of Python come from prometheus_client. A test
compares docs/metrics.md with the catalog.
"""

from exporter.metrics.family import (
    AgeFamily,
    EntryFamily,
    Family,
    GroupFamily,
    LogstoreFamily,
    ShardFamily,
)
from exporter.metrics.self_catalogue import SELF_CATALOGUE
from exporter.metrics.values import (
    listed_settings,
    oldest_unconsumed,
    shards_by_state,
    stalled_by_cause,
    stalled_instants,
)

POLLED = "Polled on the exporter's schedule, not at the scrape."

_LARGEST = "Without the label shard, it is the largest value of the consumer group."
_SMALLEST = "Without the label shard, it is the smallest value of the consumer group."
_SUM = "Without the label shard, it is the sum of the consumer group."

_GROUP = ("project", "logstore", "consumer_group")
_LOGSTORE = ("project", "logstore")

CHECKPOINT_AGE = AgeFamily(
    name="sls_consumer_group_checkpoint_age_seconds",
    help="Time in seconds since the checkpoint was last written, computed at the scrape. It also "
    f"grows while the shard gets no data, so alert on stalled_seconds instead. {_LARGEST} {POLLED}",
    values=lambda shards: [shard.updated_at for shard in shards],
)
CHECKPOINT_UPDATED = ShardFamily(
    name="sls_consumer_group_checkpoint_update_timestamp_seconds",
    help=f"Unix timestamp of the last write of the checkpoint (updateTime). {_LARGEST} {POLLED}",
    values=lambda shards: [shard.updated_at for shard in shards],
    roll_up=max,
)
LAG = ShardFamily(
    name="sls_consumer_group_lag_seconds",
    help="Receive time of the newest log group minus that of the last consumed one in seconds, 0 "
    "when caught up. It may be interpolated, and is absent while it is not known exactly enough. "
    f"{_LARGEST} {POLLED}",
    values=lambda shards: [shard.lag_seconds for shard in shards],
    roll_up=max,
)
OLDEST_UNREAD = ShardFamily(
    name="sls_consumer_group_oldest_unread_timestamp_seconds",
    help="Unix timestamp at which the oldest unread log group was received. It may be "
    "interpolated, and is absent when caught up or while not known exactly enough. "
    f"{_SMALLEST} {POLLED}",
    values=lambda shards: [shard.oldest_unread_at for shard in shards],
    roll_up=min,
)
UNREAD = ShardFamily(
    name="sls_consumer_group_unread_log_groups",
    help="Number of log groups between the checkpoint and the end of the shard that have not "
    f"expired. {_SUM} {POLLED}",
    values=lambda shards: [shard.unread for shard in shards],
    roll_up=sum,
)
STALLED = AgeFamily(
    name="sls_consumer_group_stalled_seconds",
    help="Time in seconds for which unread data has existed and the checkpoint has not moved, 0 "
    f"when caught up. It grows for at most one interval after a poll. {_LARGEST} {POLLED}",
    values=stalled_instants,
    is_bounded=True,
)
GROUP_SHARDS = GroupFamily(
    name="sls_consumer_group_shards",
    labels=(*_GROUP, "state"),
    help=f"Number of shards of the consumer group by state. {POLLED}",
    values=shards_by_state,
)
GROUP_STALLED_SHARDS = GroupFamily(
    name="sls_consumer_group_stalled_shards",
    labels=(*_GROUP, "cause"),
    help=f"Number of stalled shards of the consumer group by the likely cause. {POLLED}",
    values=stalled_by_cause,
)
GROUP_CONSUMED = GroupFamily(
    name="sls_consumer_group_consumed_log_groups_total",
    kind="counter",
    help="Total number of log groups by which the checkpoints of the consumer group have advanced. "
    f"A checkpoint that is set back does not count. {POLLED}",
    values=lambda group, _: {(): group.totals.consumed if group.totals else None},
)
GROUP_WRITTEN = GroupFamily(
    name="sls_consumer_group_written_log_groups_total",
    kind="counter",
    help="Total number of log groups written to the shards of the consumer group, absent while no "
    f"end of a shard is known. {POLLED}",
    values=lambda group, _: {(): group.totals.written if group.totals else None},
)
GROUP_OWNER_CHANGES = GroupFamily(
    name="sls_consumer_group_owner_changes_total",
    kind="counter",
    help="Total number of times that the consumer name in a checkpoint of the consumer group "
    f"changed to another name. {POLLED}",
    values=lambda group, _: {(): group.totals.owner_changes if group.totals else None},
)
GROUP_RESETS = GroupFamily(
    name="sls_consumer_group_checkpoint_resets_total",
    kind="counter",
    help="Total number of times that a checkpoint of the consumer group was set back. " + POLLED,
    values=lambda group, _: {(): group.totals.checkpoint_resets if group.totals else None},
)
GROUP_CONSUMERS = GroupFamily(
    name="sls_consumer_group_consumers",
    help="Number of distinct consumer names in the checkpoints of the consumer group. A dead "
    "consumer counts until another one takes over its shards, and one without a name, as of Flink, "
    f"does not. {POLLED}",
    values=lambda _, snapshot: {} if snapshot is None else {(): len(snapshot.consumers)},
)
GROUP_INFO = GroupFamily(
    name="sls_consumer_group_info",
    kind="info",
    labels=(*_GROUP, "order", "timeout_seconds"),
    help="Settings of the consumer group as labels, always 1, absent if no listing contains the "
    f"group. {POLLED}",
    values=listed_settings,
)
GROUP_UP = GroupFamily(
    name="sls_consumer_group_up",
    help="Whether the newest poll of the consumer group succeeded and its values are still served "
    f"(1) or not (0). {POLLED}",
    values=lambda group, snapshot: {(): int(group.up and snapshot is not None)},
)
GROUP_LAST_SUCCESS = GroupFamily(
    name="sls_consumer_group_last_success_timestamp_seconds",
    help="Unix timestamp of the last successful reading of the checkpoints of the consumer group. "
    + POLLED,
    values=lambda group, _: {(): group.last_success},
)
GROUP_INTERVAL = GroupFamily(
    name="sls_consumer_group_poll_interval_seconds",
    help=f"Configured time between two polls of the consumer group in seconds. {POLLED}",
    values=lambda group, _: {(): group.interval},
)
GROUP_STALL_AFTER = GroupFamily(
    name="sls_consumer_group_stall_after_seconds",
    help="Configured time in seconds after which a shard of the consumer group counts as stalled. "
    + POLLED,
    values=lambda group, _: {(): group.settings.stall_after},
)
GROUP_LAG_LIMIT = GroupFamily(
    name="sls_consumer_group_lag_limit_seconds",
    help=f"Configured lag in seconds above which the consumer group is too far behind. {POLLED}",
    values=lambda group, _: {(): group.settings.lag_limit},
)
GROUP_RETENTION = GroupFamily(
    name="sls_consumer_group_retention_seconds",
    help="Time in seconds for which the logstore of the consumer group keeps its logs, absent if "
    f"it is not known. {POLLED}",
    values=lambda group, snapshot: {(): group.retention_seconds if snapshot else None},
)
GROUP_CURSOR_ACCESS = GroupFamily(
    name="sls_consumer_group_cursor_access",
    help="Whether the exporter may read the cursors that the states of the consumer group need (1) "
    f"or not (0), absent if it does not request them. {POLLED}",
    values=lambda group, snapshot: {(): group.cursor_access if snapshot else None},
)
GROUP_OLDEST_UNCONSUMED = GroupFamily(
    name="sls_consumer_group_oldest_unconsumed_timestamp_seconds",
    help="Unix timestamp at which the oldest log group in a shard without a checkpoint was "
    f"received, absent if there is none. {POLLED}",
    values=oldest_unconsumed,
)
GROUP_CATCH_UP = GroupFamily(
    name="sls_consumer_group_catch_up_seconds",
    help="Time in seconds until the consumer group has caught up in its worst shard at its recent "
    "speed. It is 0 if the group keeps up, +Inf if it never catches up, and absent while the speed "
    f"is not known. {POLLED}",
    values=lambda _, snapshot: {(): snapshot.outlook.catch_up_seconds if snapshot else None},
)
GROUP_DATA_LOSS = GroupFamily(
    name="sls_consumer_group_data_loss_seconds",
    help="Time in seconds until unread data of the consumer group expires at its recent speed, "
    f"absent if it catches up before or if the speed or the retention time is not known. {POLLED}",
    values=lambda _, snapshot: {(): snapshot.outlook.data_loss_seconds if snapshot else None},
)
LOGSTORE_SHARDS = LogstoreFamily(
    name="sls_logstore_shards",
    labels=(*_LOGSTORE, "status"),
    help=f"Number of shards of the logstore by status. {POLLED}",
    values=lambda target: {
        (status,): count for status, count in (target.shards_by_status or {}).items()
    },
)
LOGSTORE_RETENTION = LogstoreFamily(
    name="sls_logstore_retention_seconds",
    help=f"Time in seconds for which the logstore keeps its logs. {POLLED}",
    values=lambda target: {(): target.retention_seconds},
)
CURSOR_ACCESS = LogstoreFamily(
    name="sls_exporter_cursor_access",
    help="Whether the exporter can read the cursors of the logstore (1) or lacks the permission "
    f"and knows only checkpoints (0). {POLLED}",
    values=lambda target: {(): target.cursor_access},
)
RETENTION_ACCESS = LogstoreFamily(
    name="sls_exporter_retention_access",
    help="Whether the retention time of the logstore could be read (1) or not (0), absent if it "
    f"is not requested. Without it, no alert about expiring data is possible. {POLLED}",
    values=lambda target: {(): target.retention_access},
)
DISCOVERY_SUCCESS = EntryFamily(
    name="sls_exporter_discovery_success",
    help="Whether the newest listing succeeded (1) or failed (0). A listing of projects has an "
    f"empty project, and a listing of logstores an empty logstore. {POLLED}",
    value=lambda entry: int(entry.failure is None),
)
DISCOVERY_LAST_SUCCESS = EntryFamily(
    name="sls_exporter_discovery_last_success_timestamp_seconds",
    help="Unix timestamp of the last successful listing, absent before the first. " + POLLED,
    value=lambda entry: entry.last_success,
)
_POLLED = tuple(value for value in tuple(globals().values()) if isinstance(value, Family))
CATALOGUE: tuple[Family, ...] = (*_POLLED, *SELF_CATALOGUE)
OF_SHARDS = tuple(family for family in CATALOGUE if isinstance(family, ShardFamily))
OF_GROUPS = tuple(family for family in CATALOGUE if isinstance(family, GroupFamily))
OF_LOGSTORES = tuple(family for family in CATALOGUE if isinstance(family, LogstoreFamily))
OF_ENTRIES = tuple(family for family in CATALOGUE if isinstance(family, EntryFamily))
