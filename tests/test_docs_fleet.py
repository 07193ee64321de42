"""The worked example of a large fleet: its numbers are right, and its settings are enough."""

import re
from pathlib import Path

import yaml
from msgspec.structs import replace

from exporter.config.reader import parse
from exporter.config.settings import project_settings
from exporter.model.names import TargetKey
from exporter.polling.capacity import requests_a_poll, shortages
from exporter.polling.sharding import Sharding
from exporter.polling.targets import GroupTarget, Target
from tests.support.docs import read

TEXT = read("docs/kubernetes.md").partition("### Worked example")[2].partition("\n## ")[0]
VALUES = yaml.safe_load(TEXT.partition("```yaml\n")[2].partition("```")[0])
PROJECTS, LOGSTORES, SHARDS = 40, 250, 4


def row(name: str) -> list[int]:
    """Read the numbers of a row of the table."""
    (line,) = [line for line in TEXT.splitlines() if line.startswith(f"| {name}")]
    cells = line.split("|")[2:-1]
    return [
        int(number.replace(" ", "")) for cell in cells for number in re.findall(r"[\d ]*\d", cell)
    ]


def fleet() -> list[Target]:
    """Return all targets, with the share of one exporter as their request rate."""
    config = parse(yaml.safe_dump(VALUES["config"]), name="c", environ={}, base_dir=Path())
    settings = project_settings(config, config.projects[0])
    share = settings.polling.requests_per_second / VALUES["shards"]
    polling = settings.polling.model_copy(update={"requests_per_second": share})
    settings = replace(settings, polling=polling)
    group = GroupTarget(name="group", shards=frozenset(range(SHARDS)))
    return [
        Target(
            key=TargetKey(f"team-{project}", f"logstore-{number}"),
            groups=(group,),
            settings=settings,
            refresh_seconds=config.discovery.interval,
        )
        for project in range(PROJECTS)
        for number in range(LOGSTORES)
    ]


def test_the_table_adds_up() -> None:
    targets = fleet()
    requests = requests_a_poll(targets[0])
    assert row("logstores") == [LOGSTORES, len(targets)]
    assert row("requests a poll") == [requests, requests]
    assert row("requests a minute") == [LOGSTORES * requests, len(targets) * requests]
    assert row("requests a second") == [LOGSTORES * requests // 60, len(targets) * requests // 60]
    assert row("shards of groups") == [LOGSTORES * SHARDS, len(targets) * SHARDS]
    few, many = ((each * SHARDS + 11 + 4) * LOGSTORES for each in (5, 6))
    assert row("series") == [few, many, few * PROJECTS, many * PROJECTS]


def test_each_of_the_four_can_do_its_part() -> None:
    targets = fleet()
    total = VALUES["shards"]
    parts = [
        [target for target in targets if Sharding(shard=shard, total=total).owns(target.key)]
        for shard in range(total)
    ]
    assert sum(map(len, parts)) == len(targets)
    for part in parts:
        assert 0.9 < len(part) / (len(targets) / total) < 1.1
        assert shortages(part) == []


def test_one_exporter_with_the_pace_of_a_quarter_would_be_told_so() -> None:
    assert len(shortages(fleet())) == PROJECTS
