"""The metrics of the exporter itself: name, type, labels and help.

``self_metrics`` counts them, and ``polled_text`` writes those that depend on the scrape.
"""

from exporter.metrics.family import Family

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
TARGET_CONFLICTS = Family(
    name="sls_exporter_target_conflicts",
    labels=("sls_endpoint", "project"),
    help="Number of logstores that are not polled because their series would be those of a "
    "logstore at another endpoint.",
)
MATCHING_GROUPS = Family(
    name="sls_exporter_matching_groups",
    labels=("item",),
    help="Number of polled consumer groups that match an item of logstores in the configuration, "
    "such as projects[0].logstores[1]. It is not 0 but absent until all listings of the item "
    "have succeeded once.",
)

POLL_ERRORS = Family(
    name="sls_exporter_poll_errors_total",
    kind="counter",
    labels=("project", "logstore", "consumer_group", "code"),
    help="Total number of failed polls by SLS error code, or timeout, connection, "
    "invalid_response, credentials. Failures without a consumer group concern the logstore as a "
    "whole, or a listing.",
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

SELF_CATALOGUE = tuple(value for value in tuple(globals().values()) if isinstance(value, Family))
