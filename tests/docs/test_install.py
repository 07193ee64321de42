"""The installation instructions in the documents, their requirements and their links."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import helm_python
import pytest
import yaml

from exporter.commands.flags import parse
from tests.support.debian import program
from tests.support.docs import blocks, read
from tests.support.helm import KUBERNETES, check, render
from tests.support.pythons import PYTHONS
from tests.support.rules import alerting_rules
from tools.paths import ROOT, RULES

README = read("README.md")
GUIDE = read("docs/getting-started.md")
COMPATIBILITY = read("docs/compatibility.md")
PAGES = sorted(path.name for path in (ROOT / "docs").glob("*.md") if path.name != "README.md")


def was_tested(subject: str) -> str:
    """Return the tested versions in the table of compatibility."""
    (row,) = [line for line in COMPATIBILITY.splitlines() if line.startswith(f"| {subject} |")]
    return row.split(" | ")[2]


@pytest.mark.parametrize("page", PAGES)
def test_the_index_and_the_readme_lead_to_every_page(page: str) -> None:
    assert f"]({page})" in read("docs/README.md")
    assert f"](docs/{page})" in README


def test_the_values_of_the_readme_render_to_valid_objects() -> None:
    (text,) = [block for block in blocks(README, "yaml") if block.startswith("# values.yaml")]
    rendered = render(yaml.safe_load(text))
    for manifest in rendered.manifests:
        check(manifest, KUBERNETES[-1])
    assert {"Deployment", "ServiceMonitor", "PrometheusRule"} <= {
        manifest["kind"] for manifest in rendered.manifests
    }


def test_readme_names_a_shipped_alert() -> None:
    named = set(re.findall(r"`(SLS[A-Z]\w+)`", README))
    assert named
    assert named <= alerting_rules(RULES.read_text()).keys()


@pytest.mark.parametrize("text", [README, GUIDE], ids=["readme", "guide"])
def test_arguments_of_a_container_in_the_documents_are_a_valid_command_line(text: str) -> None:
    lines = "\n".join(blocks(text, "sh")).replace("\\\n", "")
    runs = [shlex.split(line) for line in lines.splitlines() if line.startswith("docker run")]
    assert runs
    for words in runs:
        parse(words[words.index("sls-exporter") + 1 :], {})
        assert words[words.index("-p") + 1] == "10027:10027"


def test_the_rules_are_where_the_guide_finds_them() -> None:
    (code,) = re.findall(r'python -I -c "(from importlib.*?)"$', GUIDE, flags=re.MULTILINE)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert Path(done.stdout.strip()).is_file()


def test_the_versions_that_were_tested_are_those_of_the_tests() -> None:
    assert re.findall(r"\b3\.\d+\b", was_tested("Python")) == ["3.11", *PYTHONS]
    kubernetes = re.findall(r"\b\d\.\d+\.\d+\b", was_tested("Kubernetes"))
    assert kubernetes == ["1.25.0", *KUBERNETES]
    (sdk,) = re.findall(r"aliyun-log-python-sdk==([\d.]+)", read("pyproject.toml"))
    assert f"`aliyun-log-python-sdk` {sdk}" in was_tested("Alibaba Cloud SLS")


@pytest.mark.parametrize(
    ("subject", "module"),
    [
        ("Prometheus", "github.com/prometheus/prometheus"),
        ("Alertmanager", "github.com/prometheus/alertmanager"),
        ("VictoriaMetrics", "github.com/VictoriaMetrics/VictoriaMetrics"),
        ("Helm", "helm.sh/helm/v3"),
        ("Helm", "helm.sh/helm/v4"),
    ],
)
def test_versions_of_go_modules_are_those_that_the_page_names(subject: str, module: str) -> None:
    (version,) = re.findall(rf"^\| `{module}` \| (\S+) \|", COMPATIBILITY, re.MULTILINE)
    assert version in was_tested(subject)


def test_helm_of_the_chart_tests_is_the_one_that_the_page_names() -> None:
    assert helm_python.helm_sdk_version().removeprefix("v") in was_tested("Helm")


@pytest.mark.skipif(
    "VERSION_CODENAME=bookworm" not in Path("/etc/os-release").read_text(encoding="utf-8"),
    reason="other versions come with another Debian",
)
@pytest.mark.parametrize(
    ("subject", "name"),
    [("Prometheus", "prometheus"), ("Alertmanager", "prometheus-alertmanager")],
)
def test_the_programs_of_debian_are_those_that_the_page_names(subject: str, name: str) -> None:
    done = subprocess.run([program(name), "--version"], capture_output=True, text=True, check=True)
    version = re.search(r"version (\d+\.\d+\.\d+)", done.stdout + done.stderr)
    assert version is not None
    assert version[1] in was_tested(subject)
