"""The dashboard of the exporter while four exporters share the work, each with two replicas."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import promtool
from tests.support.dashboards import inserted, queries

SHARDS = 4
REPLICAS = "ab"
CHOSEN = {"__rate_interval": "60s", "job": "(sls)", "instance": "(.+)", "window": "300"}
AT = "10m"
LISTING = 'sls_endpoint="https://e",project="{}",logstore="{}"'
OF_SHOP = 'sls_endpoint="https://e",project="shop"'


def series_of(number: int, replica: str) -> Mapping[str, str]:
    """Return the series of one process, whose number is part of most values.

    The exporter 3 cannot list the logstores of a project, and the listing of another project never
    succeeded. The replica b of the exporter 2 cannot be scraped, and exporter 4 is missing.
    """
    if (number, replica) == (2, "b"):
        return {"up": "0x60"}
    fails = number == 3
    return {
        "up": "1x60",
        "sls_exporter_shard": f"{number}x60",
        "sls_exporter_total_shards": f"{SHARDS + 1}x60",
        "sls_exporter_targets": f"{10 * (number + 1)}x60",
        "sls_exporter_series_dropped": f"{number}x60",
        f"sls_exporter_poll_interval_usage_ratio{{{OF_SHOP}}}": f"0.{number + 1}x60",
        f"sls_exporter_request_limit_per_second{{{OF_SHOP}}}": "2.5x60",
        f'sls_exporter_api_requests_total{{{OF_SHOP},operation="GetCursor"}}': "0+30x60",
        f"sls_exporter_discovery_success{{{LISTING.format('shop', '')}}}": f"{1 - fails:d}x60",
        f"sls_exporter_discovery_success{{{LISTING.format('logs', '')}}}": "0x60",
        f"sls_exporter_discovery_success{{{LISTING.format('', '')}}}": "1x60",
        f"sls_exporter_discovery_last_success_timestamp_seconds{{{LISTING.format('shop', '')}}}": (
            "60x60" if fails else "0+60x60"
        ),
    }


@pytest.mark.parametrize(
    ("panel", "expected"),
    [
        ("Logstores polled", [{"{}": 10 + 20 + 30 + 40}]),
        ("Series left out", [{"{}": 0 + 1 + 2 + 3}]),
        ("Missing exporter shards", [{"{}": 1}]),
        ("Failed scrapes", [{"{}": 1}]),
        ("Interval used", [{"{}": 0.4}]),
        ("Failing listings", [{"{}": 2}]),
        (
            "Listings that fail",
            [
                {
                    '{job="sls", project="shop", sls_endpoint="https://e"}': 2,
                    '{job="sls", project="logs", sls_endpoint="https://e"}': 7,
                },
                {'{job="sls", project="shop", sls_endpoint="https://e"}': 9 * 60},
            ],
        ),
        (
            "Request rate and limit",
            [
                {'{job="sls", project="shop", sls_endpoint="https://e"}': 7 * 0.5},
                {'{job="sls", project="shop", sls_endpoint="https://e"}': 7 * 2.5},
            ],
        ),
    ],
)
def test_panel_counts_each_share_of_the_work_once(
    panel: str, expected: list[Mapping[str, float]], tmp_path: Path
) -> None:
    asked = [each for each in queries() if (each.dashboard, each.panel) == ("exporter.json", panel)]
    tests = [
        {
            "expr": inserted(each.expr, each.dashboard, CHOSEN),
            "eval_time": AT,
            "exp_samples": [{"labels": name, "value": value} for name, value in found.items()],
        }
        for each, found in zip(asked, expected, strict=True)
    ]
    promtool.run("promtool", "test", "rules", case(tmp_path, tests))


def case(folder: Path, tests: list[dict[str, Any]]) -> Path:
    """Write the series of all processes and the queries to evaluate as a file for promtool."""
    found = [
        {"series": with_target(name, f"{replica}-{number}"), "values": values}
        for number in range(SHARDS)
        for replica in REPLICAS
        for name, values in series_of(number, replica).items()
    ]
    path = folder / "test.yaml"
    document = {"tests": [{"interval": "1m", "input_series": found, "promql_expr_test": tests}]}
    path.write_text(yaml.safe_dump(document))
    return path


def with_target(name: str, instance: str) -> str:
    metric, _, labels = name.rstrip("}").partition("{")
    own = f'job="sls",instance="{instance}"'
    return f"{metric}{{{labels},{own}}}" if labels else f"{metric}{{{own}}}"
