"""Values, manifests, names and commands in docs/kubernetes.md and its example are correct."""

import json
import re
import shlex
import textwrap
from functools import cache
from pathlib import Path
from typing import Any

import helm_python
import pytest
import yaml

import exporter
from exporter.commands.flags import parse
from exporter.config.reader import load
from tests.support.helm import KUBERNETES, Manifest, check, read, render
from tests.support.pod import Container, Outside, layout
from tools.chart import VALUES, rows
from tools.paths import CHART, ROOT

GUIDE = (ROOT / "docs" / "kubernetes.md").read_text(encoding="utf-8")
SIDECAR = ROOT / "docs" / "examples" / "sidecar.yaml"
POD = "billing-6f7d9-x2x4z"


def blocks(language: str) -> list[str]:
    """Return the fenced blocks of a language, also those inside of lists."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```$", GUIDE, re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(block) for _, block in found]


def filled(values: dict[str, Any]) -> dict[str, Any]:
    """Add what has to be set and a snippet leaves out."""
    values = {**values, **values.get("sls-exporter", {})}
    values.pop("sls-exporter", None)
    needed = {} if "existingConfigMap" in values else read(CHART / "ci" / "least-values.yaml")
    return {**needed, **values}


@pytest.mark.parametrize("block", blocks("yaml"))
def test_values_in_the_guide_are_accepted_and_render_to_valid_objects(block: str) -> None:
    values = yaml.safe_load(block)
    assert isinstance(values, dict)
    for manifest in render(filled(values)).manifests:
        check(manifest, KUBERNETES[-1])


def test_every_value_that_the_guide_names_exists() -> None:
    found = rows(VALUES.read_text(encoding="utf-8"))
    known = {row.path for row in found}
    mappings = {row.path for row in found if row.default == {}}
    known |= {path.rpartition(".")[0] for path in known}
    tops = {path.split(".")[0] for path in known} - {""}
    named = set(re.findall(r"`([a-z][A-Za-z]+(?:\.[A-Za-z]+)+)`", GUIDE))
    files = {name for name in named if (ROOT / "docs" / name).exists() or name.endswith(".yaml")}
    ours = {name for name in named - files if name.split(".")[0] in tops}
    assert len(ours) > 5
    assert {name for name in ours if name.rpartition(".")[0] not in mappings} <= known


def test_the_trust_policy_admits_the_service_account_of_the_installed_release() -> None:
    (policy,) = map(json.loads, blocks("json"))
    words = shlex.split(next(b for b in blocks("sh") if "helm install" in b).replace("\\\n", ""))
    at = words.index("helm")
    assert words[at : at + 4] == ["helm", "install", "sls-exporter", "helm/sls-exporter"]
    with helm_python.Chart.load(ROOT / words[at + 3]) as chart:
        files = chart.render(filled({}), name=words[at + 2], namespace=words[at + 5])
    account = yaml.safe_load(files["sls-exporter/templates/serviceaccount.yaml"])["metadata"]
    condition = policy["Statement"][0]["Condition"]["StringEquals"]
    assert condition["oidc:sub"] == (
        f"system:serviceaccount:{account['namespace']}:{account['name']}"
    )


def test_the_guide_uses_one_namespace_and_one_release() -> None:
    shell = "\n".join(blocks("sh"))
    assert set(re.findall(r"--namespace (\S+)", shell)) == {"watch"}
    assert "kubectl label namespace watch pod-identity.alibabacloud.com/injection=on" in shell


@cache
def sidecar() -> tuple[Manifest, ...]:
    return tuple(yaml.safe_load_all(SIDECAR.read_text(encoding="utf-8")))


def of_kind(kind: str) -> Manifest:
    (found,) = (each for each in sidecar() if each["kind"] == kind)
    return found


def exporter_beside() -> Manifest:
    (found,) = of_kind("Deployment")["spec"]["template"]["spec"]["initContainers"]
    return dict(found)


def running(root: Path) -> Container:
    return layout(
        root=root,
        pod=of_kind("Deployment")["spec"]["template"]["spec"],
        container=exporter_beside(),
        manifests=sidecar(),
        outside=Outside(secrets={"sls-keys": {"access-key-id": "a", "access-key-secret": "b"}}),
        name=POD,
    )


@pytest.mark.parametrize("version", ["1.29.0", *KUBERNETES[1:]])
def test_kubernetes_accepts_the_sidecar(version: str) -> None:
    for manifest in sidecar():
        check(manifest, version)


def test_the_exporter_accepts_the_sidecars_arguments_and_configuration(tmp_path: Path) -> None:
    pod = running(tmp_path)
    flags = parse(pod.args, pod.environ)
    assert flags.config_auto_reload
    ((logstore,),) = (p.logstores for p in load(flags.config_file, environ=pod.environ).projects)
    (consumer,) = logstore.consumers or ()
    assert consumer.matches(POD)
    assert not consumer.matches("billing-6f7d9-other")


def test_the_sidecar_outlives_the_consumer_and_does_not_decide_its_readiness() -> None:
    assert exporter_beside()["restartPolicy"] == "Always"
    assert "readinessProbe" not in exporter_beside()
    assert exporter_beside()["startupProbe"]["httpGet"]["path"] == "/-/healthy"


def test_the_consumer_learns_the_name_by_which_the_sidecar_selects() -> None:
    (consumer,) = of_kind("Deployment")["spec"]["template"]["spec"]["containers"]
    names = [
        each["valueFrom"]["fieldRef"]["fieldPath"]
        for container in (consumer, exporter_beside())
        for each in container["env"]
    ]
    assert names == ["metadata.name", "metadata.name"]


def test_the_sidecar_satisfies_the_restricted_pod_security_standard() -> None:
    pod = of_kind("Deployment")["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in (*pod["containers"], *pod["initContainers"]):
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_the_pod_monitor_selects_the_consumers_pods_and_the_exporters_port() -> None:
    spec = of_kind("PodMonitor")["spec"]
    labels = of_kind("Deployment")["spec"]["template"]["metadata"]["labels"]
    assert spec["selector"]["matchLabels"].items() <= labels.items()
    (endpoint,) = spec["podMetricsEndpoints"]
    assert [endpoint["port"]] == [port["name"] for port in exporter_beside()["ports"]]
    assert exporter_beside()["ports"][0]["containerPort"] == 10027


def test_the_sidecar_has_the_image_of_this_version() -> None:
    assert exporter_beside()["image"] == f"sls-exporter:{exporter.__version__}"
