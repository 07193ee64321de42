"""A current Prometheus and a current Alertmanager with the exporter and with its rules."""

import functools
import itertools
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.go_programs import go_program
from tests.conformance.libraries import BUILD_SECONDS
from tests.support import daemon, promtool
from tests.support.alarm import alarm_stage, by_prometheus, check_page_of_dead_consumer
from tests.support.daemon import Daemon
from tests.support.prometheus import prometheus
from tests.support.rule_tests import RULE_TESTS, unit_tests_without_keep_firing
from tests.support.stack import FILES
from tests.support.text_relay import text_relay
from tests.support.wait import wait_for
from tools.paths import RULES

pytestmark = pytest.mark.timeout(BUILD_SECONDS)

PROTOCOLS = (
    *("PrometheusProto", "OpenMetricsText1.0.0", "OpenMetricsText0.0.1"),
    *("PrometheusText1.0.0", "PrometheusText0.0.4"),
)
OPENMETRICS = "application/openmetrics-text;version=1.0.0"
FEATURES = "--enable-feature=created-timestamp-zero-ingestion,openmetrics2,zstd-scrape"
"""The first one makes Prometheus prefer protobuf and read start times."""
JOBS = {
    "default": "",
    "legacy names": "metric_name_validation_scheme: legacy",
    "escaped names": "metric_name_escaping_scheme: values",
    "unescaped names": "metric_name_escaping_scheme: allow-utf-8",
    "openmetrics 2": f"scrape_protocols: [OpenMetricsText2.0.0, {', '.join(PROTOCOLS)}]",
    "native histograms": "scrape_native_histograms: true",
    "uncompressed": "enable_compression: false",
}


@pytest.fixture(name="demo", scope="module")
def _demo() -> Iterator[Daemon]:
    with daemon.demo() as running:
        yield running


def expected(accept: str) -> str:
    """Return the content type for an Accept header: its first format that the exporter has."""
    for each in accept.split(","):
        if each.startswith(OPENMETRICS):
            return "application/openmetrics-text; version=1.0.0; charset=utf-8"
        if each.startswith("text/plain"):
            return "text/plain; version=0.0.4; charset=utf-8"
    raise AssertionError(accept)


def test_scrape_succeeds_in_every_order_of_protocols(demo: Daemon, tmp_path: Path) -> None:
    orders = list(itertools.permutations(PROTOCOLS))
    names = {
        sample.name
        for sample in demo.scrape().samples
        if sample.name.startswith("sls_consumer_group_")
    }
    with text_relay(f"{demo.url}/metrics", accept=None) as relay:
        jobs = "".join(
            f"  - {{job_name: '{number}', scrape_protocols: [{', '.join(order)}],"
            f" static_configs: [{{targets: ['127.0.0.1:{relay.port}']}}]}}\n"
            for number, order in enumerate(orders)
        )
        configuration = (
            f"global: {{scrape_interval: 30s, scrape_timeout: 30s}}\nscrape_configs:\n{jobs}"
        )
        with prometheus(tmp_path, configuration, executable=go_program("prometheus")) as server:
            wait_for(
                lambda: server.query(f"count(up == 1) == {len(orders)}"),
                timeout=180,
                what="a scrape in every order",
            )
            query = 'group by (job, __name__) ({__name__=~"sls_consumer_group_.+"})'
            found = {
                (entry["metric"]["job"], entry["metric"]["__name__"])
                for entry in server.query(query)
            }
        assert found >= set(itertools.product(map(str, range(len(orders))), names))
    assert len({accept for accept, _ in relay.passed}) == len(orders)
    for accept, content_type in relay.passed:
        assert content_type == expected(accept), accept


@pytest.mark.parametrize("flags", [(), (FEATURES,)], ids=["default", "features"])
def test_scrape_has_its_values_and_types_with_every_setting(
    demo: Daemon, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    target = demo.url.removeprefix("http://")
    jobs = {name: each for name, each in JOBS.items() if flags or name != "openmetrics 2"}
    configuration = (
        "global: {scrape_interval: 5s, scrape_timeout: 5s}\nscrape_configs:\n"
        + "".join(
            f"  - job_name: {name}\n    static_configs: [{{targets: ['{target}']}}]\n    {each}\n"
            for name, each in jobs.items()
        )
    )
    executable = go_program("prometheus")
    with prometheus(tmp_path, configuration, *flags, executable=executable) as server:
        for job in jobs:
            idle = f'{{job="{job}",consumer_group="idle"}}'
            query = f"sls_consumer_group_checkpoint_age_seconds{idle}"
            found = wait_for(functools.partial(server.query, query), timeout=60, what=query)
            ages = [float(entry["value"][1]) for entry in found]
            assert len(ages) == 2
            assert all(43_000 < age < 45_000 for age in ages), "idle for twelve hours"
            assert server.query(f'sls_exporter_polls_total{{job="{job}"}} > 0')
            buckets = f'sls_exporter_api_request_duration_seconds_bucket{{job="{job}"}}'
            assert server.query(f"histogram_quantile(0.5, sum by (le) ({buckets})) > 0")
        assert server.query('{__name__=~".+_created"}') == []
        assert {each["lastError"] for each in server.targets()} == {""}
        assert server.types("sls_exporter_polls") == {"counter"}
        assert server.types("sls_exporter_api_request_duration_seconds") == {"histogram"}
        assert server.types("sls_consumer_group_lag_seconds") == {"gauge"}


def test_promtool_finds_no_problem_in_the_metrics(demo: Daemon) -> None:
    done = subprocess.run(
        [go_program("promtool"), "check", "metrics"],
        input=demo.get("/metrics").text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("path", sorted(RULES.parent.glob("*.yaml")), ids=lambda path: path.stem)
def test_promtool_finds_no_problem_in_the_rules(path: Path) -> None:
    printed = promtool.run(
        go_program("promtool"), "check", "rules", "--lint=all", "--lint-fatal", path
    )
    assert "SUCCESS: " in printed


@pytest.mark.parametrize("path", RULE_TESTS, ids=lambda path: path.stem)
def test_rules_fire_and_stay_silent_as_their_unit_tests_say(path: Path) -> None:
    promtool.run(go_program("promtool"), "test", "rules", path)


@pytest.mark.parametrize("path", RULE_TESTS, ids=lambda path: path.stem)
def test_rules_without_keep_firing_for_have_the_same_alerts_in_scenes_without_a_gap(
    path: Path, tmp_path: Path
) -> None:
    file = tmp_path / path.name
    file.write_text(unit_tests_without_keep_firing(path), encoding="utf-8")
    promtool.run(go_program("promtool"), "test", "rules", file)


def test_amtool_finds_no_problem_in_the_configuration_of_compose_yaml() -> None:
    file = FILES / "alertmanager.yml"
    assert "SUCCESS" in promtool.run(go_program("amtool"), "check-config", file)


def test_dead_consumer_is_one_page_and_ends_when_it_is_back(tmp_path: Path) -> None:
    monitor = functools.partial(by_prometheus, executable=go_program("prometheus"))
    alertmanager = go_program("alertmanager")
    with alarm_stage(tmp_path, monitor=monitor, alertmanager_executable=alertmanager) as stage:
        check_page_of_dead_consumer(stage)
