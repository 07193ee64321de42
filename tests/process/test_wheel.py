"""The wheel, installed into its own environment, behaves as the tests of the tree describe.

By default, the test builds the wheel; SLS_EXPORTER_WHEEL is the path of an existing one.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.support.commands import demo_world
from tests.support.pythons import PYTHONS, interpreter
from tools.paths import CHINESE_RULES, ROOT, RULES

pytestmark = pytest.mark.timeout(300)

# These tests are quick, and they do not read the tree around the package.
TESTS = (
    *("base/test_text.py", "commands/test_flags.py", "config/test_reader.py"),
    *("credentials/test_providers.py", "evaluation/test_shard.py", "metrics/test_exposition.py"),
    *("model/test_endpoint.py", "polling/test_outages.py", "polling/test_poller.py"),
    *("polling/test_sharding.py", "sls/test_client.py", "sls/test_responses.py"),
    *("web/test_config_file.py", "web/test_listen.py", "web/test_routes.py"),
)
LOCK = ROOT / ".ci" / "requirements.txt"
NEEDED = ("hypothesis", "pytest", "pytest-timeout", "trustme")

IMPORTS_EVERYTHING = """
import importlib, pkgutil, exporter
for module in pkgutil.walk_packages(exporter.__path__, "exporter."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
print(exporter.__file__)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A fresh virtual environment with the wheel and its locked dependencies."""

    folder: Path
    wheel: Path

    def run(
        self, *command: str | Path, cwd: Path, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment, with only the given variables."""
        return subprocess.run(
            [self.folder / "bin" / command[0], *command[1:]],
            cwd=cwd,
            env={"PATH": "/usr/bin:/bin", **environ},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=200,
            check=False,
        )


def build(folder: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)
    (wheel,) = folder.glob("*.whl")
    return wheel


def pip(*arguments: str | Path, into: Path | None = None) -> str:
    aimed: list[str | Path] = ["--python", into / "bin" / "python"] if into else []
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--quiet", *aimed, *arguments],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    given = os.environ.get("SLS_EXPORTER_WHEEL")
    return ROOT / given if given else build(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def install(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Installed]:
    # A parametrized fixture would be made again each time the order of tests changes the version.
    @cache
    def of(version: str) -> Installed:
        python = interpreter(version)
        folder = tmp_path_factory.mktemp("installed") / "venv"
        subprocess.run([python, "-m", "venv", "--without-pip", folder], check=True, timeout=60)
        pip("install", "--require-hashes", "--requirement", LOCK, into=folder)
        pip("install", "--no-deps", wheel, into=folder)
        return Installed(folder=folder, wheel=wheel)

    return of


@pytest.fixture(params=PYTHONS)
def installed(request: pytest.FixtureRequest, install: Callable[[str], Installed]) -> Installed:
    return install(str(request.param))


def test_wheel_declares_all_its_dependencies(installed: Installed, tmp_path: Path) -> None:
    done = installed.run("python", "-W", "error", "-c", IMPORTS_EVERYTHING, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_relative_to(installed.folder)
    pip("check", into=installed.folder)


def test_command_of_the_wheel_runs(installed: Installed, tmp_path: Path) -> None:
    shutil.copy(ROOT / "config.example.yaml", tmp_path / "config.yaml")
    keys = {"SLS_KEY_ID": "id", "SLS_KEY_SECRET": "secret"}
    assert installed.run("sls-exporter", "check", cwd=tmp_path, **keys).returncode == 0
    version = installed.run("sls-exporter", "--version", cwd=tmp_path).stdout
    assert version == f"sls-exporter {installed.wheel.name.split('-')[1]}\n"


def test_installed_exporter_polls(installed: Installed, tmp_path: Path) -> None:
    with demo_world(tmp_path) as demo:
        done = installed.run("sls-exporter", "once", f"--config.file={demo.config}", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "demo-shop / orders / stalled" in done.stdout


@pytest.mark.parametrize("rules", [RULES, CHINESE_RULES], ids=lambda path: path.name)
def test_rules_of_the_wheel_are_at_the_documented_path(
    installed: Installed, tmp_path: Path, rules: Path
) -> None:
    code = "import importlib.resources as r; print(r.files('exporter').joinpath('rules/{}'))"
    asked = code.format(rules.name)
    shown = Path(installed.run("python", "-c", asked, cwd=tmp_path).stdout.strip())
    assert shown.is_relative_to(installed.folder)
    assert shown.read_bytes() == rules.read_bytes()


def test_tests_of_the_tree_pass_against_it(installed: Installed, tmp_path: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    group = project["dependency-groups"]["test"]
    wanted = [each for each in group if each.split(">=")[0] in NEEDED]
    assert len(wanted) == len(NEEDED)
    packages = tmp_path / "packages"
    pip("install", "--no-compile", "--target", packages, *wanted, into=installed.folder)
    # The package is not next to the copied folders, so they import the installed one.
    for name in ("tests", "tools"):
        ignore = shutil.ignore_patterns("__pycache__", ".build")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignore)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    done = installed.run(
        *("python", "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider"),
        *(f"tests/unit/{name}" for name in TESTS),
        cwd=tmp_path,
        PYTHONPATH=str(packages),
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    found = installed.run("python", "-c", "import exporter; print(exporter.__file__)", cwd=tmp_path)
    assert Path(found.stdout.strip()).is_relative_to(installed.folder)


def test_builds_of_the_wheel_are_reproducible(tmp_path: Path) -> None:
    digests = {
        hashlib.sha256(build(tmp_path / name).read_bytes()).hexdigest() for name in ("one", "two")
    }
    assert len(digests) == 1


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("version", PYTHONS)
def test_all_that_is_locked_comes_as_wheels_with_known_hashes(
    machine: str, version: str, tmp_path: Path
) -> None:
    # The platforms that glibc 2.36 supports, which is the version of the image.
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in range(17, 37)]
    report = pip(
        *("install", "--dry-run", "--ignore-installed", "--only-binary", ":all:"),
        *("--target", tmp_path, "--python-version", version, "--report", "-"),
        *(option for name in platforms for option in ("--platform", name)),
        *("--require-hashes", "--requirement", LOCK),
    )
    found = [each["metadata"]["name"].replace("_", "-") for each in json.loads(report)["install"]]
    assert {"pydantic-core", "isal", "bcrypt"} <= set(found)
