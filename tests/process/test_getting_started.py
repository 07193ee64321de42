"""The commands of the tutorial run as a reader types them, in a copy of the tree and a new home.

A comment in front of a block gives the reason if it is not run literally. Blocks that need an
account use a simulated one: a function replaces the endpoint and the access key, as a reader does.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
import yaml

from exporter.commands.flags import parse
from exporter.config.reader import load
from exporter.simulator.server import DEFAULT_CREDENTIALS, Simulator
from exporter.simulator.world import World
from tests.support import promtool
from tests.support.stack import COMPOSE, service
from tests.support.wait import wait_for
from tools.paths import ROOT

pytestmark = pytest.mark.timeout(900)

ENGLISH = ROOT / "docs" / "getting-started.md"
CHINESE = ROOT / "docs" / "zh-CN" / "getting-started.md"
PAGES = [page for page in (ENGLISH, CHINESE) if page.exists()]
each_page = pytest.mark.parametrize(
    "page", PAGES, ids=[page.relative_to(ROOT).as_posix() for page in PAGES]
)
ACCOUNT = "not run literally: needs an account"
SERVER = "not run literally: needs an account, runs until it is stopped"
ENGINE = "not run: needs a container engine"
BLOCK = re.compile(r"(?:^<!-- ([^\n]*) -->\n)?^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PRELUDE = """\
set -euo pipefail
shopt -s expand_aliases
use_account() {
  sed -i "s|endpoint: .*|endpoint: $SIMULATED_ENDPOINT|" config.yaml
  export ALIBABA_CLOUD_ACCESS_KEY_ID=$SIMULATED_ID
  export ALIBABA_CLOUD_ACCESS_KEY_SECRET=$SIMULATED_SECRET
}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block, and the reason in front of it."""

    reason: str
    language: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """A copy of the tree for a reader who has nothing else."""

    folder: Path
    home: Path

    def environment(self, simulator: Simulator) -> dict[str, str]:
        """Return the reader's variables: those of pip and of the network, and the account."""
        kept = re.compile(r"PIP_.*|(?i:(https?|no)_proxy)|SSL_CERT_.*|LANG|LC_.*")
        return {
            "PIP_CACHE_DIR": str(Path.home() / ".cache" / "pip"),
            **{name: value for name, value in os.environ.items() if kept.fullmatch(name)},
            "PATH": f"{sys.base_prefix}/bin:/usr/bin:/bin",
            "HOME": str(self.home),
            "SLS_EXPORTER_WEB_LISTEN_ADDRESS": "127.0.0.1:0",
            "SIMULATED_ENDPOINT": simulator.endpoint,
            "SIMULATED_ID": DEFAULT_CREDENTIALS.access_key_id,
            "SIMULATED_SECRET": DEFAULT_CREDENTIALS.access_key_secret,
        }


def blocks(page: Path) -> list[Block]:
    return [
        Block(reason=reason, language=language, text=text)
        for reason, language, text in BLOCK.findall(page.read_text(encoding="utf-8"))
    ]


