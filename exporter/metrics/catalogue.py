"""The catalog of metrics: name, type, labels, help, and the values of polled metrics.

Polled metrics are written from it, in its order, and a test compares docs/metrics.md with it. The
metrics of the process and of Python come from prometheus_client.
"""

from exporter.metrics.family import (
    AgeFamily,
    EntryFamily,
    Family,
    GroupFamily,
    LogstoreFamily,
    ShardFamily,
)
from exporter.metrics.values import (
    listed_settings,
    oldest_unconsumed,
    shards_by_state,
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
    help="Unix timestamp at which the oldest unread log group was received, absent when caught up. "
    f"It may be interpolated. {_SMALLEST} {POLLED}",
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
GROUP_OLDEST_UNCONSUMED = GroupFamily(
    name="sls_consumer_group_oldest_unconsumed_timestamp_seconds",
    help="Unix timestamp at which the oldest log group in a shard without a checkpoint was "
    f"received, absent if there is none. {POLLED}",
    values=oldest_unconsumed,
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
SERIES = Family(
    name="sls_exporter_series",
    help="Number of series of polled metrics in this scrape.",
)
SERIES_DROPPED = Family(
    name="sls_exporter_series_dropped",
    help="Number of series of shards that this scrape omits because of metrics.max_series. Series "
    "without the label shard count as well.",
)
TARGETS = Family(
    name="sls_exporter_targets",
    help="Number of logstores that the exporter polls.",
)

POLL_ERRORS = Family(
    name="sls_exporter_poll_errors_total",
    kind="counter",
    labels=(*_GROUP, "code"),
    help="Total number of failed polls by SLS error code, or timeout, connection, "
    "invalid_response, credentials. Failures without a consumer group concern the logstore as a "
    "whole.",
)
REQUESTS = Family(
    name="sls_exporter_api_requests_total",
    kind="counter",
    labels=("sls_endpoint", "project", "operation"),
    help="Total number of requests to the SLS API, including retries. The project is empty for the "
    "listing of projects.",
)
REQUEST_ERRORS = Family(
    name="sls_exporter_api_request_errors_total",
    kind="counter",
    labels=("sls_endpoint", "project", "operation", "code"),
    help="Total number of requests to the SLS API that failed, including retries. The project is "
    "empty for the listing of projects.",
)
RETRIES = Family(
    name="sls_exporter_api_retries_total",
    kind="counter",
    labels=("operation",),
    help="Total number of retries of requests to the SLS API.",
)
REQUEST_DURATION = Family(
    name="sls_exporter_api_request_duration_seconds",
    kind="histogram",
    labels=("operation",),
    help="Duration of requests to the SLS API in seconds, each attempt by itself.",
)
POLLS = Family(
    name="sls_exporter_polls_total",
    kind="counter",
    help="Total number of completed logstore polls, including failed ones.",
)
POLL_DURATION = Family(
    name="sls_exporter_poll_duration_seconds",
    kind="histogram",
    help="Duration of logstore polls in seconds.",
)
POLLS_SKIPPED = Family(
    name="sls_exporter_polls_skipped_total",
    kind="counter",
    help="Total number of polls skipped because the previous poll of the logstore was under way.",
)
CLOCK_SKEW = Family(
    name="sls_exporter_clock_skew_seconds",
    labels=("sls_endpoint",),
    help="Clock of the SLS server minus clock of the exporter in seconds, from the x-log-time of "
    "the last responses.",
)
IGNORED_SERVER_TIMES = Family(
    name="sls_exporter_ignored_server_times_total",
    kind="counter",
    labels=("sls_endpoint",),
    help="Total number of successful responses whose x-log-time was ignored because it was "
    "invalid or more than 15 minutes from the exporter's clock.",
)
TLS_HANDSHAKE_ERRORS = Family(
    name="sls_exporter_tls_handshake_errors_total",
    kind="counter",
    labels=("reason",),
    help="Total number of TLS handshakes with clients of the exporter that failed, by reason.",
)
REQUEST_LIMIT = Family(
    name="sls_exporter_request_limit_per_second",
    labels=("sls_endpoint", "project"),
    help="Number of requests per second that the exporter allows itself for the project. It falls "
    "after a refusal by SLS and rises again while requests wait.",
)
INTERVAL_USAGE = Family(
    name="sls_exporter_poll_interval_usage_ratio",
    labels=("sls_endpoint", "project"),
    help="Share of the interval that the polls of the project take. Above 1, polls are late or "
    "skipped.",
)
SHARD = Family(
    name="sls_exporter_shard",
    help="Number of this exporter among all that share the targets, from 0.",
)
TOTAL_SHARDS = Family(
    name="sls_exporter_total_shards",
    help="Number of exporters that share the targets.",
)
RELOAD_SUCCESSFUL = Family(
    name="sls_exporter_config_last_reload_successful",
    help="Whether the last attempt to load the configuration succeeded (1) or failed (0).",
)
RELOAD_SUCCESS_TIME = Family(
    name="sls_exporter_config_last_reload_success_timestamp_seconds",
    help="Unix timestamp of the last successful load of the configuration.",
)
BUILD_INFO = Family(
    name="sls_exporter_build_info",
    kind="info",
    labels=("version", "python"),
    help="Versions of the exporter and of Python as labels, always 1.",
)

CATALOGUE: tuple[Family, ...] = tuple(
    value for value in tuple(globals().values()) if isinstance(value, Family)
)
OF_SHARDS = tuple(family for family in CATALOGUE if isinstance(family, ShardFamily))
OF_GROUPS = tuple(family for family in CATALOGUE if isinstance(family, GroupFamily))
OF_LOGSTORES = tuple(family for family in CATALOGUE if isinstance(family, LogstoreFamily))
OF_ENTRIES = tuple(family for family in CATALOGUE if isinstance(family, EntryFamily))
