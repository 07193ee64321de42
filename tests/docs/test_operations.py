"""The operator's handbook uses only existing names and states correct numbers."""

import ast
import json
import re
import time
from collections import Counter
from pathlib import Path

import pytest
import yaml

from exporter.app import health
from exporter.app.assembly import assemble
from exporter.app.health import DEFAULT_STUCK_AFTER
from exporter.base.clock import SYSTEM_CLOCK
from exporter.commands.check import explain
from exporter.commands.flags import parse as parse_flags
from exporter.config.json_schema import json_schema
from exporter.config.reader import parse
from exporter.config.schema import Config
from exporter.logs.options import FORMATS, LEVELS
from exporter.metrics.catalogue import CATALOGUE
from exporter.model.progress import State
from exporter.polling.capacity import requests_of
from exporter.simulator.server import Simulator
from exporter.simulator.world import World
from exporter.sls.client import TRIES
from exporter.sls.errors import NOT_FOUND_CODES
from exporter.sls.remedies import REMEDIES
from tests.support import promtool
from tests.support.docs import blocks, read
from tests.support.keys import CREDENTIALS
from tests.support.log_lines import parse_logfmt
from tests.support.scrape import scrape
from tools.paths import ROOT

HANDBOOK = read("docs/operations.md")
LOGGING = read("docs/logging.md")
FLAG = re.compile(r"--[a-z]+(?:\.[a-z-]+)+")
# Text in backquotes that looks like a name of the exporter.
NAME = re.compile(r"`([a-z][a-z_]*(?:\.[a-z_]+)*)`")
CODES = {
    "RequestTimeTooSkewed",
    "RequestTimeExpired",
    "InvalidCursor",
    "ParameterInvalid",
    "ShardNotExist",
    "SignatureNotMatch",
    "Unauthorized",
    "InvalidAccessKeyId",
    "SecurityTokenExpired",
    "ReadQuotaExceed",
    "ShardReadQuotaExceed",
    "MetaOperationQpsLimitExceeded",
    "ProjectForbidden",
    "ProjectNotExist",
    "ProjectNotExists",
    "LogStoreNotExist",
    "ConsumerGroupNotExist",
    "InternalServerError",
    "RequestTimeout",
    "ServerBusy",
    "timeout",
    "connection",
    "invalid_response",
    "credentials",
    "other",
}
SECTIONS = {
    "PollingConfig": "polling",
    "DiscoveryConfig": "discovery",
    "MetricsConfig": "metrics",
    "HttpConfig": "http",
    "CredentialsConfig": "credentials",
}
OF_OTHERS = {
    "app",
    "check",
    "curl",
    "enable_compression",
    "exported_endpoint",
    "group",
    "increase",
    "instance",
    "logfmt",
    "json",
    "console",
    "rate",
    "scrape_timeout",
    "sls_consumer_group_",
    "started",
    "stopping",
}
OF_LOGS = {
    "ts",
    "level",
    "logger",
    "msg",
    "error",
    "exception",
    "after_seconds",
    "left_out",
    "polled_at",
    "first",
    "place",
}
LIBRARIES = {"uvicorn", "apscheduler", "urllib3", "asyncio"}
LEVELS_OF_LINES = {"debug", "info", "warning", "error", "critical", "warn"}
LOGGERS = {"exporter", "exporter.polls", "exporter.credentials", "python"}
COMMANDS = {"run", "demo", "doctor"}


def keys() -> set[str]:
    """Return the configuration's keys, and those of its sections with the section before them."""
    schema = json_schema()
    found = set(schema["properties"])
    for model, definition in schema["$defs"].items():
        found |= set(definition["properties"])
        if model in SECTIONS:
            found |= {f"{SECTIONS[model]}.{key}" for key in definition["properties"]}
    return found


def codes_of_table() -> list[str]:
    section = HANDBOOK.split("\n## Errors by code\n")[1].split("\n## ")[0]
    cells = re.findall(r"^\| (`.*?) \|", section, flags=re.MULTILINE)
    return [code for cell in cells for code in re.findall(r"`(\w+)`", cell)]


