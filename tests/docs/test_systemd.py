"""The example of a systemd unit: its syntax, its command line, its hardening, its credentials."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from exporter.commands.flags import parse
from exporter.config.reader import load
from tests.support.debian import program
from tools.paths import ROOT

UNIT = ROOT / "docs" / "examples" / "sls-exporter.service"
TEXT = UNIT.read_text(encoding="utf-8")
COMMAND = "/opt/sls-exporter/bin/sls-exporter"
CREDENTIALS = """\
credentials:
  access_key_id_file: ${CREDENTIALS_DIRECTORY}/access-key-id
  access_key_secret_file: ${CREDENTIALS_DIRECTORY}/access-key-secret
"""
PROJECTS = """\
projects:
  - project: my-project
    endpoint: cn-shanghai.log.aliyuncs.com
    logstores: [{logstore: my-logstore, consumer_groups: [my-group]}]
"""


def analyze(*arguments: str | Path) -> tuple[int, str]:
    done = subprocess.run(
        [program("systemd-analyze"), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def setting(name: str) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", TEXT, flags=re.MULTILINE)


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """Return a copy of the unit whose command exists."""
    command = tmp_path / "sls-exporter"
    command.write_text("#!/bin/sh\n", encoding="utf-8")
    command.chmod(0o755)
    copy = tmp_path / UNIT.name
    copy.write_text(TEXT.replace(COMMAND, str(command)), encoding="utf-8")
    return copy


def test_systemd_verifies_the_unit(unit: Path) -> None:
    assert analyze("verify", unit) == (0, "")


def test_systemd_reports_a_misspelled_setting(unit: Path) -> None:
    text = unit.read_text(encoding="utf-8").replace("PrivateTmp=", "PrivateTemp=")
    unit.write_text(text, encoding="utf-8")
    assert "PrivateTemp" in analyze("verify", unit)[1]


def test_the_exposure_of_the_unit_is_low(unit: Path) -> None:
    # In tenths: 15 is 1.5 of 10.
    status, report = analyze("security", "--offline=true", "--threshold=15", "--no-pager", unit)
    assert status == 0, report[-200:]


def test_the_command_line_of_the_unit_is_valid() -> None:
    (start,) = setting("ExecStart")
    command, *arguments = shlex.split(start)
    assert command == COMMAND
    flags = parse(arguments, {})
    assert flags.command == "run"
    assert str(flags.config_file) == "/etc/sls-exporter/config.yaml"


def test_the_credentials_of_the_unit_are_those_of_its_configuration(tmp_path: Path) -> None:
    commented = re.sub(r"^#   ?", "", TEXT, flags=re.MULTILINE)
    assert CREDENTIALS in commented
    names = [each.partition(":")[0] for each in setting("LoadCredential")]
    assert names == re.findall(r"DIRECTORY\}/(\S+)", CREDENTIALS)
    for name in names:
        (tmp_path / name).write_text("an-example", encoding="utf-8")
    (tmp_path / "config.yaml").write_text(CREDENTIALS + PROJECTS, encoding="utf-8")
    config = load(tmp_path / "config.yaml", environ={"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert config.projects


def test_the_unit_keeps_the_boot_time_readable_for_the_start_time_of_the_process() -> None:
    assert setting("ProcSubset") == []
