"""The chart as a whole: it lints, Kubernetes accepts what it renders, no value is idle."""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import helm_python
import pytest
import yaml

import exporter
from tests.support.helm import (
    CI_VALUES,
    KUBERNETES,
    RefusedError,
    check,
    feature,
    read,
    render,
    with_dashboards,
)
from tools.chart import VALUES, UndocumentedError, rows
from tools.paths import CHART

LEAST = read(CHART / "ci" / "least-values.yaml")
CLUSTER_FEATURES = {"ServiceMonitor", "PodMonitor", "PrometheusRule", "NetworkPolicy"}
ROWS = {row.path: row for row in rows(VALUES.read_text(encoding="utf-8"))}


@pytest.fixture(scope="session")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the chart that has dashboards."""
    return with_dashboards(tmp_path_factory.mktemp("chart"))


each_feature = pytest.mark.parametrize("name", [path.name for path in CI_VALUES])


def without(values: dict[str, Any], path: str) -> dict[str, Any]:
    """Return a copy of values that leaves one out."""
    copy = json.loads(json.dumps(values))
    *above, last = path.split(".")
    inside = copy
    for key in above:
        inside = inside[key]
    del inside[last]
    return dict(copy)


def set_in(values: dict[str, Any]) -> Iterator[str]:
    """Yield those paths of the table that some values set."""
    for path in ROWS:
        inside: Any = values
        for key in path.split("."):
            inside = inside.get(key) if isinstance(inside, dict) else None
        if inside is not None:
            yield path


def test_the_chart_lints_without_a_warning() -> None:
    found = helm_python.lint(CHART, LEAST, strict=True)
    assert found["errors"] == []
    assert found["messages"] == []


def test_the_icon_of_the_chart_is_an_svg_image() -> None:
    kind, _, content = read(CHART / "Chart.yaml")["icon"].partition(",")
    assert kind == "data:image/svg+xml;base64"
    assert base64.b64decode(content).startswith(b'<svg xmlns="http://www.w3.org/2000/svg"')


def test_annotations_for_artifact_hub_are_lists_of_links() -> None:
    annotations = read(CHART / "Chart.yaml")["annotations"]
    for name in ("artifacthub.io/links", "artifacthub.io/recommendations"):
        links = yaml.safe_load(annotations[name])
        assert all(link["url"].startswith("https://") for link in links)


def test_the_default_values_lint_without_any_project() -> None:
    assert helm_python.lint(CHART, strict=True)["errors"] == []


@each_feature
def test_every_object_of_a_feature_is_valid_for_kubernetes(name: str) -> None:
    for manifest in feature(name).manifests:
        for version in KUBERNETES:
            check(manifest, version)


def test_the_oldest_version_that_the_chart_admits_accepts_the_least() -> None:
    assert read(CHART / "Chart.yaml")["kubeVersion"] == ">=1.25.0-0"
    for manifest in feature("least-values.yaml").manifests:
        check(manifest, "1.25.0")


def test_the_check_of_objects_rejects_fields_unknown_to_kubernetes() -> None:
    service = json.loads(json.dumps(feature("least-values.yaml").one("Service")))
    service["spec"]["prots"] = []
    with pytest.raises(RefusedError, match="prots"):
        check(service, KUBERNETES[0])


@each_feature
def test_rendered_text_has_no_blank_lines_and_no_trailing_spaces(name: str) -> None:
    for file, text in feature(name).files.items():
        assert not re.search(r"\n[ \t]*\n|[ \t]\n", text.strip("\n")), file


@each_feature
def test_no_object_has_an_empty_map_or_null_in_it(name: str) -> None:
    def empty(node: object, path: str) -> Iterator[str]:
        if node is None or (node in ({}, []) and not path.endswith(".data")):
            yield path
        for key, value in node.items() if isinstance(node, dict) else ():
            yield from empty(value, f"{path}.{key}")
        for value in node if isinstance(node, list) else ():
            yield from empty(value, path)

    for manifest in feature(name).manifests:
        assert list(empty(manifest, manifest["kind"])) == []


@each_feature
def test_every_object_has_the_labels_that_kubernetes_recommends(name: str) -> None:
    theirs = list(yaml.safe_load_all(feature(name).files["extra-manifests.yaml"]))
    for manifest in feature(name).manifests:
        if manifest in theirs:
            continue
        labels = manifest["metadata"]["labels"]
        assert labels["app.kubernetes.io/instance"] == "test"
        assert labels["app.kubernetes.io/managed-by"] == "Helm"
        assert labels["app.kubernetes.io/version"] == exporter.__version__
        assert manifest["metadata"]["namespace"] in {"watch", "monitoring"}


def test_features_of_the_cluster_are_off_by_default() -> None:
    kinds = [each["kind"] for each in feature("least-values.yaml").manifests]
    assert sorted(kinds) == ["ConfigMap", "Deployment", "Pod", "Service", "ServiceAccount"]
    hook = feature("least-values.yaml").one("Pod")["metadata"]["annotations"]["helm.sh/hook"]
    assert hook == "test"
    assert not CLUSTER_FEATURES & set(kinds)


def test_the_chart_installs_the_version_of_the_package() -> None:
    chart = read(CHART / "Chart.yaml")
    assert chart["appVersion"] == exporter.__version__
    image = feature("least-values.yaml").container()["image"]
    assert image == f"sls-exporter:{exporter.__version__}"


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("## A\nimage:\n  # Name.\n  name: a\n  tag: b\n", "image.tag"),
        ("## A\n# All of it.\nimage:\n  # Name.\n  name: a\n", "image"),
        ("## A\n# Names.\n\nname: a\n", "name"),
    ],
)
def test_a_value_whose_comment_the_table_would_not_show_is_found(text: str, path: str) -> None:
    with pytest.raises(UndocumentedError) as caught:
        rows(text)
    assert str(caught.value).split(" ")[0] == path


def test_every_value_is_set_by_the_values_of_some_feature() -> None:
    covered = {path for file in CI_VALUES for path in set_in(read(file))}
    assert sorted(ROWS.keys() - covered) == []


@each_feature
def test_every_value_that_a_feature_sets_makes_a_difference(name: str, chart: Path) -> None:
    values = read(CHART / "ci" / name)
    whole = render(values, chart=chart)
    idle = []
    for path in set_in(values):
        try:
            if render(without(values, path), chart=chart) == whole:
                idle.append(path)
        except helm_python.HelmRenderError:
            continue  # it cannot be left out at all
    assert idle == []


def test_a_packaged_chart_renders_the_same_and_contains_no_test_files(tmp_path: Path) -> None:
    with helm_python.Chart.load(CHART) as loaded:
        archive = Path(loaded.save(tmp_path))
    values = read(CHART / "ci" / "rules-values.yaml")
    assert render(values, chart=archive) == feature("rules-values.yaml")
    with helm_python.Chart.load(archive) as packed:
        names = {file["name"] for file in packed.files}
    assert "files/sls-exporter.rules.yaml" in names
    assert not [name for name in names if name.startswith("ci/")]


def test_names_that_look_like_numbers_stay_text() -> None:
    with helm_python.Chart.load(CHART) as loaded:
        values = {**LEAST, "serviceAccount": {"create": False, "name": "456"}}
        files = loaded.render(values, name="123", namespace="789")
    service = yaml.safe_load(files["sls-exporter/templates/service.yaml"])
    assert service["metadata"]["namespace"] == "789"
    assert service["spec"]["selector"]["app.kubernetes.io/instance"] == "123"
    check(service, KUBERNETES[-1])
    deployment = yaml.safe_load(files["sls-exporter/templates/deployment.yaml"])
    assert deployment["spec"]["template"]["spec"]["serviceAccountName"] == "456"
