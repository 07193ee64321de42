"""The pod of the chart: its arguments, its configuration, its permissions, its probes."""

import json
import re
from functools import cache
from pathlib import Path

import pytest
import trustme
import yaml

from exporter.commands.flags import parse
from exporter.config.reader import load
from tests.support import commands
from tests.support.helm import CI_VALUES, Rendered, Values, feature, read, watching
from tests.support.pod import Container, Outside, layout
from tests.support.web_config import load_web_config
from tools.paths import CHART

LEAST = read(CHART / "ci" / "least-values.yaml")
POD = "test-sls-exporter-2"
USERS = "basic_auth_users: {a: $2y$04$6FqhN0ypq5DyIw6jnEplEevNVVHmUZUfJ7cVRRMa8wNBJZHaVyB8i}\n"
TLS = "tls_server_config: {cert_file: tls.crt, key_file: tls.key}\n"

each_feature = pytest.mark.parametrize("name", [path.name for path in CI_VALUES])


@cache
def outside() -> Outside:
    """Return what the values of the features take for granted in the cluster."""
    authority = trustme.CA()
    issued = authority.issue_cert("sls-exporter.watch.svc")
    tls = {
        "tls.crt": issued.cert_chain_pems[0].bytes().decode(),
        "tls.key": issued.private_key_pem.bytes().decode(),
        "ca.crt": authority.cert_pem.bytes().decode(),
    }
    files = {
        "access_key_id_file": "/var/run/secrets/sls/access-key-id",
        "access_key_secret_file": "/var/run/secrets/sls/access-key-secret",
    }
    config = {**LEAST["config"], "credentials": files}
    return Outside(
        config_maps={
            "sls-exporter-config": {"config.yaml": yaml.safe_dump(config)},
            "authorities": {"ca.crt": tls["ca.crt"]},
        },
        secrets={
            "sls-exporter-config": {"config.yaml": yaml.safe_dump(LEAST["config"])},
            "sls-keys": {
                "access-key-id": "LTAI",
                "access-key-secret": "hunter2",
                "id": "LTAI",
                "secret": "hunter2",
                "token": "hunter3",
            },
            "partner": {"id": "LTAJ"},
            "partner-secrets": {"PARTNER_KEY_SECRET": "hunter4"},
            "sls-exporter-tls": tls,
            "sls-exporter-web": {"web.yml": TLS + USERS, **tls},
        },
    )


def container(rendered: Rendered, root: Path) -> Container:
    return layout(
        root=root,
        pod=rendered.pod(),
        container=rendered.container(),
        manifests=rendered.manifests,
        outside=outside(),
        name=POD,
    )


@each_feature
def test_the_exporter_knows_every_argument_and_accepts_its_configuration(
    name: str, tmp_path: Path
) -> None:
    pod = container(feature(name), tmp_path)
    flags = parse(pod.args, pod.environ)
    assert flags.command == "run"
    assert flags.config_file == pod.path("/etc/sls-exporter/config.yaml")
    assert load(flags.config_file, environ=pod.environ).projects
    if flags.web_config_file is not None:
        scheme = "https" if load_web_config(flags.web_config_file).tls else "http"
        assert feature(name).pod_annotations()["sls-exporter/scheme"] == scheme


@pytest.mark.parametrize("name", ["config-values.yaml", "existing-secret-values.yaml"])
def test_the_command_that_checks_a_configuration_is_content(name: str, tmp_path: Path) -> None:
    pod = container(feature(name), tmp_path)
    config = pod.path("/etc/sls-exporter/config.yaml")
    done = commands.run("check", f"--config.file={config}", environ=pod.environ)
    assert (done.status, done.stderr) == (0, "")


def test_values_reach_the_flags_that_they_are_named_after(tmp_path: Path) -> None:
    pod = container(feature("web-values.yaml"), tmp_path)
    flags = parse(pod.args, pod.environ)
    assert [str(address) for address in flags.web_listen_address or ()] == [":9100"]
    assert flags.web_telemetry_path == "/sls/metrics"
    assert (flags.web_max_requests, flags.web_enable_lifecycle) == (4, True)
    assert flags.config_auto_reload


def test_the_exporter_listens_on_the_addresses_of_the_values_only(tmp_path: Path) -> None:
    pod = container(feature("listen-values.yaml"), tmp_path)
    addresses = parse(pod.args, pod.environ).web_listen_address or ()
    assert [str(address) for address in addresses] == ["127.0.0.1:10027", "[::]:10027"]


