"""The Helm chart for tests: its files, the rendered objects, and their check by Kubernetes."""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import helm_python
import kubernetes_validate  # type: ignore[import-untyped]  # has no types
import yaml

from tools.paths import CHART

CI_VALUES = sorted((CHART / "ci").glob("*-values.yaml"))
RELEASE, NAMESPACE = "test", "watch"
KUBERNETES = ("1.27.0", "1.32.0", "1.37.0")
"""The first version that knows every field in use, one in between, the newest that is known."""

DASHBOARDS = {
    "sls_consumers.json": '{\n  "title": "Consumers {{ $labels }}",\n\n  "uid": "a"\n}\n',
    "exporter.json": '{"title": "Exporter"}',
}

Values = Mapping[str, Any]
Manifest = Mapping[str, Any]

# Fields in the operator's definitions (monitoring.coreos.com/v1) that the chart may use.
_LIMITS = {
    *("sampleLimit", "targetLimit", "labelLimit", "scrapeProtocols", "fallbackScrapeProtocol"),
}
_MONITOR_SPEC = {
    *("selector", "namespaceSelector", "jobLabel", "podTargetLabels", "attachMetadata"),
} | _LIMITS
_SCRAPING = {
    *("basicAuth", "tlsConfig", "relabelings", "metricRelabelings", "honorLabels", "proxyUrl"),
}
_ENDPOINT = {"port", "path", "scheme", "interval", "scrapeTimeout"} | _SCRAPING
_SCRAPE_CONFIG = {
    *("jobName", "kubernetesSDConfigs", "metricsPath", "scheme", "scrapeInterval", "scrapeTimeout"),
    *(_SCRAPING | _LIMITS),
}
_API_VERSIONS = {
    "ServiceMonitor": "monitoring.coreos.com/v1",
    "PodMonitor": "monitoring.coreos.com/v1",
    "PrometheusRule": "monitoring.coreos.com/v1",
    "ScrapeConfig": "monitoring.coreos.com/v1alpha1",
    "GrafanaDashboard": "grafana.integreatly.org/v1beta1",
    "HTTPRoute": "gateway.networking.k8s.io/v1",
    "VerticalPodAutoscaler": "autoscaling.k8s.io/v1",
    "ScaledObject": "keda.sh/v1alpha1",
}
"""Kinds that are not part of Kubernetes itself."""
_RULE = {"record", "alert", "expr", "for", "keep_firing_for", "labels", "annotations"}


class RefusedError(Exception):
    """An object that Kubernetes would refuse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """The rendered chart for some values: the text of each template, and the objects in it."""

    files: Mapping[str, str]
    manifests: tuple[Manifest, ...]
    notes: str

    def all(self, kind: str) -> list[Manifest]:
        """Return the objects of a kind."""
        return [each for each in self.manifests if each["kind"] == kind]

    def one(self, kind: str, name: str | None = None) -> Manifest:
        """Return the only object of a kind, or the one with a name."""
        (found,) = (e for e in self.all(kind) if name in {None, e["metadata"]["name"]})
        return found

    def workload(self) -> Manifest:
        """Return the Deployment or StatefulSet."""
        (found,) = (e for e in self.manifests if e["kind"] in {"Deployment", "StatefulSet"})
        return found

    def pod(self) -> Manifest:
        """Return the specification of its pods."""
        spec: Manifest = self.workload()["spec"]["template"]["spec"]
        return spec

    def pod_annotations(self) -> Manifest:
        """Return the annotations of its pods."""
        metadata = self.workload()["spec"]["template"]["metadata"]
        return dict(metadata.get("annotations", {}))

    def container(self) -> Manifest:
        """Return the exporter's container."""
        (found,) = (each for each in self.pod()["containers"] if each["name"] == "sls-exporter")
        return dict(found)


def render(values: Values, *, chart: Path = CHART) -> Rendered:
    """Check the values against the schema and render; raises helm_python.HelmError."""
    loaded = _load(chart)
    loaded.validate_schema(dict(values))
    files = loaded.render(dict(values), name=RELEASE, namespace=NAMESPACE)
    named = {path.split("/templates/", 1)[1]: text for path, text in files.items()}
    notes = named.pop("NOTES.txt")
    return Rendered(files=named, manifests=tuple(_manifests(named)), notes=notes)


@cache
def feature(name: str) -> Rendered:
    """Render the values of a feature, which are a file in ci/."""
    return render(read(CHART / "ci" / name))


def watching(**values: Any) -> Rendered:  # noqa: ANN401  values are of any type
    """Render some values together with the required ones."""
    return render({**read(CHART / "ci" / "least-values.yaml"), **values})


def with_dashboards(directory: Path) -> Path:
    """Copy the chart into a directory, with two dashboards added to it."""
    copy = directory / CHART.name
    shutil.copytree(CHART, copy, ignore=shutil.ignore_patterns("dashboards"))
    (copy / "dashboards").mkdir()
    for name, text in DASHBOARDS.items():
        (copy / "dashboards" / name).write_text(text, encoding="utf-8")
    return copy


@cache
def _load(chart: Path) -> helm_python.Chart:
    return helm_python.Chart.load(chart)


def _manifests(files: Mapping[str, str]) -> Iterator[Manifest]:
    for name in sorted(files):
        # The C loader, because a dashboard takes the Python loader a second.
        found = yaml.load_all(files[name], yaml.CSafeLoader)
        yield from (each for each in found if each is not None)


def read(path: Path) -> dict[str, Any]:
    """Return the values in a file."""
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(values, dict)
    return values


