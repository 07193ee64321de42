"""The worked example of a large fleet has correct numbers and sufficient settings."""

import re
from collections import Counter
from collections.abc import Sequence
from math import ceil
from pathlib import Path

import yaml
from msgspec.structs import replace

from exporter.config.reader import parse
from exporter.config.settings import project_settings
from exporter.model.names import TargetKey
from exporter.polling.capacity import demands, poll_requests
from exporter.polling.sharding import shard_of
from exporter.polling.targets import GroupTarget, Target
from exporter.sls.request_rate import START
from tests.support.docs import read
from tests.support.snapshots import ENDPOINT

TEXT = read("docs/kubernetes.md").partition("### Worked example")[2].partition("\n## ")[0]
VALUES = yaml.safe_load(TEXT.partition("```yaml\n")[2].partition("```")[0])
PROJECTS, LOGSTORES, SHARDS = 40, 250, 4
EXPORTERS = VALUES["shards"]
PER_SHARD, PER_GROUP, PER_LOGSTORE = (5, 6), 12, 4
GET_RETENTION = 1


def row(name: str) -> list[int]:
    """Read the numbers of a row of the table."""
    (line,) = [line for line in TEXT.splitlines() if line.startswith(f"| {name}")]
    cells = line.split("|")[2:-1]
    return [
        int(number.replace(" ", "")) for cell in cells for number in re.findall(r"\d[\d ]*", cell)
    ]


def said(text: str) -> bool:
    """Return whether the example contains a text, regardless of line breaks."""
    return text in " ".join(TEXT.replace("\N{MULTIPLICATION SIGN}", "*").split())


def fleet() -> list[Target]:
    """Return all targets."""
    config = parse(yaml.safe_dump(VALUES["config"]), name="c", environ={}, base_dir=Path())
    settings = project_settings(config, config.projects[0])
    group = GroupTarget(name="group", shards=frozenset(range(SHARDS)))
    return [
        Target(
            key=TargetKey(ENDPOINT, f"team-{project}", f"logstore-{number}"),
            groups=(group,),
            settings=settings,
            refresh_seconds=config.discovery.interval,
        )
        for project in range(PROJECTS)
        for number in range(LOGSTORES)
    ]


def shortages(targets: Sequence[Target], *, exporters: int = EXPORTERS) -> list[str]:
    """Return the warnings of an exporter that has some of the targets."""
    return [
        warning
        for demand in demands(targets)
        for warning in demand.warnings(total_shards=exporters)
    ]


def part(targets: Sequence[Target], shard: int) -> list[Target]:
    return [target for target in targets if shard_of(target.key, EXPORTERS) == shard]


def seconds_until(requests: float, *, start: float, ceiling: float) -> float:
    """Return how long requests take at a rate that rises by 1 in each second."""
    sent, rate, seconds = 0.0, start, 0
    while sent < requests:
        sent, rate, seconds = sent + rate, min(rate + 1, ceiling), seconds + 1
    return seconds


def test_table_of_the_example_adds_up() -> None:
    targets = fleet()
    requests = poll_requests(targets[0])
    assert row("logstores") == [LOGSTORES, len(targets)]
    for load, each in (("at rest", requests.at_rest), ("if everything is busy", requests.busy)):
        assert row(f"requests per poll {load}") == [each, each]
        assert row(f"requests per minute {load}") == [LOGSTORES * each, len(targets) * each]
    assert row("requests per second if everything is busy") == [
        LOGSTORES * requests.busy // 60,
        len(targets) * requests.busy // 60,
    ]
    assert row("shards of groups") == [LOGSTORES * SHARDS, len(targets) * SHARDS]
    few, many = ((each * SHARDS + PER_GROUP + PER_LOGSTORE) * LOGSTORES for each in PER_SHARD)
    assert row("series") == [few, many, few * PROJECTS, many * PROJECTS]
    total = len(targets) * requests.busy // 60
    assert said(f"{total // EXPORTERS} requests per second each instead of {total}")


def test_each_exporter_of_the_example_can_do_its_part() -> None:
    targets = fleet()
    parts = [part(targets, shard) for shard in range(EXPORTERS)]
    assert sum(map(len, parts)) == len(targets)
    for each in parts:
        assert 0.9 < len(each) / (len(targets) / EXPORTERS) < 1.1
        assert shortages(each) == []


def test_example_states_the_largest_share_of_a_project_and_its_requirements() -> None:
    targets = fleet()
    counts = Counter((each.key.project, shard_of(each.key, EXPORTERS)) for each in targets)
    most, mean = max(counts.values()), ceil(LOGSTORES / EXPORTERS)
    busy = poll_requests(targets[0]).busy
    rate = targets[0].settings.polling.requests_per_second
    assert said(f"{rate:g} / {EXPORTERS} = {rate / EXPORTERS:g} per second")
    assert said(f"{mean} * {busy} / 60 s = {mean * busy / 60:.1f} per second")
    assert said(f"{most} logstores of a project may belong to the same exporter")
    assert said(f"{most} * {busy} / 60 s = {most * busy / 60:.1f} per second")
    assert said(f"{most * busy / 60:.1f} * 0.1 s = {most * busy / 600:.1f} workers")
    threads = targets[0].settings.polling.workers * PROJECTS
    assert said(f"{PROJECTS} projects start up to {threads} of them")


def test_example_states_how_long_first_polls_take() -> None:
    target = fleet()[0]
    requests = poll_requests(target)
    start, ceiling = START / EXPORTERS, target.settings.polling.requests_per_second / EXPORTERS
    assert said(f"begins at {start:g} per second and reaches {ceiling:g} after about 18 seconds")
    assert round(ceiling - start + 0.5) == 18
    at_rest = requests.at_rest + GET_RETENTION
    assert said(f"85 * {requests.cold} = {85 * requests.cold} requests")
    assert said(f"63 * {at_rest} = {63 * at_rest} requests")
    assert 85 < seconds_until(85 * requests.cold, start=start, ceiling=ceiling) < 100
    assert 25 < seconds_until(63 * at_rest, start=start, ceiling=ceiling) < 35


def test_discovery_of_the_example_adds_up() -> None:
    listings, details = EXPORTERS * PROJECTS, 2 * PROJECTS * LOGSTORES
    seconds = fleet()[0].refresh_seconds
    assert said("4 * 40 + 2 * 10 000 = 20 160 requests, 22 per second in all")
    assert listings + details == 20_160
    assert (listings + details) // seconds == 22


def test_single_exporter_has_room_for_each_project_within_the_default_limits() -> None:
    targets = fleet()
    limits = {"requests_per_second": 100.0, "workers": 8}
    polling = targets[0].settings.polling.model_copy(update=limits)
    settings = replace(targets[0].settings, polling=polling)
    targets = [replace(target, settings=settings) for target in targets]
    assert shortages(targets, exporters=1) == []
    assert len(shortages(targets)) == PROJECTS, "a quarter of the rate is not enough for all"
