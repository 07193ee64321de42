"""A Hypothesis strategy for values of the chart, made from their JSON Schema.

Types that Kubernetes or Prometheus checks itself are free in the schema, and come from samples.
"""

import json
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from tests.support.helm import read
from tools.paths import CHART

Schema = Mapping[str, Any]
Strategy = st.SearchStrategy[Any]

SCHEMA: Schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
MOST_KEYS = 8
"""How many keys of a mapping are set at the same time. With more, values contradict each other."""

_CONFIG = read(CHART / "ci" / "least-values.yaml")["config"]
_SELECTOR = {"matchLabels": {"team": "data"}}
_CONTAINER = {"name": "helper", "image": "registry.example.com/helper:1"}
_VARIABLE = {"name": "NAME", "value": "value"}
_SAMPLES: Mapping[str, list[Any]] = {
    ".config": [_CONFIG, {**_CONFIG, "polling": {"interval": "30s"}}],
    "affinity": [{"nodeAffinity": {}}, {"podAntiAffinity": {}}],
    "additionalRules": [{"alert": "Mine", "expr": "vector(1)", "labels": {}, "annotations": {}}],
    "dnsConfig": [{"nameservers": ["10.0.0.10"]}],
    "extraContainers": [_CONTAINER],
    "extraEgress": [{"ports": [{"port": 3128, "protocol": "TCP"}]}],
    "extraEnv": [
        _VARIABLE,
        {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
    ],
    "extraEnvFrom": [{"secretRef": {"name": "partner"}}],
    "extraManifests": [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mine"}},
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ .Release.Name }}-mine'}",
    ],
    "extraVolumeMounts": [{"name": "mine", "mountPath": "/mine"}],
    "extraVolumes": [{"name": "mine", "emptyDir": {}}],
    "filters": [{"type": "ExtensionRef"}],
    "global": [
        {},
        {"imageRegistry": "mirror.example.com"},
        {"imagePullSecrets": ["a", {"name": "b"}]},
    ],
    "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["log.example.com"]}],
    "ingressFrom": [{"podSelector": _SELECTOR}],
    "initContainers": [_CONTAINER],
    "instanceSelector": [_SELECTOR],
    "lifecycle": [{"preStop": {"exec": {"command": ["true"]}}}],
    "metricRelabelings": [{"action": "labeldrop", "regex": "consumer"}],
    "overrides": [{}, {"SLSExporterAbsent": {"severity": "info", "for": "1h"}}],
    "parentRefs": [{"name": "internal"}],
    "podSecurityContext": [{"runAsUser": 1000}],
    "relabelings": [{"targetLabel": "cluster", "replacement": "production"}],
    "resources": [{"requests": {"cpu": "50m"}, "limits": {"memory": "256Mi"}}],
    "securityContext": [{"procMount": "Default"}],
    "selector": ["", 'job="sls-exporter"', 'namespace="{{ .Release.Namespace }}"'],
    "tlsConfig": [{"insecureSkipVerify": True}],
    "tolerations": [{"key": "dedicated", "operator": "Exists"}],
    "topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"},
    ],
}


def chart_values() -> Strategy:
    """Return values that the schema accepts, with something to watch."""
    found = _object(SCHEMA, read(CHART / "values.yaml"), "")
    return found.map(lambda values: {"config": _CONFIG} | values)


def _object(node: Schema, defaults: Any, path: str) -> Strategy:  # noqa: ANN401  of any type
    properties: Mapping[str, Schema] = node["properties"]
    preset = defaults if isinstance(defaults, dict) else {}
    # Helm adds the defaults before it checks that a required key is there.
    required = [key for key in node.get("required", []) if key not in preset]
    # A feature that is switched off would leave the other keys of its section without effect.
    required += [key for key in ("enabled",) if path and key in properties]
    optional = [key for key in properties if key not in required]

    def of_keys(keys: list[str]) -> Strategy:
        return st.fixed_dictionaries(
            {
                key: _value(properties[key], preset.get(key), f"{path}.{key}")
                for key in (*required, *keys)
            }
        )

    chosen = st.lists(
        st.sampled_from(optional), unique=True, min_size=min(3, len(optional)), max_size=MOST_KEYS
    )
    return chosen.flatmap(of_keys) if optional else of_keys([])


def _value(node: Schema, defaults: Any, path: str) -> Strategy:  # noqa: ANN401  of any type
    if "$ref" in node:
        return _value(SCHEMA["definitions"][node["$ref"].rpartition("/")[2]], defaults, path)
    samples = _SAMPLES.get(path, _SAMPLES.get(path.rpartition(".")[2]))
    if samples:
        one = st.sampled_from(samples)
        return st.lists(one, max_size=1) if node.get("type") == "array" else one
    if "const" in node or "enum" in node:
        return st.sampled_from(node["enum"] if "enum" in node else [node["const"]])
    if "anyOf" in node:
        return st.one_of(*(_value(each, defaults, path) for each in node["anyOf"]))
    if "allOf" in node:
        first, second = node["allOf"]
        least: int = second["minLength"]
        return _value(first, defaults, path).filter(lambda text: len(text) >= least)
    kinds = node["type"] if isinstance(node["type"], list) else [node["type"]]
    return st.one_of(*(_of_kind(kind, node, defaults, path) for kind in kinds))


def _of_kind(kind: str, node: Schema, defaults: Any, path: str) -> Strategy:  # noqa: ANN401
    match kind:
        case "boolean":
            return st.sampled_from([True, True, False])
        case "integer":
            least = node.get("minimum", 0)
            return st.integers(least, node.get("maximum", max(least, 2**31 - 1)))
        case "array":
            items = _value(node["items"], None, path)
            unique = repr if node.get("uniqueItems") else None
            return st.lists(items, max_size=min(3, node.get("maxItems", 3)), unique_by=unique)
        case "object" if "properties" in node:
            return _object(node, defaults, path)
        case "object":
            names = _text(node.get("propertyNames", {}))
            texts = _value(node["additionalProperties"], None, path)
            return st.dictionaries(names, texts, max_size=2)
        case _:
            return _text(node)


def _text(node: Schema) -> Strategy:
    least, most = node.get("minLength", 0), node.get("maxLength", 100)
    if "pattern" in node:
        found = st.from_regex(node["pattern"], fullmatch=True)
        return found.filter(lambda text: least <= len(text) <= most)
    return st.text(min_size=least, max_size=20)