@pytest.mark.parametrize("text", [HANDBOOK, LOGGING], ids=["operations", "logging"])
def test_every_flag_exists(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_flags(["run", "--help"], {})
    help_text = capsys.readouterr().out
    named = set(FLAG.findall(text))
    assert named
    assert {flag for flag in named if flag not in help_text} == set()


@pytest.mark.parametrize("text", [HANDBOOK, LOGGING], ids=["operations", "logging"])
def test_every_key_metric_label_and_state_exists(text: str) -> None:
    known = keys() | {state.value for state in State} | CODES | OF_OTHERS | OF_LOGS
    known |= LIBRARIES | LEVELS_OF_LINES | LOGGERS | COMMANDS
    for metric in CATALOGUE:
        known |= {metric.name, *metric.labels}
    assert set(NAME.findall(text)) - known == set()


def test_every_error_code_has_a_row_and_only_one() -> None:
    listed = codes_of_table()
    assert {code for code, count in Counter(listed).items() if count > 1} == set()
    assert set(listed) == CODES
    assert REMEDIES.keys() <= CODES
    assert NOT_FOUND_CODES <= CODES


def test_every_row_of_the_tables_is_complete() -> None:
    for line in HANDBOOK.splitlines():
        if line.startswith("|"):
            assert all(cell.strip() for cell in line.strip("|").split("|")), line


def test_every_query_is_valid(tmp_path: Path) -> None:
    queries = [each for block in blocks(HANDBOOK, "promql") for each in block.split("\n\n")]
    queries += re.findall(r"^  ```promql\n(.*?)^  ```$", HANDBOOK, flags=re.MULTILINE | re.DOTALL)
    rules = [{"record": f"query:{number}", "expr": text} for number, text in enumerate(queries)]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    assert f"{len(queries)} rules found" in promtool.run("promtool", "check", "rules", file)
    assert len(queries) == HANDBOOK.count("```promql") + 1


@pytest.mark.parametrize(
    ("number", "names", "lag"),
    [
        (0, ("my-project", "my-logstore", "group"), False),
        (1, ("my-project", "my-logstore", "group"), True),
        (2, (".*", ".*", ".*"), True),
    ],
)
def test_a_policy_allows_only_the_permissions_that_such_a_configuration_needs(
    number: int, names: tuple[str, str, str], *, lag: bool
) -> None:
    policy = json.loads(blocks(HANDBOOK, "json")[number])
    allowed = {action for each in policy["Statement"] for action in each["Action"]}
    project, logstore, group = names
    text = (
        f"lag: {str(lag).lower()}\ncredentials: {{access_key_id: a, access_key_secret: b}}\n"
        f'projects: [{{project: "{project}", endpoint: h, '
        f'logstores: [{{logstore: "{logstore}", consumer_groups: ["{group}"]}}]}}]\n'
    )
    config = parse(text, name="c", environ={}, base_dir=ROOT)
    (line,) = [each for each in explain(config, {}) if "permissions needed" in each]
    assert allowed == set(line.partition(": ")[2].split(", "))


def test_the_limits_of_health_are_stated() -> None:
    assert (DEFAULT_STUCK_AFTER.heartbeat, DEFAULT_STUCK_AFTER.poll) == (60.0, 900.0)
    assert "no sign of life for 60 s" in HANDBOOK
    assert "no progress for 15 minutes" in HANDBOOK
    source = Path(health.__file__).read_text(encoding="utf-8")
    for said in (
        "the scheduler does not run",
        "a worker is stuck in ",
        "the names in the configuration are not resolved yet",
        "targets not polled yet: ",
        "stopping",
    ):
        assert said in source
        assert said in HANDBOOK


def test_the_defaults_that_are_stated_are_those_of_the_configuration() -> None:
    polling = json_schema()["$defs"]["PollingConfig"]["properties"]
    assert f"**`polling.requests_per_second`** ({polling['requests_per_second']['default']:g})" in (
        HANDBOOK
    )
    assert f"**`polling.workers`** ({polling['workers']['default']})" in HANDBOOK
    assert polling["stale_after"]["default"] == "3m"
    assert "`stale_after` (3 minutes)" in HANDBOOK
    assert f"tried up to {TRIES} times" in HANDBOOK


def config_of(simulator: Simulator, groups: int, *, lag: bool) -> Config:
    names = ", ".join(f"group-{number}" for number in range(groups))
    text = (
        f"lag: {str(lag).lower()}\npolling: {{requests_per_second: 10000}}\n"
        f"{CREDENTIALS}projects: [{{project: shop, endpoint: '{simulator.endpoint}', "
        f"logstores: [{{logstore: orders, consumer_groups: [{names}]}}]}}]\n"
    )
    return parse(text, name="c", environ={}, base_dir=ROOT)


def world_of(groups: int, shards: int) -> World:
    world = World(wall=time.time)
    world.create_project("shop")
    world.create_logstore("shop", "orders", shards=shards)
    for shard in range(shards):
        world.write("shop", "orders", shard, count=3)
    for number in range(groups):
        name = f"group-{number}"
        world.create_group("shop", "orders", name)
        for shard in range(shards):
            end = world.end_cursor("shop", "orders", shard)
            world.update_checkpoint("shop", "orders", name, shard, end, consumer="worker")
    return world


@pytest.mark.parametrize(("lag", "expected"), [(True, 1 + 3 + 4), (False, 3)])
def test_a_poll_costs_the_stated_number_of_requests_and_series(*, lag: bool, expected: int) -> None:
    with Simulator(world_of(3, 4)) as simulator:
        engine = assemble(
            config_of(simulator, 3, lag=lag), environ={}, clock=SYSTEM_CLOCK, start_rate=10_000.0
        )
        orders = engine.manager.targets[0].key
        engine.manager.poll(orders)
        simulator.forget_requests()
        engine.manager.poll(orders)
        assert len(simulator.requests) == expected
        if lag:
            series = scrape(engine).value("sls_exporter_series")
            assert series == 5 * 3 * 4 + 26 * 3 + 5
        engine.close()


@pytest.mark.parametrize(
    ("shards", "groups", "requests"),
    [
        (4, 3, (8, 11, 24)),
        (8, 5, (14, 19, 44)),
        (64, 20, (85, 111, 298)),
        (256, 30, (287, 366, 1086)),
    ],
)
def test_table_of_requests_agrees_with_the_estimates(
    shards: int, groups: int, requests: tuple[int, int, int]
) -> None:
    estimate = requests_of(groups, shards)
    assert (estimate.at_rest, estimate.busy, estimate.cold) == requests
    assert f"| {shards} | {groups} | {requests[0]} | {requests[1]} | {requests[2]} |" in HANDBOOK


def test_requests_that_other_pages_state_agree_with_the_estimate() -> None:
    assert requests_of(20, 64).busy == 111
    assert "64 busy shards with 20 groups takes about 111 requests" in read("README.md")
    assert "about 111 instead of up to 2709 for 64 busy shards with 20 groups" in read(
        "CHANGELOG.md"
    )


def test_rule_with_a_fallback_fires_for_groups_of_older_and_newer_exporters(tmp_path: Path) -> None:
    (query,) = [text for text in blocks(HANDBOOK, "promql") if "* 0 + 60" in text]
    series = "sls_consumer_group_{}{{consumer_group='{}',instance='{}'}}"
    success, interval = "last_success_timestamp_seconds", "poll_interval_seconds"
    inputs = [
        (series.format(success, "old-late", "old"), "0x20"),
        (series.format(success, "old-fresh", "old"), "0+60x20"),
        (series.format(success, "new-late", "new"), "0x20"),
        (series.format(interval, "new-late", "new"), "120x20"),
        (series.format(success, "new-slow", "new"), "0x20"),
        (series.format(interval, "new-slow", "new"), "300x20"),
    ]
    late = [
        {"labels": '{consumer_group="new-late"}', "value": 600},
        {"labels": '{consumer_group="old-late"}', "value": 600},
    ]
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in inputs],
        "promql_expr_test": [{"expr": query, "eval_time": "10m", "exp_samples": late}],
    }
    file = tmp_path / "test.yaml"
    file.write_text(yaml.safe_dump({"evaluation_interval": "1m", "tests": [test]}))
    promtool.run("promtool", "test", "rules", file)