def shell(page: Path, *reasons: str) -> list[Block]:
    """Return the blocks of commands with one of the reasons."""
    return [each for each in blocks(page) if each.language == "sh" and each.reason in reasons]


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    home = tmp_path / "home"
    home.mkdir()
    folder = tmp_path / "checkout"
    folder.mkdir()
    for name in ("exporter", "docs", "helm", ".ci"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for path in ROOT.iterdir():
        if path.is_file() and not path.name.startswith("."):
            shutil.copy(path, folder)
    return Checkout(folder=folder, home=home)


@pytest.fixture
def account() -> Iterator[Simulator]:
    world = World(wall=time.time)
    world.create_project("my-project")
    world.create_logstore("my-project", "my-logstore", shards=2)
    world.create_group("my-project", "my-logstore", "my-group")
    with Simulator(world) as simulator:
        yield simulator


def script_of(page: Path) -> str:
    """Return the page's commands in their order, except that the server is the last one."""
    (config,) = (each.text for each in blocks(page) if each.text.startswith("projects:"))
    parts = [PRELUDE, f"cat > config.yaml <<'END'\n{config}END\n"]
    parts += [
        f"use_account\n{each.text}" if each.reason else each.text
        for each in shell(page, "", ACCOUNT)
    ]
    (server,) = shell(page, SERVER)
    return "".join([*parts, server.text])


@contextmanager
def reader(page: Path, checkout: Checkout, account: Simulator) -> Iterator[subprocess.Popen[bytes]]:
    """Run the commands of a page, with their output in two files of the home."""
    script = checkout.home / "commands.sh"
    script.write_text(script_of(page), encoding="utf-8")
    with (
        (checkout.home / "stdout").open("w") as stdout,
        (checkout.home / "stderr").open("w") as stderr,
    ):
        process = subprocess.Popen(
            ["/bin/bash", "--norc", script],
            cwd=checkout.folder,
            env=checkout.environment(account),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


@each_page
def test_every_block_of_commands_is_run_or_has_a_known_reason(page: Path) -> None:
    assert len(shell(page, "")) >= 3
    assert {each.reason for each in blocks(page)} == {"", ACCOUNT, SERVER, ENGINE}
    assert all(each.language == "sh" for each in blocks(page) if each.reason)


@each_page
def test_the_reasons_of_the_page_are_those_of_the_english_one(page: Path) -> None:
    assert [each.reason for each in blocks(page)] == [each.reason for each in blocks(ENGLISH)]


@each_page
def test_the_commands_of_the_page_lead_to_a_running_exporter(
    page: Path, checkout: Checkout, account: Simulator
) -> None:
    def written(name: str) -> str:
        return (checkout.home / name).read_text(encoding="utf-8")

    with reader(page, checkout, account) as process:
        found = wait_for(
            lambda: re.search(r"listening=\S*:(\d+)", written("stderr")) or process.poll(),
            timeout=600,
            what="the server",
        )
        assert isinstance(found, re.Match), written("stdout")[-2000:] + written("stderr")[-2000:]
        url = f"http://127.0.0.1:{found[1]}"
        for path in ("/", "/metrics", "/-/healthy"):
            assert requests.get(url + path, timeout=60).status_code == 200
        wait_for(
            lambda: requests.get(f"{url}/-/ready", timeout=60).status_code == 200,
            timeout=120,
            what="everything polled once",
        )
        assert 'consumer_group="my-group"' in requests.get(f"{url}/metrics", timeout=60).text
    printed = written("stdout")
    assert "project my-project at https://cn-shanghai.log.aliyuncs.com" in printed, "check"
    assert "my-project / my-logstore / my-group" in printed, "once"
    (rules,) = re.findall(r"^/.*\.rules\.yaml$", printed, re.MULTILINE)
    assert Path(rules).is_relative_to(checkout.home / "sls-exporter"), "the installed package"
    promtool.run("promtool", "check", "rules", rules)


@each_page
def test_commands_for_a_container_engine_fit_the_files_of_the_tree(
    page: Path, tmp_path: Path
) -> None:
    commands = [
        shlex.split(line)
        for each in shell(page, ENGINE)
        for line in each.text.replace("\\\n", "").splitlines()
    ]
    assert [words[-1] for words in commands if words[:2] == ["docker", "build"]] == ["."]
    assert (ROOT / "Dockerfile").is_file()
    (container,) = (words for words in commands if words[:2] == ["docker", "run"])
    (mount,) = (words for words in container if words.endswith(":ro"))
    flags = parse(container[container.index("sls-exporter") + 1 :], {})
    assert mount.split(":")[0] == "$PWD/config.yaml"
    assert flags.command == "run"
    stacks = [words for words in commands if words[-4:] == ["docker", "compose", "up", "--build"]]
    assert COMPOSE.parent == ROOT
    assert [words[:-4] for words in stacks] == [[], ["SLS_EXPORTER_CONFIG_FILE=config.yaml"]]
    for variables in (dict(word.split("=") for word in words[:-4]) for words in stacks):
        parse(shlex.split(service("sls-exporter", variables).declared["command"]), {})
    (tmp_path / "config.yaml").write_text(
        next(each.text for each in blocks(page) if each.text.startswith("projects:"))
    )
    assert load(tmp_path / "config.yaml", environ={}).projects


@each_page
def test_other_blocks_of_the_page_are_a_policy_and_two_configurations(page: Path) -> None:
    others = [each for each in blocks(page) if each.language != "sh"]
    assert [each.language for each in others] == ["json", "yaml", "yaml"]
    assert [next(iter(yaml.safe_load(each.text))) for each in others] == [
        "Version",
        "projects",
        "scrape_configs",
    ]