def test_each_pod_of_a_stateful_set_is_the_shard_at_the_end_of_its_name(tmp_path: Path) -> None:
    found = feature("shards-values.yaml")
    pod = container(found, tmp_path)
    flags = parse(pod.args, pod.environ)
    assert (flags.sharding_shard, flags.sharding_total_shards) == (2, 4)
    stateful_set = found.one("StatefulSet")["spec"]
    assert (stateful_set["replicas"], stateful_set["podManagementPolicy"]) == (4, "Parallel")
    headless = found.one("Service", stateful_set["serviceName"])
    assert headless["spec"]["clusterIP"] == "None"


def test_one_shard_is_a_deployment_without_sharding(tmp_path: Path) -> None:
    found = feature("least-values.yaml")
    assert found.workload()["kind"] == "Deployment"
    assert not any("shard" in arg for arg in found.container()["args"])
    assert parse(container(found, tmp_path).args, {}).sharding_total_shards == 1


@pytest.mark.parametrize(
    ("name", "config", "variables"),
    [
        (
            "credentials-values.yaml",
            {
                "access_key_id_file": ("LTAI-example"),
                "access_key_secret_file": "an-example",
                "security_token_file": "a-token",
            },
            {},
        ),
        (
            "existing-secret-values.yaml",
            {
                "access_key_id_file": "LTAI",
                "access_key_secret_file": "hunter2",
                "security_token_file": "hunter3",
            },
            {},
        ),
        (
            "existing-secret-variables-values.yaml",
            {},
            {"ALIBABA_CLOUD_ACCESS_KEY_ID": "LTAI", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "hunter2"},
        ),
        (
            "credentials-variables-values.yaml",
            {},
            {
                "ALIBABA_CLOUD_ACCESS_KEY_ID": "LTAI-example",
                "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "an-example",
            },
        ),
    ],
)
def test_keys_arrive_as_files_or_as_variables(
    name: str, config: Values, variables: Values, tmp_path: Path
) -> None:
    pod = container(feature(name), tmp_path)
    written = yaml.safe_load(pod.path("/etc/sls-exporter/config.yaml").read_text("utf-8"))
    files = {key: Path(path).read_text() for key, path in written.get("credentials", {}).items()}
    assert files == config
    assert {k: v for k, v in pod.environ.items() if k.startswith("ALIBABA")} == variables


def test_a_token_of_a_secret_of_the_chart_arrives_as_a_variable() -> None:
    keys = {"accessKeyId": "a", "accessKeySecret": "b", "securityToken": "c", "provideAs": "env"}
    found = watching(credentials=keys)
    names = [variable["name"] for variable in found.container()["env"]]
    assert names[-1] == "ALIBABA_CLOUD_SECURITY_TOKEN"
    assert found.one("Secret")["data"].keys() == {
        *("access-key-id", "access-key-secret", "security-token"),
    }


def test_no_secret_is_outside_of_a_secret() -> None:
    for name in (
        "credentials-values.yaml",
        "credentials-variables-values.yaml",
        "config-secret-values.yaml",
    ):
        found = feature(name)
        rest = [each for each in found.manifests if each["kind"] != "Secret"]
        assert "an-example" not in json.dumps(rest) + found.notes
        assert "a-token" not in json.dumps(rest) + found.notes


CLEAR = {"access_key_id": "LTAI", "access_key_secret": "an-example"}
PROJECT = LEAST["config"]["projects"][0]


@pytest.mark.parametrize(
    ("config", "values", "warned"),
    [
        ({"credentials": CLEAR}, {}, True),
        ({"credentials": {"security_token": "an-example"}}, {}, True),
        ({"projects": [PROJECT, {**PROJECT, "credentials": CLEAR}]}, {}, True),
        ({"credentials": CLEAR}, {"configInSecret": True}, False),
        ({"credentials": {**CLEAR, "access_key_secret": "${SLS_SECRET}"}}, {}, False),
        ({"credentials": {**CLEAR, "access_key_secret": "an-${SECRET}"}}, {}, True),
        ({"credentials": {"profile": "reader"}}, {}, False),
        ({}, {}, False),
    ],
)
def test_the_notes_warn_about_a_secret_in_clear_text_in_a_config_map(
    config: Values, values: Values, *, warned: bool
) -> None:
    found = watching(config={**LEAST["config"], **config}, **values)
    assert ("WARNING: config contains the secret of an access key" in found.notes) is warned
    assert "an-example" not in found.notes


@pytest.mark.parametrize("kind", ["ConfigMap", "Secret"])
def test_a_changed_configuration_in_either_object_restarts_the_pod_without_auto_reload(
    kind: str,
) -> None:
    values = {"configInSecret": kind == "Secret", "autoReload": False}
    before = watching(**values)
    after = watching(config={"projects": [{**PROJECT, "project": "other"}]}, **values)
    assert [len(before.all(each)) for each in ("ConfigMap", "Secret")] == [
        int(kind == "ConfigMap"),
        int(kind == "Secret"),
    ]
    assert before.workload() != after.workload()


