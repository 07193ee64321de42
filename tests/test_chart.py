"""The chart as a whole: it lints, every feature renders to what Kubernetes accepts, nothing is idle or unexplained."""

import json
import re
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import helm_python
import kubernetes_validate
import pytest
import yaml

import exporter
from tests.support import promtool
from tests.support.helm import CHART, CI_VALUES, KUBERNETES, Rendered, check, read, render
from tests.support.helm_files import RULES, VALUES, UndocumentedError, derived, rows

LEAST = read(CHART / "ci" / "least-values.yaml")
CLUSTER_FEATURES = {"ServiceMonitor", "PodMonitor", "PrometheusRule", "NetworkPolicy"}
ROWS = {row.path: row for row in rows(VALUES.read_text(encoding="utf-8"))}


@cache
def rendered(name: str) -> Rendered:
    return render(read(CHART / "ci" / name))


DASHBOARDS = {
    "sls_consumers.json": '{\n  "title": "Consumers {{ $labels }}",\n\n  "uid": "a"\n}\n',
    "exporter.json": '{"title": "Exporter"}',
}


@pytest.fixture(scope="session")
def with_dashboards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the chart with two dashboards of its own."""
    copy = tmp_path_factory.mktemp("chart") / CHART.name
    shutil.copytree(CHART, copy, ignore=shutil.ignore_patterns("dashboards"))
    (copy / "dashboards").mkdir()
    for name, text in DASHBOARDS.items():
        (copy / "dashboards" / name).write_text(text, encoding="utf-8")
    return copy


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
    assert [message["error"] for message in found["messages"]] == ["icon is recommended"]


def test_the_default_values_lint_though_they_watch_nothing() -> None:
    assert helm_python.lint(CHART, strict=True)["errors"] == []


@each_feature
def test_every_object_of_a_feature_is_what_kubernetes_accepts(name: str) -> None:
    for manifest in rendered(name).manifests:
        for version in KUBERNETES:
            check(manifest, version)


def test_the_check_of_objects_refuses_what_kubernetes_does_not_know() -> None:
    service = json.loads(json.dumps(rendered("least-values.yaml").one("Service")))
    service["spec"]["prots"] = []
    with pytest.raises(kubernetes_validate.ValidationError, match="prots"):
        check(service, KUBERNETES[0])


@each_feature
def test_rendered_text_has_no_blank_lines_and_no_trailing_spaces(name: str) -> None:
    for file, text in rendered(name).files.items():
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

    for manifest in rendered(name).manifests:
        assert list(empty(manifest, manifest["kind"])) == []


@each_feature
def test_every_object_bears_the_labels_that_kubernetes_recommends(name: str) -> None:
    ours = (each for each in rendered(name).manifests if "authorities" not in str(each))
    for manifest in ours:
        if manifest["metadata"]["name"].endswith("-more"):
            continue
        labels = manifest["metadata"]["labels"]
        assert labels["app.kubernetes.io/instance"] == "test"
        assert labels["app.kubernetes.io/managed-by"] == "Helm"
        assert labels["app.kubernetes.io/version"] == exporter.__version__
        assert manifest["metadata"]["namespace"] in {"watch", "monitoring"}


def test_features_of_the_cluster_are_off_by_default() -> None:
    kinds = [each["kind"] for each in rendered("least-values.yaml").manifests]
    assert sorted(kinds) == ["ConfigMap", "Deployment", "Service", "ServiceAccount"]
    assert not CLUSTER_FEATURES & set(kinds)


def test_the_chart_installs_the_version_of_the_package() -> None:
    chart = read(CHART / "Chart.yaml")
    assert chart["appVersion"] == exporter.__version__
    image = rendered("least-values.yaml").container()["image"]
    assert image == f"sls-exporter:{exporter.__version__}"


@pytest.mark.parametrize("path", [path.name for path in derived()])
def test_a_derived_file_is_current(path: str) -> None:
    expected = {each.name: (each, text) for each, text in derived().items()}
    file, text = expected[path]
    assert file.read_text(encoding="utf-8") == text, "run python -m tests.support.helm_files"


def test_a_value_without_a_comment_is_found() -> None:
    with pytest.raises(UndocumentedError, match=r"image\.tag"):
        rows("## A\nimage:\n  # Name.\n  name: a\n  tag: b\n")


def test_every_value_is_set_by_the_values_of_some_feature() -> None:
    covered = {path for file in CI_VALUES for path in set_in(read(file))}
    assert sorted(ROWS.keys() - covered) == []


@each_feature
def test_every_value_that_a_feature_sets_makes_a_difference(
    name: str, with_dashboards: Path
) -> None:
    values = read(CHART / "ci" / name)
    whole = render(values, chart=with_dashboards)
    idle = []
    for path in set_in(values):
        try:
            if render(without(values, path), chart=with_dashboards) == whole:
                idle.append(path)
        except helm_python.HelmRenderError:
            continue  # it cannot be left out at all
    assert idle == []


def test_the_schema_knows_every_value_and_no_other() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    leaves = set()

    def walk(node: dict[str, Any], path: tuple[str, ...]) -> None:
        node = schema["definitions"][node["$ref"][14:]] if "$ref" in node else node
        whole = ".".join(path)
        if "properties" in node and whole not in ROWS:
            assert node["additionalProperties"] is False, whole
            for key, child in node["properties"].items():
                walk(child, (*path, key))
        else:
            leaves.add(whole)

    walk(schema, ())
    assert leaves == ROWS.keys() | {"global", "enabled"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"shard": 2}, "at '': additional properties 'shard' not allowed"),
        ({"config": {"projekts": []}}, "at '/config': additional properties 'projekts'"),
        ({"config": {"polling": {"interval": 60}}}, "at '/config/polling/interval': got number"),
        ({"config": {"stall_after": "5 minutes"}}, "at '/config/stall_after'"),
        ({"web": {"config": {"tls_config": {}}}}, "at '/web/config'"),
        ({"web": {"config": {"basic_auth_users": {"a": "plain"}}}}, "basic_auth_users/a"),
        ({"log": {"level": "warning"}}, "at '/log/level': value must be one of"),
        ({"service": {"ports": 1}}, "at '/service'"),
        ({"probes": {"liveness": {"initialDelaySeconds": 1}}}, "at '/probes/liveness'"),
        ({"prometheusRule": {"disabledAlerts": ["SLSNoSuch"]}}, "disabledAlerts/0"),
        ({"image": {"digest": "0123"}}, "at '/image/digest'"),
        ({"commonLabels": {"a": 1}}, "at '/commonLabels/a': got number, want string"),
        ({"shards": 0}, "at '/shards': minimum"),
    ],
)
def test_a_wrong_value_is_refused_with_its_place(values: dict[str, Any], message: str) -> None:
    with pytest.raises(helm_python.HelmValuesError) as caught:
        render({**LEAST, **values})
    assert message in str(caught.value)


def test_a_chart_that_depends_on_this_one_may_use_a_condition_and_globals() -> None:
    assert render({**LEAST, "enabled": True, "global": {"any": 1}}).workload()


KEYS = {"accessKeyId": "a", "accessKeySecret": "b"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"config": {}}, "there is nothing to watch: set config.projects"),
        ({"existingConfigMap": "mine"}, "existingConfigMap and config exclude each other"),
        ({"shards": 2, "replicas": 2}, "shards and replicas exclude each other"),
        (
            {"credentials": {"existingSecret": "mine", **KEYS}},
            "credentials.existingSecret excludes accessKeyId",
        ),
        ({"credentials": {"accessKeyId": "a"}}, "belong together: set both"),
        ({"credentials": {"securityToken": "a"}}, "belongs to a key"),
        (
            {"config": {**LEAST["config"], "credentials": {}}, "credentials": KEYS},
            None,
        ),
        (
            {
                "config": {**LEAST["config"], "credentials": {"access_key_id": "a"}},
                "credentials": KEYS,
            },
            "config.credentials and the credentials of the chart exclude each other",
        ),
        (
            {"web": {"existingSecret": "mine", "config": {"http_server_config": {"http2": True}}}},
            "web.existingSecret and web.config exclude each other",
        ),
        ({"serviceAccount": {"create": False, "rrsaRoleName": "a"}}, "with create false"),
        (
            {"serviceMonitor": {"enabled": True}, "podMonitor": {"enabled": True}},
            "would scrape every pod twice",
        ),
        (
            {"serviceMonitor": {"enabled": True}, "service": {"enabled": False}},
            "serviceMonitor needs service.enabled",
        ),
    ],
)
def test_values_that_contradict_each_other_are_refused_in_words(
    values: dict[str, Any], message: str | None
) -> None:
    if message is None:
        assert render({**LEAST, **values}).workload()
        return
    with pytest.raises(helm_python.HelmRenderError) as caught:
        render({**LEAST, **values})
    assert message in str(caught.value)


def test_a_packaged_chart_renders_the_same_and_leaves_out_what_tests_need(tmp_path: Path) -> None:
    with helm_python.Chart.load(CHART) as chart:
        archive = Path(chart.save(tmp_path))
    values = read(CHART / "ci" / "rules-values.yaml")
    assert render(values, chart=archive) == rendered("rules-values.yaml")
    with helm_python.Chart.load(archive) as packed:
        names = {file["name"] for file in packed.files}
    assert "files/sls-exporter.rules.yaml" in names
    assert not [name for name in names if name.startswith("ci/")]


def test_names_that_look_like_numbers_stay_text() -> None:
    with helm_python.Chart.load(CHART) as chart:
        values = {**LEAST, "serviceAccount": {"create": False, "name": "456"}}
        files = chart.render(values, name="123", namespace="789")
    for text in (files["sls-exporter/templates/service.yaml"],):
        manifest = yaml.safe_load(text)
        assert manifest["metadata"]["namespace"] == "789"
        assert manifest["spec"]["selector"]["app.kubernetes.io/instance"] == "123"
        check(manifest, KUBERNETES[-1])
    deployment = yaml.safe_load(files["sls-exporter/templates/deployment.yaml"])
    assert deployment["spec"]["template"]["spec"]["serviceAccountName"] == "456"


def test_the_rules_are_those_of_the_package(tmp_path: Path) -> None:
    url = "https://wiki.example.com/sls"
    values = {**LEAST, "prometheusRule": {"enabled": True, "runbookUrl": url}}
    spec = render(values).one("PrometheusRule")["spec"]
    source = RULES.read_text(encoding="utf-8")
    assert spec == yaml.safe_load(
        source.replace("https://sls-exporter.example/docs/runbook.md", url)
    )
    assert "sls-exporter.example" not in json.dumps(spec)
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump(dict(spec)), encoding="utf-8")
    assert "SUCCESS" in promtool.run("promtool", "check", "rules", file)


def test_without_an_address_of_the_runbook_no_alert_names_one() -> None:
    values = {**LEAST, "prometheusRule": {"enabled": True}}
    text = render(values).files["prometheusrule.yaml"]
    assert "SLSConsumerShardStalled" in text
    assert "runbook" not in text


def test_alerts_can_be_left_out_and_get_labels() -> None:
    spec = rendered("rules-values.yaml").one("PrometheusRule")["spec"]
    alerts = {rule["alert"]: rule for group in spec["groups"] for rule in group["rules"]}
    assert "SLSConsumerCheckpointsOld" not in alerts
    assert alerts["SLSConsumerShardStalled"]["labels"] == {"severity": "critical", "team": "data"}


def test_every_dashboard_becomes_a_config_map(with_dashboards: Path) -> None:
    found = render(read(CHART / "ci" / "dashboards-values.yaml"), chart=with_dashboards)
    maps = [each for each in found.all("ConfigMap") if "dashboard" in each["metadata"]["name"]]
    assert {each["metadata"]["name"] for each in maps} == {
        "test-sls-exporter-dashboard-sls-consumers",
        "test-sls-exporter-dashboard-exporter",
    }
    for each in maps:
        ((name, content),) = each["data"].items()
        assert json.loads(content) == json.loads(DASHBOARDS[name])
        assert each["metadata"]["labels"]["my_dashboards"] == "yes"
        assert each["metadata"]["annotations"] == {"grafana_folder": "SLS"}
        assert each["metadata"]["namespace"] == "monitoring"
        check(each, KUBERNETES[0])


def test_dashboards_have_the_label_that_grafanas_sidecar_looks_for_by_default() -> None:
    assert ROWS["dashboards.label"].default == "grafana_dashboard"
    assert ROWS["dashboards.labelValue"].default == "1"
    assert len(rendered("dashboards-values.yaml").all("ConfigMap")) == 1 + len(
        list((CHART / "dashboards").glob("*.json"))
    )


def test_a_service_monitor_selects_one_service_only() -> None:
    found = rendered("shards-values.yaml")
    wanted = found.one("ServiceMonitor")["spec"]["selector"]["matchLabels"].items()
    selected = [s for s in found.all("Service") if wanted <= s["metadata"]["labels"].items()]
    assert [service["metadata"]["name"] for service in selected] == ["test-sls-exporter"]
    (endpoint,) = found.one("ServiceMonitor")["spec"]["endpoints"]
    assert endpoint["port"] in {port["name"] for port in selected[0]["spec"]["ports"]}


def test_a_pod_monitor_selects_the_pods_and_a_port_of_theirs() -> None:
    found = rendered("pod-monitor-values.yaml")
    spec = found.one("PodMonitor")["spec"]
    labels = found.workload()["spec"]["template"]["metadata"]["labels"]
    assert spec["selector"]["matchLabels"].items() <= labels.items()
    (endpoint,) = spec["podMetricsEndpoints"]
    assert endpoint["port"] in {port["name"] for port in found.container()["ports"]}
    assert found.all("Service") == []


def test_labels_and_annotations_for_all_objects_yield_to_those_of_one() -> None:
    found = rendered("names-values.yaml")
    for each in found.manifests:
        assert each["metadata"]["annotations"] == {"example.com/contact": "data-platform"}
    environments = {
        each["kind"]: each["metadata"]["labels"]["environment"] for each in found.manifests
    }
    assert environments == {
        "ConfigMap": "production",
        "Deployment": "production",
        "Service": "overridden",
        "ServiceAccount": "production",
    }
