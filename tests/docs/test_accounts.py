"""The example of ten accounts is valid, runs with a key of each account, and fits the chart."""

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from exporter.config.reader import load
from exporter.config.selectors import Selectors
from exporter.simulator.server import Simulator
from exporter.simulator.world import World
from tests.support.commands import run
from tests.support.credential_servers import (
    SECRET,
    Asked,
    AssumeRoleSts,
    Reply,
    issued,
    serving,
)
from tests.support.helm import render
from tools.paths import ROOT

EXAMPLE = ROOT / "docs" / "examples" / "accounts.yaml"
EXTERNAL_ID = f"{SECRET}-external"
VARIABLES = {
    "EXTERNAL_ID": EXTERNAL_ID,
    "ALIBABA_CLOUD_ACCESS_KEY_ID": "id",
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET": f"{SECRET}-base",
}
CONFIG = load(EXAMPLE, environ=VARIABLES)
ROLES = [
    credentials.role_arn or ""
    for project in CONFIG.projects
    if (credentials := project.credentials) is not None
]


class Accounts(AssumeRoleSts):
    """STS, which always issues the same key for a role: the one with the role's number."""

    def answer(self, asked: Asked) -> Reply:
        self.given = ROLES.index(asked.query["RoleArn"])
        return super().answer(asked)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    config: Path
    environ: dict[str, str]
    simulators: list[Simulator]


@contextmanager
def accounts(folder: Path) -> Iterator[Scene]:
    """Run one service per account, which accepts only the key of the account."""
    text = EXAMPLE.read_text(encoding="utf-8")
    with ExitStack() as stack:
        sts = stack.enter_context(serving(Accounts(external_ids=dict.fromkeys(ROLES, EXTERNAL_ID))))
        simulators = []
        for number, owner in enumerate(Selectors(CONFIG).projects, 1):
            name = owner.project.project.text
            world = World(wall=time.time)
            world.create_project(name)
            world.create_logstore(name, "orders", shards=2)
            world.create_group(name, "orders", "billing")
            simulator = stack.enter_context(Simulator(world, credentials=[issued(number)]))
            simulators.append(simulator)
            place = f"endpoint: {simulator.endpoint}\n    region: {owner.settings.region}"
            pattern = rf"(project: {name}\n    )endpoint: .*"
            text, count = re.subn(pattern, rf"\g<1>{place}", text)
            assert count == 1
        config = folder / "accounts.yaml"
        config.write_text(text)
        environ = VARIABLES | {"ALIBABA_CLOUD_STS_ENDPOINT": sts.url}
        yield Scene(config=config, environ=environ, simulators=simulators)


def test_example_has_ten_accounts_in_three_regions() -> None:
    assert len(set(ROLES)) == 10
    assert len({owner.settings.endpoint.region for owner in Selectors(CONFIG).projects}) == 3
    assert EXTERNAL_ID not in repr(CONFIG)


def test_check_accepts_example_and_lists_its_roles() -> None:
    done = run("check", f"--config.file={EXAMPLE}", environ=VARIABLES)
    assert done.status == 0, done.stderr
    found = re.findall(r"sts:AssumeRole on (\S+)", done.stdout)
    assert found == ROLES
    assert "warning" not in done.stdout
    assert SECRET not in done.stdout + done.stderr


def test_each_account_is_polled_with_its_own_key(tmp_path: Path) -> None:
    with accounts(tmp_path) as scene:
        done = run("once", f"--config.file={scene.config}", environ=scene.environ)
        assert done.status == 0, done.stdout + done.stderr
        # The keys of two accounts do not work in each other's place.
        scene.simulators[0].accept_credentials([issued(2)])
        failed = run("once", f"--config.file={scene.config}", environ=scene.environ)
    assert failed.status == 1
    assert "AccessKeyId not found: STS.1" in failed.stdout + failed.stderr
    assert SECRET not in f"{done.stdout}{done.stderr}{failed.stdout}{failed.stderr}"


@pytest.mark.parametrize(
    "more",
    [
        {"serviceAccount": {"rrsaRoleName": "sls-exporter"}},
        {"credentials": {"existingSecret": "sls-keys"}},
    ],
)
def test_chart_renders_example(tmp_path: Path, more: dict[str, object]) -> None:
    values = {"config": yaml.safe_load(EXAMPLE.read_text(encoding="utf-8")), **more}
    text = render(values).one("ConfigMap")["data"]["config.yaml"]
    text = text.replace("/var/run/secrets/sls", str(tmp_path))
    for name in ("access-key-id", "access-key-secret"):
        (tmp_path / name).write_text("key")
    (tmp_path / "config.yaml").write_text(text)
    config = load(tmp_path / "config.yaml", environ=VARIABLES)
    assert [
        project.credentials.role_arn for project in config.projects if project.credentials
    ] == ROLES
