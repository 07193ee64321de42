"""Changes that restart the pods of the chart, and the probes of the pods."""

import pytest
import yaml

from tests.support.helm import Values, feature, read, watching
from tools.paths import CHART

LEAST = read(CHART / "ci" / "least-values.yaml")
USERS = "basic_auth_users: {a: $2y$04$6FqhN0ypq5DyIw6jnEplEevNVVHmUZUfJ7cVRRMa8wNBJZHaVyB8i}\n"
TLS = "tls_server_config: {cert_file: tls.crt, key_file: tls.key}\n"


def test_a_changed_configuration_restarts_the_pod_only_without_auto_reload() -> None:
    other = {"projects": [{**LEAST["config"]["projects"][0], "project": "other"}]}
    for auto, same in ((True, True), (False, False)):
        before = watching(autoReload=auto).workload()
        assert (before == watching(autoReload=auto, config=other).workload()) is same


def test_a_new_key_in_variables_restarts_the_pod_and_one_in_files_does_not() -> None:
    for provide_as, same in (("files", True), ("env", False)):
        keys = {"accessKeyId": "a", "accessKeySecret": "b", "provideAs": provide_as}
        before = watching(credentials=keys).workload()
        after = watching(credentials={**keys, "accessKeySecret": "c"}).workload()
        assert (before == after) is same


def test_switching_tls_on_restarts_the_pod_and_a_new_user_does_not() -> None:
    users = yaml.safe_load(USERS)
    more = {"basic_auth_users": {**users["basic_auth_users"], "b": users["basic_auth_users"]["a"]}}
    before = watching(web={"config": users}).workload()
    assert before == watching(web={"config": more}).workload()
    assert before != watching(web={"config": {**users, **yaml.safe_load(TLS)}}).workload()


def test_a_new_version_of_the_chart_alone_does_not_restart_the_pod() -> None:
    labels = feature("least-values.yaml").workload()["spec"]["template"]["metadata"]["labels"]
    assert "helm.sh/chart" not in labels
    assert feature("least-values.yaml").pod_annotations() == {}


RATE = {"rate_limit": {"interval": "1s", "burst": 5}}
CLIENTS = {"tls_server_config": {"client_auth_type": "RequireAndVerifyClientCert"}}
HEADER = [{"name": "Authorization", "value": "Basic YTpi"}]


@pytest.mark.parametrize(
    ("web", "probes", "handler"),
    [
        ({}, {}, {"port": "metrics"}),
        ({"tlsSecret": "a"}, {}, {"port": "metrics", "scheme": "HTTPS"}),
        ({"config": yaml.safe_load(TLS)}, {}, {"port": "metrics", "scheme": "HTTPS"}),
        ({"config": yaml.safe_load(USERS)}, {}, None),
        (
            {"config": yaml.safe_load(USERS)},
            {"httpHeaders": HEADER},
            {"port": "metrics", "httpHeaders": HEADER},
        ),
        ({"config": RATE}, {}, None),
        ({"tlsSecret": "a", "config": CLIENTS}, {"httpHeaders": HEADER}, None),
        ({"existingSecret": "a"}, {}, None),
        ({"existingSecret": "a"}, {"handler": "httpGet"}, {"port": "metrics"}),
        (
            {"existingSecret": "a", "scheme": "https"},
            {"httpHeaders": HEADER},
            {"port": "metrics", "scheme": "HTTPS", "httpHeaders": HEADER},
        ),
        ({}, {"handler": "tcpSocket"}, None),
    ],
)
def test_probes_use_http_unless_the_exporter_would_reject_them(
    web: Values, probes: Values, handler: Values | None
) -> None:
    found = watching(web=web, probes=probes).container()
    paths = {"startup": "/-/healthy", "liveness": "/-/healthy", "readiness": "/-/ready"}
    for kind, path in paths.items():
        probe = found[f"{kind}Probe"]
        if handler is None:
            assert probe["tcpSocket"] == {"port": "metrics"}
            assert "httpGet" not in probe
        else:
            assert probe["httpGet"] == {"path": path, **handler}


def test_probes_can_be_left_out() -> None:
    found = feature("no-probes-values.yaml").container()
    assert not {"startupProbe", "livenessProbe", "readinessProbe"} & found.keys()
