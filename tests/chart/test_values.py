"""The chart rejects invalid values, with their location or an explanation."""

import json
from typing import Any

import helm_python
import pytest
import yaml

from tests.support.helm import read, render
from tools.chart import VALUES, rows
from tools.paths import CHART

LEAST = read(CHART / "ci" / "least-values.yaml")
ROWS = {row.path for row in rows(VALUES.read_text(encoding="utf-8"))}


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
    assert leaves == ROWS | {"global", "enabled"}


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
        ({"probes": {"liveness": {"successThreshold": 1}}}, "at '/probes/liveness'"),
        ({"dashboards": {"include": ["exporters"]}}, "at '/dashboards/include/0'"),
        ({"serviceMonitor": {"scrapeProtocols": ["Text"]}}, "scrapeProtocols/0"),
        ({"prometheusRule": {"disabledAlerts": ["SLSNoSuch"]}}, "disabledAlerts/0"),
        ({"prometheusRule": {"language": "zh"}}, "at '/prometheusRule/language'"),
        ({"prometheusRule": {"overrides": {"SLSNoSuch": {}}}}, "invalid propertyName 'SLSNoSuch'"),
        (
            {"prometheusRule": {"overrides": {"SLSConsumerLagHigh": {"for": "soon"}}}},
            "overrides/SLSConsumerLagHigh/for",
        ),
        (
            {"prometheusRule": {"overrides": {"SLSConsumerLagHigh": {"expr": "up"}}}},
            "overrides/SLSConsumerLagHigh",
        ),
        ({"image": {"digest": "0123"}}, "at '/image/digest'"),
        ({"commonLabels": {"a": 1}}, "at '/commonLabels/a': got number, want string"),
        ({"shards": 0}, "at '/shards': minimum"),
        # The function toYaml of Helm would write nothing at all.
        ({"prometheusRule": {"alertLabels": {"a": "\x8b"}}}, "at '/prometheusRule/alertLabels/a'"),
        ({"commonAnnotations": {"a": "\x7f"}}, "at '/commonAnnotations/a'"),
        ({"extraArgs": ["\x9f"]}, "at '/extraArgs/0'"),
        ({"global": {"imageRegistry": 1}}, "at '/global/imageRegistry': got number"),
        ({"global": {"imagePullSecrets": [1]}}, "at '/global/imagePullSecrets/0'"),
        ({"updateStrategy": {"type": "Rolling"}}, "at '/updateStrategy/type'"),
    ],
)
def test_an_invalid_value_is_rejected_with_its_location(
    values: dict[str, Any], message: str
) -> None:
    with pytest.raises(helm_python.HelmValuesError) as caught:
        render({**LEAST, **values})
    assert message in str(caught.value)


def test_a_chart_that_depends_on_this_one_may_use_a_condition_and_globals() -> None:
    assert render({**LEAST, "enabled": True, "global": {"any": 1}}).workload()


KEYS = {"accessKeyId": "a", "accessKeySecret": "b"}
NO_PROBES = {kind: {"enabled": False} for kind in ("startup", "liveness", "readiness")}
ROLE = {"role_arn": "acs:ram::1:role/reader", "external_id": "ab"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"config": {}}, "there is nothing to watch: set config.projects"),
        ({"existingConfigMap": "mine"}, "existingConfigMap and config exclude each other"),
        ({"existingConfigSecret": "mine"}, "existingConfigSecret and config exclude each other"),
        (
            {"config": {}, "existingConfigMap": "mine", "existingConfigSecret": "mine"},
            "existingConfigMap and existingConfigSecret exclude each other",
        ),
        (
            {"extraArgs": ["--web.listen-address=127.0.0.1:10027"]},
            "use web.listenAddresses",
        ),
        (
            {"web": {"listenAddresses": ["0.0.0.0:9100"]}},
            "web.listenAddresses has no address with the port :10027",
        ),
        *(
            ({"web": {"listenAddresses": [address]}}, "only loopback addresses")
            for address in ("127.0.0.1:10027", "localhost:10027", "[::1]:10027")
        ),
        ({"web": {"listenAddresses": ["127.0.0.1:10027"]}, "probes": NO_PROBES}, None),
        ({"shards": 4, "updateStrategy": {"type": "Recreate"}}, "Recreate is for a Deployment"),
        ({"shards": 4, "updateStrategy": {"type": "OnDelete"}}, None),
        (
            {"shards": 4, "updateStrategy": {"rollingUpdate": {"maxSurge": 1}}},
            "maxSurge is for a Deployment",
        ),
        ({"updateStrategy": {"type": "Recreate"}}, None),
        ({"updateStrategy": {"type": "OnDelete"}}, "OnDelete is for a StatefulSet"),
        (
            {"updateStrategy": {"rollingUpdate": {"partition": 1}}},
            "partition is for a StatefulSet",
        ),
        (
            {"updateStrategy": {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}},
            "exclude each other",
        ),
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
            {"config": {**LEAST["config"], "credentials": ROLE}, "credentials": KEYS},
            None,
        ),
        (
            {
                "config": {**LEAST["config"], "credentials": {**ROLE, "profile": "a"}},
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
        *(
            ({"scrapeConfig": {"enabled": True}, monitor: {"enabled": True}}, "scrape every pod")
            for monitor in ("serviceMonitor", "podMonitor")
        ),
        ({"service": {"nodePort": 30027}}, "service.nodePort needs service.type"),
        ({"service": {"nodePort": 30027, "type": "NodePort"}}, None),
        (
            {"service": {"loadBalancerSourceRanges": ["10.0.0.0/8"], "type": "NodePort"}},
            "loadBalancerSourceRanges needs service.type LoadBalancer",
        ),
        ({"service": {"clusterIP": "None"}}, None),
        ({"service": {"clusterIP": "None", "type": "NodePort"}}, "clusterIP None needs"),
        ({"ingress": {"enabled": True}}, "ingress.enabled needs ingress.hosts"),
        ({"httpRoute": {"enabled": True}}, "httpRoute.enabled needs httpRoute.parentRefs"),
        *(
            ({route: {"enabled": True}, "service": {"enabled": False}}, f"{route} needs service")
            for route in ("ingress", "httpRoute")
        ),
    ],
)
def test_contradictory_values_are_rejected_with_an_explanation(
    values: dict[str, Any], message: str | None
) -> None:
    if message is None:
        assert render({**LEAST, **values}).workload()
        return
    with pytest.raises(helm_python.HelmRenderError) as caught:
        render({**LEAST, **values})
    assert message in str(caught.value)


def test_role_of_configuration_is_assumed_with_key_of_chart() -> None:
    rendered = render(
        {**LEAST, "config": {**LEAST["config"], "credentials": ROLE}, "credentials": KEYS}
    )
    config = yaml.safe_load(rendered.one("ConfigMap")["data"]["config.yaml"])
    assert config["credentials"] == {
        **ROLE,
        "access_key_id_file": "/var/run/secrets/sls/access-key-id",
        "access_key_secret_file": "/var/run/secrets/sls/access-key-secret",
    }
