"""A real Prometheus scrapes the running demo, in both formats, and gives the ages back."""

import functools
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import daemon
from tests.support.daemon import Daemon
from tests.support.debian import program
from tests.support.prometheus import prometheus
from tests.support.text_relay import text_relay
from tests.support.wait import wait_for


@pytest.fixture(name="demo")
def _demo() -> Iterator[Daemon]:
    with daemon.demo() as running:
        yield running


def test_promtool_has_nothing_to_say_about_the_metrics(demo: Daemon) -> None:
    done = subprocess.run(
        [program("promtool"), "check", "metrics"],
        input=demo.get("/metrics").text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_prometheus_scrapes_both_formats_and_returns_the_ages(demo: Daemon, tmp_path: Path) -> None:
    with text_relay(f"{demo.url}/metrics") as relay:
        configuration = f"""\
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: openmetrics
    static_configs: [{{targets: ["{demo.url.removeprefix("http://")}"]}}]
  - job_name: text
    static_configs: [{{targets: ["127.0.0.1:{relay.port}"]}}]
"""
        with prometheus(tmp_path, configuration) as server:
            for job in ("openmetrics", "text"):
                idle = f'{{job="{job}",consumer_group="idle"}}'
                query = f"sls_consumer_group_checkpoint_age_seconds{idle}"
                found = wait_for(functools.partial(server.query, query), timeout=30, what=query)
                ages = [float(entry["value"][1]) for entry in found]
                assert len(ages) == 2
                assert all(43_000 < age < 45_000 for age in ages), "idle for twelve hours"
                assert {entry["metric"]["consumer"] for entry in found} == {
                    "exporter-0",
                    "exporter-1",
                }
                stalled = server.query(f'sls_consumer_group_stalled_seconds{{job="{job}"}} > 300')
                named = [
                    (entry["metric"]["consumer_group"], entry["metric"]["shard"])
                    for entry in stalled
                ]
                assert ("stalled", "3") in named
                assert {group for group, _ in named} == {"stalled", "expired"}
                counters = server.query(f'sls_exporter_polls_total{{job="{job}"}}')
                assert len(counters) == 1
            assert [target["lastError"] for target in server.targets()] == ["", ""]
        assert relay.content_types == {"text/plain; version=0.0.4; charset=utf-8"}


def test_openmetrics_is_what_prometheus_asks_for_and_gets(demo: Daemon) -> None:
    accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
    answer = demo.get("/metrics", Accept=accept)
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert answer.text.endswith("# EOF\n")
    assert re.search(r"^sls_exporter_polls_total \d", answer.text, re.MULTILINE)