def test_a_shard_that_falls_behind_costs_the_stated_number_of_requests_once() -> None:
    world = world_of(3, 4)
    with Simulator(world) as simulator:
        engine = assemble(
            config_of(simulator, 3, lag=True), environ={}, clock=SYSTEM_CLOCK, start_rate=10_000.0
        )
        orders = engine.manager.targets[0].key
        engine.manager.poll(orders)
        world.write("shop", "orders", 0, count=5)
        counts = []
        for _ in range(2):
            simulator.forget_requests()
            engine.manager.poll(orders)
            counts.append(Counter(request.operation for request in simulator.requests))
        engine.close()
    assert 1 <= counts[0]["GetCursorTime"] <= 1 + 2 * 3
    assert "GetCursorTime" not in counts[1]
    assert sum(counts[1].values()) == 1 + 3 + 4


def test_every_line_of_the_exporter_is_in_the_table_of_its_messages() -> None:
    logged = set()
    for file in (ROOT / "exporter").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in {"info", "warning", "error", "critical"}
                and ast.unparse(node.func.value).endswith(("log", "_LOG", ")"))
                and node.args
                and isinstance(node.args[0], ast.Constant)
                and isinstance(node.args[0].value, str)
            ):
                logged.add(node.args[0].value)
    assert len(logged) > 10
    assert {message for message in logged if f"`{message}`" not in LOGGING} == set()


def test_the_lines_that_are_shown_are_lines() -> None:
    for line in (line for block in blocks(LOGGING, "text") for line in block.splitlines()):
        assert list(parse_logfmt(line))[:4] == ["ts", "level", "logger", "msg"]


def test_every_format_and_level_is_described() -> None:
    for name in (*FORMATS, *LEVELS):
        assert f"`{name}`" in LOGGING
