"""Every metric of this exporter: name, type, labels and help.

docs/metrics.md is checked against it. Those of the process and of Python itself come from
prometheus_client as they are.
"""

from exporter.metrics.family import Family

POLLED = "Polled on the exporter's schedule, not at the scrape."

_SHARD = ("project", "logstore", "consumer_group", "shard", "consumer")
_GROUP = ("project", "logstore", "consumer_group")
_LOGSTORE = ("project", "logstore")

CHECKPOINT_AGE = Family(
    name="sls_consumer_group_checkpoint_age_seconds",
    kind="gauge",
    labels=_SHARD,
    help="Time since the checkpoint was last written, computed at the scrape. An idle shard grows "
    f"old behind a healthy consumer: alert on stalled_seconds instead. {POLLED}",
)
CHECKPOINT_UPDATED = Family(
    name="sls_consumer_group_checkpoint_update_timestamp_seconds",
    kind="gauge",
    labels=_SHARD,
    help=f"When the checkpoint was last written (updateTime), Unix time. {POLLED}",
)
LAG = Family(
    name="sls_consumer_group_lag_seconds",
    kind="gauge",
    labels=_SHARD,
    help="Receive time of the newest log group minus that of the last consumed one in seconds, 0 "
    "when caught up. It may be interpolated, and is absent while it is not known exactly enough. "
    + POLLED,
)
OLDEST_UNREAD = Family(
    name="sls_consumer_group_oldest_unread_timestamp_seconds",
    kind="gauge",
    labels=_SHARD,
    help="Unix timestamp at which the oldest unread log group was received, absent when caught up. "
    f"It may be interpolated. {POLLED}",
)
UNREAD = Family(
    name="sls_consumer_group_unread_log_groups",
    kind="gauge",
    labels=_SHARD,
    help=f"Log groups between the checkpoint and the end of the shard. {POLLED}",
)
STALLED = Family(
    name="sls_consumer_group_stalled_seconds",
    kind="gauge",
    labels=_SHARD,
    help="Time in seconds for which unread data has existed and the checkpoint has not moved, 0 "
    f"when caught up. It grows for at most one interval after a poll. {POLLED}",
)
GROUP_SHARDS = Family(
    name="sls_consumer_group_shards",
    kind="gauge",
    labels=(*_GROUP, "state"),
    help=f"Shards of the consumer group by state. {POLLED}",
)
GROUP_CONSUMERS = Family(
    name="sls_consumer_group_consumers",
    kind="gauge",
    labels=_GROUP,
    help=f"Distinct consumers that own a shard and have a name. {POLLED}",
)
GROUP_INFO = Family(
    name="sls_consumer_group_info",
    kind="gauge",
    labels=(*_GROUP, "order", "timeout_seconds"),
    help=f"1, with the settings of a consumer group that was listed. {POLLED}",
)
GROUP_UP = Family(
    name="sls_consumer_group_up",
    kind="gauge",
    labels=_GROUP,
    help="Whether the newest poll of the consumer group succeeded and its values are still served "
    f"(1) or not (0). {POLLED}",
)
GROUP_LAST_SUCCESS = Family(
    name="sls_consumer_group_last_success_timestamp_seconds",
    kind="gauge",
    labels=_GROUP,
    help="Unix timestamp of the last successful reading of the checkpoints of the consumer group. "
    + POLLED,
)
GROUP_INTERVAL = Family(
    name="sls_consumer_group_poll_interval_seconds",
    kind="gauge",
    labels=_GROUP,
    help=f"Configured time between two polls of the consumer group in seconds. {POLLED}",
)
LOGSTORE_SHARDS = Family(
    name="sls_logstore_shards",
    kind="gauge",
    labels=(*_LOGSTORE, "status"),
    help=f"Shards of the logstore by status. {POLLED}",
)
LOGSTORE_RETENTION = Family(
    name="sls_logstore_retention_seconds",
    kind="gauge",
    labels=_LOGSTORE,
    help=f"How long the logstore keeps its logs. {POLLED}",
)
CURSOR_ACCESS = Family(
    name="sls_exporter_cursor_access",
    kind="gauge",
    labels=_LOGSTORE,
    help="1 if the exporter may read the cursors of the logstore, 0 if only checkpoints are "
    f"known for lack of the right. {POLLED}",
)
SERIES = Family(
    name="sls_exporter_series",
    kind="gauge",
    help="Series of polled metrics in this scrape.",
)
SERIES_DROPPED = Family(
    name="sls_exporter_series_dropped",
    kind="gauge",
    help="Series of single shards left out of this scrape, which metrics.max_series bounds.",
)
TARGETS = Family(
    name="sls_exporter_targets",
    kind="gauge",
    help="Logstores that are polled.",
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
    labels=("operation",),
    help="Requests to the SLS API, each try counted.",
)
REQUEST_ERRORS = Family(
    name="sls_exporter_api_request_errors_total",
    kind="counter",
    labels=("operation", "code"),
    help="Requests to the SLS API that failed, each try counted.",
)
RETRIES = Family(
    name="sls_exporter_api_retries_total",
    kind="counter",
    labels=("operation",),
    help="Tries of requests to the SLS API after a first one that failed.",
)
REQUEST_DURATION = Family(
    name="sls_exporter_api_request_duration_seconds",
    kind="histogram",
    labels=("operation",),
    help="Duration of requests to the SLS API, each try observed.",
)
POLLS = Family(
    name="sls_exporter_polls_total",
    kind="counter",
    help="Total number of completed logstore polls, including failed ones.",
)
POLL_DURATION = Family(
    name="sls_exporter_poll_duration_seconds",
    kind="histogram",
    help="Duration of polls of a logstore.",
)
POLLS_SKIPPED = Family(
    name="sls_exporter_polls_skipped_total",
    kind="counter",
    help="Total number of polls skipped because the previous poll of the logstore was under way.",
)
CLOCK_SKEW = Family(
    name="sls_exporter_clock_skew_seconds",
    kind="gauge",
    labels=("endpoint",),
    help="Clock of the SLS server minus clock of the exporter in seconds, from the x-log-time of "
    "the last responses.",
)
IGNORED_SERVER_TIMES = Family(
    name="sls_exporter_ignored_server_times_total",
    kind="counter",
    labels=("sls_endpoint",),
    help="Total number of successful responses whose x-log-time was ignored because it was more "
    "than 15 minutes from the exporter's clock.",
)
REQUEST_LIMIT = Family(
    name="sls_exporter_request_limit_per_second",
    kind="gauge",
    labels=("sls_endpoint", "project"),
    help="Number of requests per second that the exporter allows itself for the project. It falls "
    "after a refusal by SLS and rises again while requests wait.",
)
INTERVAL_USAGE = Family(
    name="sls_exporter_poll_interval_usage_ratio",
    kind="gauge",
    labels=("sls_endpoint", "project"),
    help="Share of the interval that the polls of the project take. Above 1, polls are late or "
    "skipped.",
)
SHARD = Family(
    name="sls_exporter_shard",
    kind="gauge",
    help="Number of this exporter among all that share the targets, from 0.",
)
TOTAL_SHARDS = Family(
    name="sls_exporter_total_shards",
    kind="gauge",
    help="Number of exporters that share the targets.",
)
RELOAD_SUCCESSFUL = Family(
    name="sls_exporter_config_last_reload_successful",
    kind="gauge",
    help="1 if the last attempt to load the configuration succeeded, else 0.",
)
RELOAD_SUCCESS_TIME = Family(
    name="sls_exporter_config_last_reload_success_timestamp_seconds",
    kind="gauge",
    help="When the configuration was last loaded successfully, Unix time.",
)
BUILD_INFO = Family(
    name="sls_exporter_build_info",
    kind="gauge",
    labels=("version", "python"),
    help="1, with the versions of the exporter and of Python.",
)

CATALOGUE: tuple[Family, ...] = tuple(
    value for value in tuple(globals().values()) if isinstance(value, Family)
)
