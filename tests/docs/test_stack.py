"""The stack of compose.yaml: its schema, its mounts, and the names that its files share."""

import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.commands.flags import DEFAULT_PORT, parse
from tests.support import promtool
from tests.support.dashboards import DASHBOARDS, variables
from tests.support.docs import blocks, read
from tests.support.stack import COMPOSE, FILES, file_in, port_of, service, services
from tools.paths import CHART, ROOT, RULES

CONFIG_FILE = "SLS_EXPORTER_CONFIG_FILE"
every_service = pytest.mark.parametrize("name", sorted(services({})))


@cache
def configuration(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((FILES / name).read_text(encoding="utf-8"))
    return loaded


def test_the_compose_file_is_valid_by_the_compose_schema() -> None:
    done = subprocess.run(
        [
            Path(sys.executable).with_name("check-jsonschema"),
            "--builtin-schema",
            "vendor.compose-spec",
            COMPOSE,
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@every_service
def test_every_mount_is_a_file_or_folder_of_the_project_and_read_only(name: str) -> None:
    for mount in service(name).mounts:
        assert mount.source.exists(), mount
        assert mount.source.is_relative_to(ROOT), mount
        assert mount.read_only, mount


@every_service
def test_every_image_is_built_here_or_has_the_tag_of_a_release(name: str) -> None:
    declared = service(name).declared
    if "build" in declared:
        assert (ROOT / declared["build"] / "Dockerfile").is_file()
    else:
        assert re.fullmatch(r"[\w-]+/[\w-]+:v?\d+\.\d+\.\d+", declared["image"])


@every_service
def test_every_port_is_on_loopback_only(name: str) -> None:
    assert [address.split(":")[0] for address in service(name).declared["ports"]] == ["127.0.0.1"]


@every_service
def test_every_health_check_requests_the_port_of_its_service(name: str) -> None:
    assert service(name).health_port == port_of(name)


def test_the_exporter_runs_its_demo_by_default() -> None:
    exporter = service("sls-exporter")
    flags = parse(shlex.split(exporter.declared["command"]), exporter.environment)
    assert flags.command == "demo"
    assert flags.web_listen_address
    assert [(each.host, each.port) for each in flags.web_listen_address] == [("", DEFAULT_PORT)]
    assert port_of("sls-exporter") == DEFAULT_PORT


@pytest.mark.parametrize("name", ["config.example.yaml", str(ROOT / "config.example.yaml")])
def test_the_exporter_reads_the_configuration_that_the_variable_names(name: str) -> None:
    exporter = service("sls-exporter", {CONFIG_FILE: name})
    flags = parse(shlex.split(exporter.declared["command"]), exporter.environment)
    assert flags.command == "run"
    assert file_in(exporter, str(flags.config_file)) == ROOT / "config.example.yaml"


def test_prometheus_loads_the_shipped_rules() -> None:
    (rules,) = configuration("prometheus.yml")["rule_files"]
    assert file_in(service("prometheus"), f"/etc/prometheus/{rules}") == RULES
    assert file_in(service("prometheus"), "/etc/prometheus/prometheus.yml").parent == FILES


def test_programs_address_each_other_by_service_and_port() -> None:
    prometheus = configuration("prometheus.yml")
    (job,) = prometheus["scrape_configs"]
    (alertmanagers,) = prometheus["alerting"]["alertmanagers"]
    (source,) = configuration("grafana-datasources.yaml")["datasources"]
    addresses = [
        *job["static_configs"][0]["targets"],
        *alertmanagers["static_configs"][0]["targets"],
        source["url"].removeprefix("http://"),
    ]
    assert addresses == [
        f"{name}:{port_of(name)}" for name in ("sls-exporter", "alertmanager", "prometheus")
    ]


def test_alertmanager_has_the_routes_of_the_page_about_alerts() -> None:
    (advice,) = (
        block for block in blocks(read("docs/alerts.md"), "yaml") if block.startswith("route:")
    )
    file = file_in(service("alertmanager"), "/etc/alertmanager/alertmanager.yml")
    comment, _, rest = file.read_text(encoding="utf-8").partition("\n")
    assert comment.startswith("# ")
    assert rest == advice
    promtool.run("amtool", "check-config", file)


def test_grafana_finds_the_provisioning_files_and_the_dashboards() -> None:
    grafana = service("grafana")
    for kind in ("datasources", "dashboards"):
        file = file_in(grafana, f"/etc/grafana/provisioning/{kind}/sls-exporter.yaml")
        assert file == FILES / f"grafana-{kind}.yaml"
    (provider,) = configuration("grafana-dashboards.yaml")["providers"]
    assert provider["type"] == "file"
    assert file_in(grafana, provider["options"]["path"]) == CHART / "dashboards"
    home = grafana.environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert file_in(grafana, home) == CHART / "dashboards" / "overview.json"


@pytest.mark.parametrize("dashboard", sorted(DASHBOARDS))
def test_the_provisioned_data_source_is_the_one_that_the_dashboards_select(dashboard: str) -> None:
    (source,) = configuration("grafana-datasources.yaml")["datasources"]
    chosen = variables(dashboard)["datasource"]
    assert chosen["query"] == source["type"]
    assert "regex" not in chosen, "any name is selected"
    assert source["isDefault"] is True
    uids = set(re.findall(r'"uid": "([^"]+)"', (CHART / "dashboards" / dashboard).read_text()))
    assert uids - {DASHBOARDS[dashboard]["uid"]} <= {"${datasource}", "-- Grafana --"}


def test_the_data_source_has_the_scrape_interval_of_prometheus() -> None:
    (source,) = configuration("grafana-datasources.yaml")["datasources"]
    interval = configuration("prometheus.yml")["global"]["scrape_interval"]
    assert source["jsonData"]["timeInterval"] == interval
