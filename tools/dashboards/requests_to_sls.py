"""The panels of the requests to SLS."""

from exporter.metrics.self_catalogue import (
    REQUEST_DURATION,
    REQUEST_ERRORS,
    REQUEST_LIMIT,
    REQUESTS,
    RETRIES,
)
from tools.dashboards.frame import Panel
from tools.dashboards.limits import ERROR_SHARE
from tools.dashboards.panels import Query, curves
from tools.dashboards.queries import ALL, INSTANCE, NOT_INVALID_CURSOR, or_none, rate

MERGED = "operation, instance, pod"
BUSIEST = f"topk(10, sum without ({MERGED}) (rate({REQUESTS.name}{ALL}[${{window}}s])))"


def panels() -> list[Panel]:
    """Return the panels of requests, their errors and their rate limits."""

    def quantile(share: float, by: str = "") -> str:
        labels = f"le, {by}" if by else "le"
        buckets = f"{REQUEST_DURATION.name}_bucket{ALL}"
        return f"histogram_quantile({share}, sum by ({labels}) (rate({buckets}[${{window}}s])))"

    asked = f"{rate(REQUESTS, 'operation')} > 0"
    failed = f"{REQUEST_ERRORS.name}{{{INSTANCE}, {NOT_INVALID_CURSOR}}}"
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
            "Request rate and limit",
            "Requests per second of the 10 busiest projects, and the limit that the exporters have "
            "set themselves for each of them. It falls after a refusal by SLS.",
            [
                Query(BUSIEST, "{{project}} {{sls_endpoint}}"),
                Query(
                    f"sum without ({MERGED}) ({REQUEST_LIMIT.name}{ALL})\n"
                    f"and on (sls_endpoint, project) {BUSIEST}",
                    "limit of {{project}} {{sls_endpoint}}",
                ),
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
                        f"sum without (code, {MERGED}) (rate({failed}[15m]))\n"
                        f"/ sum without ({MERGED}) (rate({REQUESTS.name}{ALL}[15m]))",
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
                        f"sum by (code) (rate({throttled}[${{window}}s]))",
                        label="code",
                        scraped=REQUESTS,
                    ),
                    "{{code}}",
                )
            ],
            unit="reqps",
        ),
    ]
