"""Values of other versions, null values, and the chart as a dependency of another one."""

import json
import re
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import helm_python
import pytest
import yaml

from tests.support.helm import CI_VALUES, KUBERNETES, check, read, render
from tools.chart import VALUES, rows
from tools.paths import CHART, ROOT

FIRST = ROOT / "tests" / "data" / "first-chart-values.yaml"
LEAST = read(CHART / "ci" / "least-values.yaml")
SWITCHES = (
    *("serviceMonitor", "prometheusRule", "dashboards", "networkPolicy", "podDisruptionBudget"),
    *("verticalPodAutoscaler", "ingress", "httpRoute"),
)
ROUTES = {
    "ingress": {"enabled": True, "hosts": ["sls.example.com"]},
    "httpRoute": {"enabled": True, "parentRefs": [{"name": "internal"}]},
}
ENABLED = {**LEAST, **{name: {"enabled": True} for name in SWITCHES}, **ROUTES}
"""Values with which every template renders an object."""
ROWS = [row.path for row in rows(VALUES.read_text(encoding="utf-8"))]
PATHS = sorted({path.rsplit(".", n)[0] for path in ROWS for n in range(path.count(".") + 1)})
REMOVABLE = {"podSecurityContext", "securityContext"}
"""Values whose null means none, although their default is not empty."""


@cache
def with_first_values(directory: Path) -> Path:
    """Return a chart whose defaults are old, as Helm sees it with ``--reuse-values``."""
    copy = directory / CHART.name
    shutil.copytree(CHART, copy)
    shutil.copy(FIRST, copy / "values.yaml")
    return copy


@pytest.fixture(scope="session")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_first_values(tmp_path_factory.mktemp("first"))


def test_reused_values_of_the_first_chart_render_as_the_defaults_of_this_one(first: Path) -> None:
    assert render(ENABLED, chart=first) == render(ENABLED)


@pytest.mark.parametrize("name", [path.name for path in CI_VALUES])
def test_a_feature_renders_the_same_with_reused_values_of_the_first_chart(
    name: str, first: Path
) -> None:
    values = read(CHART / "ci" / name)
    assert render(values, chart=first) == render(values)


def changed(path: str, *, null: bool) -> dict[str, Any]:
    """Return the values with null for a path, or without it."""
    values: dict[str, Any] = json.loads(json.dumps(ENABLED))
    *above, last = path.split(".")
    inside = values
    for key in above:
        inside = inside.setdefault(key, {})
    inside.pop(last, None)
    if null:
        inside[last] = None
    return values


def outcome(values: dict[str, Any]) -> object:
    """Return what is rendered, or the reason why nothing is."""
    try:
        return render(values)
    except helm_python.HelmRenderError as error:
        return str(error)


@pytest.mark.parametrize("path", PATHS)
def test_null_is_the_default_or_is_rejected_by_the_schema(path: str) -> None:
    try:
        found = outcome(changed(path, null=True))
    except helm_python.HelmValuesError as error:
        assert f"missing property '{path.rpartition('.')[2]}'" in str(error)  # noqa: PT017
    else:
        assert found == outcome(changed(path, null=False)) or path in REMOVABLE
        assert "nil pointer" not in str(found)


@pytest.mark.parametrize("path", ["config", "probes", "probes.liveness", "web.port", "shards"])
def test_null_is_rejected_for_values_that_the_chart_needs(path: str) -> None:
    *above, last = path.split(".")
    values: dict[str, Any] = {last: None}
    for key in reversed(above):
        values = {key: values}
    with pytest.raises(helm_python.HelmValuesError, match=f"missing property '{last}'"):
        render({**LEAST, **values})


def umbrella(directory: Path, values: dict[str, Any]) -> dict[str, str]:
    """Render a chart that has this one as a dependency with a condition."""
    parent = directory / "platform"
    shutil.copytree(CHART, parent / "charts" / "sls-exporter")
    (parent / "templates").mkdir()
    dependency = {
        "name": "sls-exporter",
        "version": read(CHART / "Chart.yaml")["version"],
        "condition": "sls-exporter.enabled",
    }
    chart = {"apiVersion": "v2", "name": "platform", "version": "1.0.0"}
    (parent / "Chart.yaml").write_text(yaml.safe_dump({**chart, "dependencies": [dependency]}))
    with helm_python.Chart.load(parent) as loaded:
        loaded.validate_schema(values)
        return dict(loaded.render(values, name="test", namespace="watch"))


def test_a_parent_chart_passes_values_and_globals_to_the_chart(tmp_path: Path) -> None:
    values = {
        "global": {"imageRegistry": "mirror.example.com", "imagePullSecrets": ["mirror"]},
        "sls-exporter": {**LEAST, "enabled": True, "serviceMonitor": {"enabled": True}},
    }
    files = umbrella(tmp_path, values)
    templates = [text for name, text in files.items() if name.endswith(".yaml")]
    found = [each for text in templates for each in yaml.safe_load_all(text) if each]
    objects = {each["kind"]: each for each in found}
    for each in objects.values():
        check(each, KUBERNETES[-1])
    pod = objects["Deployment"]["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"].startswith("mirror.example.com/sls-exporter:")
    assert pod["imagePullSecrets"] == [{"name": "mirror"}]
    wanted = objects["ServiceMonitor"]["spec"]["selector"]["matchLabels"].items()
    assert wanted <= objects["Service"]["metadata"]["labels"].items()


def test_a_parent_chart_can_switch_the_chart_off(tmp_path: Path) -> None:
    files = umbrella(tmp_path, {"sls-exporter": {"enabled": False}})
    assert [text for text in files.values() if text.strip()] == []


def test_templates_call_no_function_whose_result_differs_between_two_renderings() -> None:
    # Argo CD and Flux render without the cluster, and apply objects whenever their text changes.
    varying = r"\{\{[^}]*\b(lookup|rand\w+|gen[A-Z]\w+|now|uuidv4|htpasswd|getHostByName)\b"
    for template in sorted((CHART / "templates").rglob("*.*")):
        assert re.findall(varying, template.read_text(encoding="utf-8")) == [], template
