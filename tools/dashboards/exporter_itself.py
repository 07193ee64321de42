"""The dashboard of the exporter itself: polls, requests to SLS, errors, cost, environment."""

from grafana_foundation_sdk.builders.dashboard import QueryVariable
from grafana_foundation_sdk.models.dashboard import Dashboard

from exporter.metrics.self_catalogue import (
    BUILD_INFO,
    CLOCK_SKEW,
    POLL_DURATION,
    POLL_ERRORS,
    POLLS,
    POLLS_SKIPPED,
    RELOAD_SUCCESS_TIME,
    RELOAD_SUCCESSFUL,
    REQUEST_DURATION,
    REQUEST_ERRORS,
    REQUESTS,
    RETRIES,
    SERIES,
    SHARD,
    TARGETS,
    TOTAL_SHARDS,
)
from tools.dashboards.frame import EXPORTER_UID, Panel, datasource, frame, job, several
from tools.dashboards.limits import (
    ERROR_SHARE,
    ONE_IS_BAD,
    ONE_IS_ODD,
    OPEN_FILES_SHARE,
    SKIPPED_SHARE,
)
from tools.dashboards.panels import Query, curves, label_value, number, timeline
from tools.dashboards.queries import INSTANCE, JOB, NOT_INVALID_CURSOR, or_none, rate

ALL = f"{{{INSTANCE}}}"


def dashboard() -> Dashboard:
    """Return the dashboard of the exporter."""
    return frame(
        EXPORTER_UID,
        "SLS consumer groups: the exporter",
        "The health of sls-exporter itself.",
        variables=[datasource(), job(), _instance()],
        rows={
            "Now": _now(),
            "Polls": _polls(),
            "Requests to SLS": _requests(),
            "Process": _process(),
        },
    )


def _instance() -> QueryVariable:
    return several("instance", "Instance", f"label_values({BUILD_INFO.name}{{{JOB}}}, instance)")


def _now() -> list[Panel]:
    return [
        label_value(
            "Version",
            "Running versions. During an update, there is more than one.",
            Query(f"count by (version) ({BUILD_INFO.name}{ALL})", "{{version}}"),
        ),
        number(
            "Failed scrapes",
            "Exporters that Prometheus cannot scrape.",
            f"count(up{ALL} == 0) or on () 0 * count(up{{{JOB}}})",
            unit="short",
            steps=ONE_IS_BAD,
        ),
        number(
            "Logstores polled",
            "Logstores that the busiest exporter polls.",
            f"max({TARGETS.name}{ALL})",
            unit="short",
        ),
        number(
            "Missing exporter shards",
            "Shards of a scaled-out exporter without a process. Their logstores are not watched.",
            f"max({TOTAL_SHARDS.name}{{{JOB}}})\n"
            f'- count(count_values("number", {SHARD.name}{{{JOB}}}))',
            unit="short",
            steps=ONE_IS_BAD,
        ),
        number(
            "Refused configurations",
            "Exporters that rejected their newest configuration and keep the previous one.",
            f"sum(1 - {RELOAD_SUCCESSFUL.name}{ALL})",
            unit="short",
            steps=ONE_IS_ODD,
        ),
        number(
            "Configuration loaded",
            "Time of the last successful load of a configuration.",
            f"1000 * max({RELOAD_SUCCESS_TIME.name}{ALL})",
            unit="dateTimeFromNow",
        ),
    ]


def _polls() -> list[Panel]:
    per_poll = f"sum by (le) (rate({POLL_DURATION.name}_bucket{ALL}[10m]))"
    return [
        curves(
            "Poll duration and interval",
            "Duration of a poll of one logstore, and time between two polls of the same "
            "logstore. The exporter skips a poll if the previous one has not ended. Over 10 "
            "minutes.",
            [
                Query(f"histogram_quantile(0.5, {per_poll})", "duration, half of the polls"),
                Query(f"histogram_quantile(0.95, {per_poll})", "duration, 95 % of the polls"),
                Query(
                    f"max({TARGETS.name}{ALL} / rate({POLLS.name}{ALL}[10m]))",
                    "interval between polls",
                ),
            ],
            unit="s",
        ),
        curves(
            "Polls",
            "Completed polls of logstores, including failed ones.",
            [Query(rate(POLLS, "instance"), "{{instance}}")],
            unit="ops",
        ),
        curves(
            "Skipped polls",
            "Share of the polls that were skipped because the previous one had not ended. Raise "
            "polling.workers or the interval. Over 10 minutes.",
            [
                Query(
                    f"rate({POLLS_SKIPPED.name}{ALL}[10m])\n"
                    f"/ (rate({POLLS.name}{ALL}[10m]) + rate({POLLS_SKIPPED.name}{ALL}[10m]))",
                    "{{instance}}",
                )
            ],
            unit="percentunit",
            steps=SKIPPED_SHARE,
        ),
        curves(
            "Failed polls by code",
            "Failed polls by the error code of SLS, or timeout, connection, invalid_response.",
            [
                Query(
                    or_none(rate(POLL_ERRORS, "code"), label="code", scraped=POLLS),
                    "{{code}}",
                )
            ],
            unit="ops",
        ),
    ]


