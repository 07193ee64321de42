"""The image's recipe, by its structure; building it needs an engine."""

import re
import subprocess
import sys
from pathlib import Path

import exporter
from exporter.commands.flags import DEFAULT_PORT, parse
from tools.paths import ROOT

TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def instructions() -> list[tuple[str, str]]:
    """Return the instructions with their arguments, continued lines joined."""
    joined = re.sub(r"\\\n\s*", "", TEXT)
    lines = [line for line in joined.splitlines() if line and not line.startswith("#")]
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in lines)]


def final_stage() -> dict[str, list[str]]:
    """Return the arguments of the last stage by instruction."""
    every = instructions()
    start = max(index for index, (name, _) in enumerate(every) if name == "FROM")
    stage: dict[str, list[str]] = {}
    for name, rest in every[start:]:
        stage.setdefault(name, []).append(rest)
    return stage


def test_hadolint_reports_no_problem() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("hadolint"), ROOT / "Dockerfile"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_builds_in_one_stage_and_runs_in_another_of_the_same_base() -> None:
    stages = [rest for name, rest in instructions() if name == "FROM"]
    assert stages == ["${BASE} AS build", "${BASE}"]


def test_the_base_is_a_slim_python_that_the_package_supports() -> None:
    (base,) = [rest for name, rest in instructions() if name == "ARG" and "BASE" in rest]
    assert re.fullmatch(r"BASE=python:3\.1[1-9]-slim-[a-z]+", base)


def test_final_stage_adds_one_layer_of_files() -> None:
    stage = final_stage()
    assert "RUN" not in stage
    assert stage["COPY"] == ["--from=build /opt/sls-exporter /opt/sls-exporter"]


def test_bytecode_is_compiled_when_the_image_is_built_and_never_written_when_it_runs() -> None:
    (install,) = [rest for name, rest in instructions() if "pip" in rest and name == "RUN"][-1:]
    assert "install --compile" in install
    assert "PYTHONDONTWRITEBYTECODE=1" in final_stage()["ENV"][0]
    build_environment = " ".join(rest for name, rest in instructions()[:7] if name == "ENV")
    assert "PYTHONDONTWRITEBYTECODE" not in build_environment


def test_the_image_runs_as_a_numeric_user_that_is_not_root() -> None:
    assert final_stage()["USER"] == ["65532:65532"]


def test_the_exporter_is_process_1_without_a_shell_and_gets_sigterm() -> None:
    stage = final_stage()
    assert stage["ENTRYPOINT"] == ['["sls-exporter"]']
    assert stage["STOPSIGNAL"] == ["SIGTERM"]


def test_the_command_of_the_image_is_valid_for_the_program() -> None:
    (command,) = final_stage()["CMD"]
    arguments = re.findall(r'"([^"]*)"', command)
    assert str(parse(arguments, {}).config_file) == "/etc/sls-exporter/config.yaml"


def test_the_image_exposes_the_default_port() -> None:
    assert final_stage()["EXPOSE"] == [str(DEFAULT_PORT)]


def test_the_labels_of_the_image_contain_the_version_of_the_package() -> None:
    stage = final_stage()
    assert f"VERSION={exporter.__version__}" in stage["ARG"]
    assert 'org.opencontainers.image.version="${VERSION}"' in stage["LABEL"][0]
    assert 'org.opencontainers.image.licenses="Apache-2.0"' in stage["LABEL"][0]
    for name in ("created", "source", "url", "version", "revision"):
        assert f'org.opencontainers.image.{name}="${{' in stage["LABEL"][0]


def test_every_file_that_the_build_copies_is_let_in() -> None:
    let_in = {
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line.startswith("!")
    }
    copied = {
        source.removeprefix("./")
        for name, rest in instructions()
        if name == "COPY" and "--from" not in rest
        for source in rest.split()[:-1]
    }
    assert copied == let_in
    assert all((ROOT / source).exists() for source in copied)
