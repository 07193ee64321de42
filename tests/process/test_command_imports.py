"""The modules that each command imports, each in its own process."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.commands import environment

CONFIG = """\
projects:
  - project: shop
    endpoint: cn-shanghai.log.aliyuncs.com
    logstores: [{logstore: orders, consumer_groups: [billing]}]
"""
KEY = {"ALIBABA_CLOUD_ACCESS_KEY_ID": "key", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "secret"}
ROLE = {"ALIBABA_CLOUD_ECS_METADATA": "role"}
PROGRAM = """\
import atexit, sys
from exporter.__main__ import main
atexit.register(lambda: sys.stderr.write(" ".join(sys.modules)))
main()
"""


def modules_after(*arguments: str, environ: Mapping[str, str] | None = None) -> set[str]:
    """Run a command and return the modules that are imported when it has ended."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        capture_output=True,
        text=True,
        env=environment(environ),
        timeout=60,
        check=True,
    )
    assert done.stdout
    return set(done.stderr.split())


def packages_of(modules: set[str]) -> set[str]:
    """Return the top packages of modules, and those below the exporter's."""
    return {".".join(name.split(".")[:2]) for name in modules if name.startswith("exporter.")} | {
        name.partition(".")[0] for name in modules
    }


@pytest.mark.parametrize(
    "arguments", [("--help",), ("--version",), ("run", "--help"), ("check", "--version")]
)
def test_help_and_version_import_only_the_flags(arguments: tuple[str, ...]) -> None:
    modules = modules_after(*arguments)
    assert {name for name in modules if name.startswith("exporter.")} == {
        "exporter.__main__",
        "exporter.base",
        "exporter.base.text",
        "exporter.commands",
        "exporter.commands.cli",
        "exporter.commands.flag_values",
        "exporter.commands.flags",
        "exporter.commands.parser",
        "exporter.commands.streams",
        "exporter.logs",
        "exporter.logs.options",
    }
    assert packages_of(modules).isdisjoint({"msgspec", "pydantic", "yaml"})


UNUSED = {
    *("apscheduler", "prometheus_client", "requests", "rich", "starlette", "urllib3", "uvicorn"),
    *("exporter.app", "exporter.metrics", "exporter.simulator", "exporter.status"),
}


@pytest.mark.parametrize("environ", [KEY, ROLE])
def test_check_imports_neither_server_nor_scheduler_nor_client(
    tmp_path: Path, environ: Mapping[str, str]
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG)
    modules = modules_after("check", f"--config.file={config}", environ=environ)
    assert packages_of(modules) & UNUSED == set()
    assert modules.isdisjoint({"exporter.web.server", "exporter.sls.client"})


def test_schema_imports_neither_server_nor_scheduler_nor_client() -> None:
    modules = modules_after("schema")
    assert packages_of(modules) & {*UNUSED, "exporter.polling", "exporter.sls"} == set()
    assert "exporter.web.server" not in modules
