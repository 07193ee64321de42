"""The exporter runs as in the chart's pod, and responds to the probes of a kubelet."""

import base64
import http.client
import re
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import bcrypt
import pytest
import trustme

from exporter.simulator.demo_world import DEMO_CREDENTIALS, PLATFORM, SHOP
from tests.support.commands import Demo, demo_world
from tests.support.daemon import Daemon, daemon
from tests.support.helm import Manifest, Rendered, Values, render
from tests.support.pod import Outside, layout, publish
from tests.support.wait import wait_for

SECURED = {
    "tlsSecret": "tls",
    "config": {
        "basic_auth_users": {
            "kubelet": bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode(),
        }
    },
}
SHOWN = [
    {
        "name": "Authorization",
        "value": f"Basic {base64.b64encode(b'kubelet:secret').decode()}",
    }
]
LIMITED = {
    "tlsSecret": "tls",
    "config": {
        "tls_server_config": {
            "client_auth_type": "RequireAndVerifyClientCert",
            "client_ca_file": "ca.crt",
        },
        "rate_limit": {"interval": "1m", "burst": 1},
    },
}


def values_for(demo: Demo, *projects: str) -> dict[str, Any]:
    """Return values that watch projects of the demonstration's world."""
    logstores = [{"logstore": ".*", "consumer_groups": [".*"]}]
    common = {"endpoint": demo.simulator.endpoint, "region": "cn-shanghai", "logstores": logstores}
    return {
        "config": {
            "signature": "v4",
            "polling": {"interval": "1s", "requests_per_second": 200},
            "projects": [{"project": project, **common} for project in projects],
        },
        "credentials": {
            "accessKeyId": DEMO_CREDENTIALS.access_key_id,
            "accessKeySecret": DEMO_CREDENTIALS.access_key_secret,
        },
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A container of the pod, with its file system."""

    daemon: Daemon
    root: Path
    container: Manifest

    @property
    def port(self) -> int:
        return int(self.daemon.url.rpartition(":")[2])

    def passes(self, kind: str) -> bool:
        """Probe it as a kubelet does, which believes any certificate."""
        return probe(self.container[f"{kind}Probe"], self.port)

    def projects(self) -> set[str]:
        text = self.daemon.get("/metrics").text
        return set(re.findall(r'^sls_consumer_group_up\{.*?project="([^"]*)"', text, re.MULTILINE))


def probe(found: Manifest, port: int) -> bool:
    if "tcpSocket" in found:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        return True
    asked = found["httpGet"]
    if asked.get("scheme") == "HTTPS":
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            "127.0.0.1", port, timeout=5, context=context
        )
    else:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    headers = {header["name"]: header["value"] for header in asked.get("httpHeaders", [])}
    try:
        connection.request("GET", asked["path"], headers=headers)
        status: int = connection.getresponse().status
    finally:
        connection.close()
    return 200 <= status < 400


def certificate() -> dict[str, str]:
    authority = trustme.CA()
    issued = authority.issue_cert("sls-exporter.watch.svc")
    return {
        "tls.crt": issued.cert_chain_pems[0].bytes().decode(),
        "tls.key": issued.private_key_pem.bytes().decode(),
        "ca.crt": authority.cert_pem.bytes().decode(),
    }


@contextmanager
def running(found: Rendered, root: Path) -> Iterator[Running]:
    pod = layout(
        root=root,
        pod=found.pod(),
        container=found.container(),
        manifests=found.manifests,
        outside=Outside(secrets={"tls": certificate()}),
        name="test-sls-exporter-0",
    )
    # A port that is free here takes the place of the one that is free in every pod.
    listen = re.compile(r"(?<=--web\.listen-address=):\d+")
    args = [listen.sub("127.0.0.1:0", arg) for arg in pod.args]
    with daemon(*args, environ=pod.environ) as process:
        yield Running(daemon=process, root=root, container=found.container())


@pytest.mark.parametrize(
    ("web", "probes"),
    [({}, {}), (SECURED, {"httpHeaders": SHOWN}), (SECURED, {}), (LIMITED, {})],
    ids=["plain", "password shown", "password kept", "client certificate and rate limit"],
)
def test_the_exporter_passes_the_probes_of_its_pod_and_logs_nothing_about_them(
    web: Values, probes: Values, tmp_path: Path
) -> None:
    with demo_world(tmp_path) as demo:
        found = render({**values_for(demo, SHOP), "web": web, "probes": probes})
        with running(found, tmp_path / "pod") as exporter:
            for kind in ("startup", "liveness", "readiness"):
                wait_for(partial(exporter.passes, kind), what=kind)
            assert exporter.daemon.stop() == 0
    assert "level=warn" not in exporter.daemon.log
    assert "level=error" not in exporter.daemon.log


def helm_test(found: Rendered, port: int) -> str:
    """Run the command of the pod of ``helm test`` against a port of this machine."""
    (connection,) = found.one("Pod")["spec"]["containers"]
    python, *arguments = connection["command"]
    assert python == "python"
    name, own_port = "test-sls-exporter.watch.svc", "10027"
    moved = [
        each.replace(f"{name}:{own_port}", f"127.0.0.1:{port}").replace(name, "127.0.0.1")
        for each in arguments
    ]
    moved = [str(port) if each == own_port else each for each in moved]
    done = subprocess.run(
        [sys.executable, *moved], capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else f"failed: {done.stderr}"


@pytest.mark.parametrize(
    ("web", "probes", "expected"),
    [
        ({}, {}, "healthy"),
        (SECURED, {"httpHeaders": SHOWN}, "healthy"),
        (SECURED, {}, "connected"),
        (SECURED, {"handler": "httpGet"}, "failed"),
        (LIMITED, {}, "connected"),
    ],
)
def test_helm_test_connects_to_the_exporter_as_probes_do(
    web: Values, probes: Values, expected: str, tmp_path: Path
) -> None:
    with demo_world(tmp_path) as demo:
        found = render({**values_for(demo, SHOP), "web": web, "probes": probes})
        with running(found, tmp_path / "pod") as exporter:
            assert helm_test(found, exporter.port).lower().startswith(expected)


def test_a_probe_over_http_without_the_password_would_fail(tmp_path: Path) -> None:
    with demo_world(tmp_path) as demo:
        forced = {"web": SECURED, "probes": {"handler": "httpGet"}}
        found = render({**values_for(demo, SHOP), **forced})
        with running(found, tmp_path / "pod") as exporter:
            assert not exporter.passes("liveness")


def test_a_changed_config_map_is_taken_over_without_a_restart(tmp_path: Path) -> None:
    with demo_world(tmp_path) as demo:
        before = render(values_for(demo, SHOP))
        after = render(values_for(demo, SHOP, PLATFORM))
        with running(before, tmp_path / "pod") as exporter:
            wait_for(lambda: exporter.projects() == {SHOP}, what="one project")
            fresh = layout(
                root=tmp_path / "fresh",
                pod=after.pod(),
                container=after.container(),
                manifests=after.manifests,
                name="test-sls-exporter-0",
            ).path("/etc/sls-exporter/config.yaml")
            publish(exporter.root / "etc/sls-exporter", {"config.yaml": fresh.read_text("utf-8")})
            wait_for(
                lambda: exporter.projects() == {SHOP, PLATFORM}, timeout=30, what="the other one"
            )
