"""The dashboard of the exporter itself: polls, requests to SLS, errors, cost, environment."""

from grafana_foundation_sdk.builders.dashboard import QueryVariable
from grafana_foundation_sdk.models.dashboard import Dashboard

from exporter.metrics.catalogue import DISCOVERY_LAST_SUCCESS, DISCOVERY_SUCCESS, GROUP_UP
from exporter.metrics.self_catalogue import (
    BUILD_INFO,
    CLOCK_SKEW,
    INTERVAL_USAGE,
    POLL_DURATION,
    POLL_ERRORS,
    POLLS,
    POLLS_SKIPPED,
    RELOAD_SUCCESS_TIME,
    RELOAD_SUCCESSFUL,
    SERIES,
    SERIES_DROPPED,
    SHARD,
    TARGET_CONFLICTS,
    TARGETS,
    TOTAL_SHARDS,
)
from tools.dashboards import requests_to_sls
from tools.dashboards.frame import EXPORTER_UID, Panel, datasource, frame, job, several, window
from tools.dashboards.limits import (
    ONE_IS_BAD,
    ONE_IS_ODD,
    OPEN_FILES_SHARE,
    POLL_AGE_SECONDS,
    SKEW_SECONDS,
    SKIPPED_SHARE,
    USED_SHARE,
)
from tools.dashboards.panels import Query, curves, label_value, number, timeline
from tools.dashboards.queries import ALL, JOB, or_none, rate
from tools.dashboards.tables import Column, rows

NUMBERS = f'count_values by (job, instance) ("number", {SHARD.name}{ALL})'
"""The number of each exporter among those that share the work, as a label."""


def dashboard() -> Dashboard:
    """Return the dashboard of the exporter."""
    return frame(
        EXPORTER_UID,
        "SLS consumer groups: the exporter",
        "The health of sls-exporter itself.",
        variables=[datasource(), job(), _instance(), window(JOB)],
        alerts='job=~"$job|", alertname=~"SLSExporter.+"',
        rows={
            "Now": _now(),
            "Polls": _polls(),
            "Listings": [_listings()],
            "Requests to SLS": requests_to_sls.panels(),
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
            "Logstores of all exporters that share the work. Replicas of one share count once.",
            f"sum(\n  max by (job, number) (\n    {TARGETS.name}{ALL}\n"
            f"    * on (job, instance) group_right () {NUMBERS}\n  )\n)",
            unit="short",
        ),
        number(
            "Missing exporter shards",
            "Shards of a scaled-out exporter without a process. Their logstores are not watched.",
            f"sum(\n  max by (job) ({TOTAL_SHARDS.name}{{{JOB}}})\n"
            f'  - count by (job) (count_values by (job) ("number", {SHARD.name}{{{JOB}}}))\n)',
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
        number(
            "Failing listings",
            "Listings of projects, logstores or consumer groups that fail in an exporter. New "
            "names are not found. A dash: the configuration needs no listing.",
            f"sum(1 - min without (instance, pod) ({DISCOVERY_SUCCESS.name}{ALL}))",
            unit="short",
            steps=ONE_IS_BAD,
        ),
        number(
            "Groups whose polls fail",
            "Consumer groups whose last poll failed in every replica.",
            f"sum(1 - max without (instance, pod) ({GROUP_UP.name}{ALL}))",
            unit="short",
            steps=ONE_IS_BAD,
        ),
        number(
            "Interval used",
            "Share of the polling interval that the polls of the busiest project take. Above "
            "100 %, polls are late or skipped.",
            f"max({INTERVAL_USAGE.name}{ALL})",
            unit="percentunit",
            steps=USED_SHARE,
            decimals=0,
        ),
        number(
            "Logstores left out",
            "Logstores that are not polled, because a logstore at another endpoint has the same "
            "series.",
            f"sum(max without (instance, pod) ({TARGET_CONFLICTS.name}{ALL}))",
            unit="short",
            steps=ONE_IS_BAD,
        ),
        number(
            "Series left out",
            "Series of shards that the exporters omit because of metrics.max_series.",
            f"sum(max by (job, number) (\n  {SERIES_DROPPED.name}{ALL}\n"
            f"  * on (job, instance) group_right () {NUMBERS}\n))",
            unit="short",
            steps=ONE_IS_BAD,
        ),
        number(
            "Largest clock skew",
            "Largest difference between the clock of an exporter and the clock of SLS.",
            f"max(abs({CLOCK_SKEW.name}{ALL}))",
            unit="s",
            steps=SKEW_SECONDS,
            decimals=0,
        ),
    ]


def _polls() -> list[Panel]:
    per_poll = f"sum by (le) (rate({POLL_DURATION.name}_bucket{ALL}[${{window}}s]))"
    return [
        curves(
            "Poll duration and interval",
            "Duration of a poll of one logstore, and time between two polls of the same "
            "logstore. The exporter skips a poll if the previous one has not ended.",
            [
                Query(f"histogram_quantile(0.5, {per_poll})", "duration, half of the polls"),
                Query(f"histogram_quantile(0.95, {per_poll})", "duration, 95 % of the polls"),
                Query(
                    f"max({TARGETS.name}{ALL} / rate({POLLS.name}{ALL}[${{window}}s]))",
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
            "polling.workers or the interval.",
            [
                Query(
                    f"rate({POLLS_SKIPPED.name}{ALL}[${{window}}s])\n"
                    f"/ (rate({POLLS.name}{ALL}[${{window}}s])\n"
                    f"+ rate({POLLS_SKIPPED.name}{ALL}[${{window}}s]))",
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


def _listings() -> Panel:
    failing = f"min without (instance, pod) ({DISCOVERY_SUCCESS.name}{ALL}) == 0"
    last = f"min without (instance, pod) ({DISCOVERY_LAST_SUCCESS.name}{ALL})"
    return rows(
        "Listings that fail",
        "Listings that fail in at least one exporter. A listing of projects has no project, and a "
        "listing of logstores no logstore. The time of a listing that never succeeded is a dash.",
        [
            Column(title="endpoint", label="sls_endpoint"),
            Column(title="project", label="project"),
            Column(title="logstore", label="logstore"),
            Column(
                title="failing exporters",
                expr=f"sum without (instance, pod) (1 - {DISCOVERY_SUCCESS.name}{ALL}) > 0",
                unit="short",
                width=160,
            ),
            Column(
                title="last success",
                expr=f"time() - {last}\nand {failing}",
                unit="s",
                steps=POLL_AGE_SECONDS,
                width=160,
            ),
        ],
        sorted_by="last success",
        nothing="No listing fails.",
    ).height(6)


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
