"""The workflows run commands of the Makefile, and all versions that they use are pinned."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.docs import read
from tests.support.pythons import PYTHONS
from tools.paths import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PINNED = re.compile(r"uses: ([\w.-]+/[\w./-]+)@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)")

every_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)


def load(path: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(path.read_text(encoding="utf-8")))


def jobs(name: str) -> dict[str, Any]:
    return dict(load(ROOT / ".github" / "workflows" / name)["jobs"])


def steps(path: Path) -> Iterator[dict[str, Any]]:
    for job in load(path)["jobs"].values():
        yield from job["steps"]


def commands(path: Path) -> list[str]:
    return [step["run"] for step in steps(path) if "run" in step]


def tool(name: str, *arguments: str | Path, text: str = "") -> str:
    done = subprocess.run(
        [Path(sys.executable).with_name(name), *arguments],
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_workflows_are_audit_ci_and_release() -> None:
    assert [path.name for path in WORKFLOWS] == ["audit.yml", "ci.yml", "release.yml"]


@every_workflow
def test_workflow_is_valid_by_the_github_schema(path: Path) -> None:
    assert tool("check-jsonschema", "--builtin-schema", "vendor.github-workflows", path) == ""


@every_workflow
def test_every_action_is_pinned_by_commit_with_its_version(path: Path) -> None:
    used = [step["uses"] for step in steps(path) if "uses" in step]
    pinned = [f"{name}@{commit}" for name, commit, _ in PINNED.findall(path.read_text())]
    assert pinned == used
    assert len(used) >= 2


def test_an_action_is_the_same_commit_everywhere() -> None:
    pins = {pin for path in WORKFLOWS for pin in PINNED.findall(path.read_text())}
    assert len(pins) == len({name for name, _, _ in pins})


@every_workflow
def test_every_make_target_and_script_in_workflows_exists(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), flags=re.MULTILINE))
    text = "\n".join(commands(path))
    made = re.findall(r"\bmake (?:--?\w+ )*([a-z-]+)", text)
    assert made
    assert set(made) <= targets
    assert all((ROOT / script).exists() for script in re.findall(r"\.ci/\w+", text))


@every_workflow
def test_shellcheck_finds_no_error_in_commands(path: Path) -> None:
    for command in commands(path):
        assert tool("shellcheck", "--shell", "bash", "-", text=command) == ""


@every_workflow
def test_workflow_commands_contain_no_expressions(path: Path) -> None:
    assert [command for command in commands(path) if "${{" in command] == []


@every_workflow
def test_workflow_has_only_read_permissions_unless_a_job_declares_more(path: Path) -> None:
    workflow = load(path)
    assert workflow["permissions"] == {"contents": "read"}
    writing = {
        name: sorted(right for right, kind in job["permissions"].items() if kind == "write")
        for name, job in workflow["jobs"].items()
        if "permissions" in job
    }
    attesting = ["attestations", "id-token"]
    expected = {
        "files": attesting,
        "image": attesting,
        "pypi": ["id-token"],
        "chart": [],
        "publish": ["contents"],
    }
    assert writing == (expected if path.name == "release.yml" else {})


@every_workflow
def test_no_checkout_leaves_its_token_behind(path: Path) -> None:
    checkouts = [step for step in steps(path) if "actions/checkout" in step.get("uses", "")]
    assert checkouts
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


@every_workflow
def test_every_job_has_a_timeout(path: Path) -> None:
    assert all(0 < job["timeout-minutes"] <= 60 for job in load(path)["jobs"].values())


def test_the_wheel_is_tested_with_every_python_that_the_package_names() -> None:
    matrix = jobs("ci.yml")["wheel"]["strategy"]["matrix"]["python"]
    assert matrix == list(PYTHONS)
    named = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', read("pyproject.toml"))
    assert named == matrix


@pytest.mark.parametrize("name", ["ci.yml", "release.yml"])
def test_conformance_is_tested_with_every_toolchain_that_it_needs(name: str) -> None:
    steps = jobs(name)["conformance"]["steps"]
    setups = {step["uses"].partition("@")[0] for step in steps if "uses" in step}
    needed = re.findall(r'^  "(\w+):', read(".ci/toolchains"), flags=re.MULTILINE)
    # GitHub's machine has Maven, and npm comes with Node.js.
    actions = {"go": "go", "javac": "java", "mvn": "java", "node": "node", "npm": "node"}
    assert {f"actions/setup-{actions[program]}" for program in needed} <= setups
    assert steps[-1]["run"] == "make conformance PYTHON=python"
    assert "make test" in commands(ROOT / ".github" / "workflows" / name)


@pytest.mark.parametrize("name", ["ci.yml", "release.yml"])
def test_conformance_has_toolchains_of_the_required_versions(name: str) -> None:
    given = {
        key: value
        for step in jobs(name)["conformance"]["steps"]
        for key, value in step.get("with", {}).items()
    }
    conformance = ROOT / "tests" / "conformance"
    required = [
        re.findall(r"^go (\d+)\.(\d+)", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        for path in conformance.glob("*/go.mod")
    ]
    versions = [(int(major), int(minor)) for ((major, minor),) in required]
    assert given["go-version"] == "{}.{}".format(*max(versions))
    java = re.findall(r"<maven.compiler.release>(\d+)<", read("tests/conformance/java/pom.xml"))
    assert [given["java-version"]] == java


def test_a_release_is_checked_before_anything_is_built_and_published_last() -> None:
    release = jobs("release.yml")
    assert {name: job.get("needs") for name, job in release.items()} == {
        "check": None,
        "conformance": None,
        "files": ["check", "conformance"],
        "image": ["check", "conformance"],
        "pypi": ["files", "image"],
        "chart": ["files", "image"],
        "publish": ["pypi", "chart"],
    }


def test_locked_packages_are_audited_weekly_and_before_a_release() -> None:
    assert "make audit PYTHON=python" in commands(ROOT / ".github" / "workflows" / "audit.yml")
    release = commands(ROOT / ".github" / "workflows" / "release.yml")
    assert release.index("make audit PYTHON=python") < release.index(
        "make test-wheel PYTHON=python"
    )


def test_the_wheel_is_released_with_the_list_of_what_it_runs_with() -> None:
    release = commands(ROOT / ".github" / "workflows" / "release.yml")
    listed = release.index("make sbom PYTHON=python")
    assert release.index("make test-wheel PYTHON=python") < listed
    assert listed < release.index("cd dist && sha256sum -- * >SHA256SUMS")


def test_the_image_is_released_for_two_machines_with_its_contents_and_origin() -> None:
    (build,) = (step for step in jobs("release.yml")["image"]["steps"] if step.get("id") == "build")
    wanted = build["with"]
    assert wanted["platforms"] == "linux/amd64,linux/arm64"
    assert (wanted["sbom"], wanted["provenance"]) == (True, "mode=max")
    given = re.findall(r"^(\w+)=", wanted["build-args"], flags=re.MULTILINE)
    assert set(given) <= set(re.findall(r"^ARG (\w+)=", read("Dockerfile"), flags=re.MULTILINE))


def test_the_image_of_a_release_has_rewritten_timestamps_and_those_of_the_commit() -> None:
    (build,) = (step for step in jobs("release.yml")["image"]["steps"] if step.get("id") == "build")
    assert build["with"]["outputs"] == "type=registry,rewrite-timestamp=true"
    assert build["env"] == {"SOURCE_DATE_EPOCH": "${{ steps.source.outputs.epoch }}"}
    (source,) = (e for e in jobs("release.yml")["image"]["steps"] if e.get("id") == "source")
    assert "git log -1 --format=%ct" in source["run"]
    assert "ARG SOURCE_DATE_EPOCH" in read("Dockerfile").split("RUN", 1)[0]


def dry_run(
    command: str, folder: Path, programs: dict[str, str], **environ: str
) -> tuple[int, str]:
    """Run a command of a workflow as GitHub does, with scripts in place of programs."""
    path = folder / "bin"
    path.mkdir()
    for name, script in programs.items():
        (path / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (path / name).chmod(0o755)
    output = folder / "output"
    done = subprocess.run(
        ["/bin/bash", "-e", "-c", command],
        cwd=ROOT,
        env={"PATH": f"{path}:/usr/bin:/bin", "GITHUB_OUTPUT": str(output), **environ},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    text = output.read_text(encoding="utf-8") if output.exists() else done.stdout
    return done.returncode, text


@pytest.mark.parametrize(
    ("answer", "status"),
    [(f"sha256:{'0a' * 32}", 0), ("", 1), ("sha256:0a", 1), ("not found", 1)],
)
def test_the_base_of_a_released_image_is_the_digest_of_its_tag(
    answer: str, status: int, tmp_path: Path
) -> None:
    (base,) = (step for step in jobs("release.yml")["image"]["steps"] if step.get("id") == "base")
    (tag,) = re.findall(r"^ARG BASE=(.*)$", read("Dockerfile"), flags=re.MULTILINE)
    script = f'[ "$4" = "{tag}" ] && echo "{answer}"'
    found = dry_run(base["run"], tmp_path, {"docker": script})
    assert found == (status, f"base={tag}@{answer}\n" if status == 0 else "")


def test_the_chart_is_pushed_to_the_registry_without_its_password_in_an_argument(
    tmp_path: Path,
) -> None:
    push = jobs("release.yml")["chart"]["steps"][-1]["run"]
    script = 'echo "$*"; [ "$1" = push ] || { echo "input: $(cat)"; }'
    values = {
        "REGISTRY": "registry.example.com/platform",
        "REGISTRY_USER": "releaser",
        "REGISTRY_PASSWORD": "an-example",
    }
    status, text = dry_run(push, tmp_path, {"helm": script}, **values)
    assert status == 0
    assert text.splitlines() == [
        "registry login registry.example.com --username releaser --password-stdin",
        "input: an-example",
        "push dist/*.tgz oci://registry.example.com/platform/charts",
    ]


def test_packages_for_pypi_are_the_wheel_and_the_source_distribution() -> None:
    job = jobs("release.yml")["pypi"]
    assert job["environment"] == "pypi"
    (copied,) = [step["run"] for step in job["steps"] if "run" in step]
    assert copied == "mkdir packages && cp dist/*.whl dist/*.tar.gz packages"
    assert job["steps"][-1]["with"] == {"packages-dir": "packages"}
