"""The page about ``doctor`` lists every step and assumption, and the fields of the report."""

import io
import os
import re

import pytest

from exporter.commands.doctor.assumptions import ASSUMPTIONS
from exporter.commands.doctor.network import STEPS
from exporter.commands.doctor.observations import MAX_GROUPS, MAX_SHARDS, UNKNOWN_NAME
from exporter.commands.doctor.project import MAX_LOGSTORES
from exporter.commands.doctor.rendering import write_table
from exporter.sls.operations import OPERATION_NAMES
from tests.support.docs import read
from tests.support.doctor import config_text, examined, observable_world, session_of
from tests.support.faulty_simulator import FaultySimulator

TEXT = read("docs/doctor.md")


def test_table_of_assumptions_is_that_of_the_program() -> None:
    rows = [f"| `{each.name}` | {each.statement} | {each.consequence} |" for each in ASSUMPTIONS]
    section = TEXT.partition("\n## Assumptions\n")[2].partition("\n## ")[0]
    assert [line for line in section.splitlines() if line.startswith("| `")] == rows
    count = len(ASSUMPTIONS)
    assert f"observes {count} assumptions" in " ".join(read("CHANGELOG.md").split())


def test_example_is_the_output_for_a_missing_permission(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    held, world = observable_world()
    stdout = io.StringIO()
    with FaultySimulator(world) as simulator:
        simulator.deny("ListConsumerGroup")
        endpoint = simulator.endpoint
        session = session_of(config_text(endpoint), held.clock)
        write_table(examined(session), stdout, os.environ)
    output = stdout.getvalue().replace(endpoint, "http://127.0.0.1:8080")
    assert re.findall(r"```text\n(.*?)```", TEXT, flags=re.DOTALL) == [output]


def test_table_of_steps_has_every_step() -> None:
    section = TEXT.partition("\n## Steps\n")[2].partition("\n## ")[0]
    listed = set(re.findall(r"^\| `(\w+)`", section, flags=re.MULTILINE))
    held, world = observable_world()
    with FaultySimulator(world) as simulator:
        session = session_of(config_text(simulator.endpoint), held.clock)
        shown = {finding.step for each in examined(session) for finding in each.findings}
    names = {each.name for each in ASSUMPTIONS}
    assert (shown | set(STEPS)) - names - set(OPERATION_NAMES) <= listed
    assert listed - shown - set(STEPS) == {"permissions"}


def test_limits_are_those_of_the_program() -> None:
    words = " ".join(TEXT.split())
    assert f"at most {MAX_LOGSTORES} of its logstores" in words
    assert f"at most {MAX_GROUPS} consumer groups and {MAX_SHARDS} shards" in words
    assert UNKNOWN_NAME in TEXT
