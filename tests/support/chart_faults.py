"""Values that the chart rejects, each with a part of the message; they complete ``LEAST``."""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.support.helm import read
from tools.paths import CHART

LEAST = read(CHART / "ci" / "least-values.yaml")
KEYS = {"accessKeyId": "a", "accessKeySecret": "b"}
NO_PROBES = {kind: {"enabled": False} for kind in ("startup", "liveness", "readiness")}
ROLE = {"role_arn": "acs:ram::1:role/reader", "external_id": "ab"}

INVALID: Sequence[tuple[Mapping[str, Any], str]] = [
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
    # It would write several lines with too little indentation.
    ({"global": {"imageRegistry": "\n0"}}, "at '/global/imageRegistry'"),
    ({"image": {"registry": "\n0"}}, "at '/image/registry'"),
    ({"image": {"repository": "\n0"}}, "at '/image/repository'"),
    ({"image": {"tag": "\n0"}}, "at '/image/tag'"),
    ({"serviceMonitor": {"jobLabel": "\n0"}}, "at '/serviceMonitor/jobLabel'"),
    ({"podMonitor": {"jobLabel": "\n0"}}, "at '/podMonitor/jobLabel'"),
    (
        {"dashboards": {"grafanaOperator": {"folder": "\n0"}}},
        "at '/dashboards/grafanaOperator/folder'",
    ),
    ({"schedulerName": "\n0"}, "at '/schedulerName'"),
    ({"global": {"imageRegistry": 1}}, "at '/global/imageRegistry': got number"),
    ({"global": {"imagePullSecrets": [1]}}, "at '/global/imagePullSecrets/0'"),
    ({"updateStrategy": {"type": "Rolling"}}, "at '/updateStrategy/type'"),
]
"""Values that the schema rejects."""

CONTRADICTORY: Sequence[tuple[Mapping[str, Any], str | None]] = [
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
]
"""Values that a template rejects; the message is None for those that it accepts."""