def test_a_role_is_an_annotation_of_the_service_account_that_the_pod_has() -> None:
    found = feature("rrsa-values.yaml")
    account = found.one("ServiceAccount")
    annotations = account["metadata"]["annotations"]
    assert annotations["pod-identity.alibabacloud.com/role-name"] == "sls-exporter"
    assert found.pod()["serviceAccountName"] == account["metadata"]["name"]
    assert "pod-identity.alibabacloud.com/injection=on" in found.notes


@pytest.mark.parametrize(("values", "kind"), [({}, "deployment"), ({"shards": 2}, "statefulset")])
def test_the_notes_run_doctor_in_the_container_with_its_configuration(
    values: Values, kind: str
) -> None:
    found = watching(**values)
    (text,) = re.findall(r"^ +kubectl .* exec .*\\\n.*", found.notes, flags=re.MULTILINE)
    kubectl, _, command = text.replace("\\\n", "").partition(" -- ")
    assert kubectl.split() == [
        *("kubectl", "--namespace", "watch", "exec", f"{kind}/test-sls-exporter"),
        *("--container", found.container()["name"]),
    ]
    program, *args = command.split()
    flags = parse(args, {})
    assert (program, flags.command) == ("sls-exporter", "doctor")
    assert f"--config.file={flags.config_file}" in found.container()["args"]


@each_feature
def test_the_pod_satisfies_the_restricted_pod_security_standard(name: str) -> None:
    pod, exporter = feature(name).pod(), feature(name).container()
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["securityContext"].get("runAsUser") in {65532, None}
    assert exporter["securityContext"]["allowPrivilegeEscalation"] is False
    assert exporter["securityContext"]["readOnlyRootFilesystem"] is True
    assert exporter["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    kinds = {kind for volume in pod["volumes"] for kind in volume.keys() - {"name"}}
    assert kinds <= {"configMap", "secret", "projected", "emptyDir"}


@pytest.mark.parametrize(
    ("values", "spread"),
    [
        ({}, False),
        ({"replicas": 2}, True),
        ({"shards": 2}, True),
        ({"replicas": 2, "affinity": {"podAntiAffinity": {}}}, False),
    ],
)
def test_several_pods_prefer_different_nodes_unless_affinity_is_set(
    values: Values, *, spread: bool
) -> None:
    found = watching(**values)
    constraints = found.pod().get("topologySpreadConstraints", [])
    assert [each["topologyKey"] for each in constraints] == ["kubernetes.io/hostname"] * spread
    labels = found.workload()["spec"]["template"]["metadata"]["labels"].items()
    assert all(each["labelSelector"]["matchLabels"].items() <= labels for each in constraints)


def test_own_spread_constraints_replace_the_default_one() -> None:
    (constraint,) = feature("shards-values.yaml").pod()["topologySpreadConstraints"]
    assert constraint["topologyKey"] == "topology.kubernetes.io/zone"


def test_the_pod_of_helm_test_is_not_selected_and_satisfies_the_restricted_standard() -> None:
    found = feature("least-values.yaml")
    pod = found.one("Pod")
    selector = found.one("Service")["spec"]["selector"].items()
    assert not selector <= pod["metadata"]["labels"].items()
    assert pod["spec"]["securityContext"] == found.pod()["securityContext"]
    (container,) = pod["spec"]["containers"]
    assert container["securityContext"] == found.container()["securityContext"]


def test_variables_of_services_do_not_collide_with_those_of_the_exporter() -> None:
    assert feature("least-values.yaml").pod()["enableServiceLinks"] is False


@each_feature
def test_no_file_is_mounted_alone_so_that_changes_arrive(name: str) -> None:
    mounts = feature(name).container()["volumeMounts"]
    assert not [mount for mount in mounts if "subPath" in mount]
    assert all(mount["readOnly"] for mount in mounts)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ({"tag": "1"}, "sls-exporter:1"),
        ({"registry": "r.example.com", "repository": "a/b", "tag": "1"}, "r.example.com/a/b:1"),
        (
            {"tag": "1", "digest": f"sha256:{'0' * 64}"},
            f"sls-exporter@sha256:{'0' * 64}",
        ),
    ],
)
def test_an_image_is_named_by_registry_repository_and_digest_or_tag(
    image: Values, expected: str
) -> None:
    assert watching(image=image).container()["image"] == expected


def test_global_registry_and_pull_secrets_apply_to_the_chart() -> None:
    found = feature("global-values.yaml")
    assert found.container()["image"].startswith("mirror.example.com/sls-exporter:")
    assert found.pod()["imagePullSecrets"] == [
        {"name": "mirror"},
        {"name": "registry"},
        {"name": "own-registry"},
    ]