def _requests() -> list[Panel]:
    def quantile(share: float, by: str = "") -> str:
        labels = f"le, {by}" if by else "le"
        buckets = f"{REQUEST_DURATION.name}_bucket{ALL}"
        return f"histogram_quantile({share}, sum by ({labels}) (rate({buckets}[$__rate_interval])))"

    asked = f"{rate(REQUESTS, 'operation')} > 0"
    failed = f"{REQUEST_ERRORS.name}{{{INSTANCE}, {NOT_INVALID_CURSOR}}}"
    merged = "operation, instance, pod"
    throttled = f'{REQUEST_ERRORS.name}{{{INSTANCE}, code=~"(?i).*(quota|qps|throttl).*"}}'
    return [
        curves(
            "Requests by operation",
            "Requests to the SLS API, including retries.",
            [Query(asked, "{{operation}}")],
            unit="reqps",
            stacked=True,
        ),
        curves(
            "Request errors by code",
            "InvalidCursor is not a failure. It means that data has expired or a shard is empty.",
            [
                Query(
                    or_none(
                        rate(REQUEST_ERRORS, "operation, code"),
                        label="code",
                        scraped=REQUESTS,
                    ),
                    "{{operation}} {{code}}",
                )
            ],
            unit="reqps",
        ),
        curves(
            "Failed requests by project",
            "Share of the requests of each project that fail. An error InvalidCursor does not "
            "count, since it only means that data has expired or a shard is empty.",
            [
                Query(
                    or_none(
                        f"sum without (code, {merged}) (rate({failed}[15m]))\n"
                        f"/ sum without ({merged}) (rate({REQUESTS.name}{ALL}[15m]))",
                        label="project",
                        scraped=REQUESTS,
                    ),
                    "{{project}} {{sls_endpoint}}",
                )
            ],
            unit="percentunit",
            steps=ERROR_SHARE,
        ),
        curves(
            "Request latency",
            "Duration of requests to SLS, each attempt by itself.",
            [
                Query(quantile(0.5), "half of the requests"),
                Query(quantile(0.95), "95 %"),
                Query(quantile(0.99), "99 %"),
            ],
            unit="s",
        ),
        curves(
            "Request latency by operation",
            "95 % of the requests of each operation are faster.",
            [Query(f"{quantile(0.95, 'operation')}\nand on (operation) {asked}", "{{operation}}")],
            unit="s",
        ),
        curves(
            "Retries by operation",
            "Attempts after a first one that failed.",
            [Query(rate(RETRIES, "operation"), "{{operation}}")],
            unit="reqps",
        ),
        curves(
            "Throttled requests",
            "Requests that SLS refused because of its quotas. Lower polling.requests_per_second or "
            "poll less often.",
            [
                Query(
                    or_none(
                        f"sum by (code) (rate({throttled}[$__rate_interval]))",
                        label="code",
                        scraped=REQUESTS,
                    ),
                    "{{code}}",
                )
            ],
            unit="reqps",
        ),
    ]


def _process() -> list[Panel]:
    return [
        timeline(
            "Configuration",
            "Green: the exporter uses the newest configuration. Red: it rejected the newest one.",
            Query(f"1 - {RELOAD_SUCCESSFUL.name}{ALL}", "{{instance}}"),
            unit="none",
            steps=ONE_IS_BAD,
            width=12,
        ),
        curves(
            "Clock skew",
            "Clock of SLS minus clock of the exporter. SLS refuses requests from 15 minutes on.",
            [
                Query(
                    f"max by (instance, sls_endpoint) ({CLOCK_SKEW.name}{ALL})",
                    "{{instance}} {{sls_endpoint}}",
                )
            ],
            unit="s",
            lowest=None,
        ),
        curves(
            "Series",
            "Series of polled metrics in a scrape.",
            [Query(f"{SERIES.name}{ALL}", "{{instance}}")],
            unit="short",
        ),
        curves(
            "Scrape duration",
            "Duration of scrapes of the exporter, as measured by Prometheus.",
            [Query(f"scrape_duration_seconds{ALL}", "{{instance}}")],
            unit="s",
        ),
        curves(
            "Memory",
            "Resident memory of the exporter.",
            [Query(f"process_resident_memory_bytes{ALL}", "{{instance}}")],
            unit="bytes",
        ),
        curves(
            "CPU",
            "Cores that the exporter uses.",
            [Query(f"rate(process_cpu_seconds_total{ALL}[$__rate_interval])", "{{instance}}")],
            unit="short",
        ),
        curves(
            "Open files",
            "File descriptors in use as a share of those allowed.",
            [Query(f"process_open_fds{ALL} / process_max_fds{ALL}", "{{instance}}")],
            unit="percentunit",
            steps=OPEN_FILES_SHARE,
        ),
    ]