def check(manifest: Manifest, version: str) -> None:
    """Have a version of Kubernetes check an object, down to unknown keys; raises RefusedError."""
    # Convert it to JSON, as clients send it: keys are strings, and all values are JSON types.
    _check(json.dumps(manifest), version)


@cache  # many features have the same objects
def _check(text: str, version: str) -> None:
    sent = json.loads(text)
    if sent["kind"] in _API_VERSIONS:
        assert sent["apiVersion"] == _API_VERSIONS[sent["kind"]]
        assert sent.keys() == {"apiVersion", "kind", "metadata", "spec"}
        _OWN_CHECKS[sent["kind"]](sent)
        # The fields that all objects have in common are checked on a known kind.
        sent = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": sent["metadata"]}
    try:
        kubernetes_validate.validate(sent, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        raise RefusedError(f"{sent['kind']}: {error}") from error


def _monitor(manifest: Manifest) -> None:
    spec = manifest["spec"]
    key, more = (
        ("endpoints", {"targetLabels"})
        if manifest["kind"] == "ServiceMonitor"
        else ("podMetricsEndpoints", set())
    )
    assert {key, "selector"} <= spec.keys() <= _MONITOR_SPEC | more | {key}
    assert spec["selector"].keys() == {"matchLabels"}
    assert spec["namespaceSelector"].keys() == {"matchNames"}
    assert all(isinstance(spec.get(f"{each}Limit", 1), int) for each in ("sample", "target"))
    for endpoint in spec[key]:
        assert {"port", "path", "scheme"} <= endpoint.keys() <= _ENDPOINT
        assert endpoint["scheme"] in {"http", "https"}
        assert all(isinstance(each, dict) for each in endpoint.get("relabelings", []))


def _rules(manifest: Manifest) -> None:
    assert manifest["spec"].keys() == {"groups"}
    for group in manifest["spec"]["groups"]:
        assert group.keys() == {"name", "rules"}
        for rule in group["rules"]:
            kind = "record" if "record" in rule else "alert"
            assert {kind, "expr"} <= rule.keys() <= _RULE - {"record", "alert"} | {kind}
            optional = (rule.get("labels", {}), rule.get("annotations", {}))
            texts = (rule["expr"], *(text for each in optional for text in each.values()))
            assert all(isinstance(text, str) for text in texts)


def _scrape_config(manifest: Manifest) -> None:
    spec = manifest["spec"]
    assert {"kubernetesSDConfigs", "relabelings", "scheme"} <= spec.keys() <= _SCRAPE_CONFIG
    assert spec["scheme"] in {"HTTP", "HTTPS"}
    (discovery,) = spec["kubernetesSDConfigs"]
    assert discovery.keys() == {"role", "namespaces", "selectors"}


def _grafana_dashboard(manifest: Manifest) -> None:
    spec = manifest["spec"]
    known = {"instanceSelector", "folder", "resyncPeriod", "allowCrossNamespaceImport", "json"}
    assert {"instanceSelector", "json"} <= spec.keys() <= known
    assert json.loads(spec["json"])["title"]


def _http_route(manifest: Manifest) -> None:
    spec = manifest["spec"]
    assert {"parentRefs", "rules"} <= spec.keys() <= {"parentRefs", "rules", "hostnames"}
    (rule,) = spec["rules"]
    assert {"matches", "backendRefs"} <= rule.keys() <= {"matches", "backendRefs", "filters"}
    assert [each.keys() for each in rule["backendRefs"]] == [{"name", "port"}]


def _autoscaler(manifest: Manifest) -> None:
    spec = manifest["spec"]
    assert {"targetRef"} <= spec.keys() <= {"targetRef", "updatePolicy", "resourcePolicy"}
    assert spec["targetRef"].keys() == {"apiVersion", "kind", "name"}
    (policy,) = spec["resourcePolicy"]["containerPolicies"]
    known = {"containerName", "controlledResources", "minAllowed", "maxAllowed"}
    assert {"containerName"} <= policy.keys() <= known


def _scaled_object(manifest: Manifest) -> None:
    spec = manifest["spec"]
    known = {"minReplicaCount", "maxReplicaCount", "fallback", "advanced"}
    assert {"scaleTargetRef", "triggers"} <= spec.keys() <= {"scaleTargetRef", "triggers"} | known
    assert spec["scaleTargetRef"].keys() <= {"apiVersion", "kind", "name"}
    fallback = spec["fallback"]
    assert {"failureThreshold", "replicas"} <= fallback.keys()
    assert fallback.keys() <= {"failureThreshold", "replicas", "behavior"}
    assert spec["advanced"].keys() == {"horizontalPodAutoscalerConfig"}
    (config,) = spec["advanced"].values()
    assert config.keys() == {"behavior"}
    autoscaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "behavior"},
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "a"}, "maxReplicas": 1, **config},
    }
    kubernetes_validate.validate(autoscaler, KUBERNETES[-1], strict=True)
    for trigger in spec["triggers"]:
        assert trigger.keys() == {"type", "name", "metricType", "metadata"}
        assert trigger["type"] == "prometheus"
        assert all(isinstance(text, str) for text in trigger["metadata"].values())
        assert trigger["metadata"].keys() == {
            *("serverAddress", "threshold", "ignoreNullValues", "query"),
        }


_OWN_CHECKS: Mapping[str, Callable[[Manifest], None]] = {
    "ServiceMonitor": _monitor,
    "PodMonitor": _monitor,
    "PrometheusRule": _rules,
    "ScrapeConfig": _scrape_config,
    "GrafanaDashboard": _grafana_dashboard,
    "HTTPRoute": _http_route,
    "VerticalPodAutoscaler": _autoscaler,
    "ScaledObject": _scaled_object,
}
