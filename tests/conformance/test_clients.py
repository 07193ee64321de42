"""SDKs and the command line of the vendor against the simulator: independent clients and signers.

The SDK for Python below the command line has its own tests in ``tests/unit/simulator``.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from exporter.model.credentials import Credentials
from exporter.simulator.calls import Call
from exporter.simulator.cursors import encode_cursor
from exporter.simulator.server import DEFAULT_CREDENTIALS, Simulator
from exporter.simulator.wire import Request, Response
from exporter.simulator.world import World
from exporter.sls.operations import OPERATION_NAMES
from tests.conformance.libraries import built, run, tool
from tests.support.model_shapes import MODELS
from tools.paths import ROOT

pytestmark = pytest.mark.timeout(600)  # the first test installs the clients

FOLDER = Path(__file__).parent
PLACE = ("shop", "orders")
GROUP = (*PLACE, "billing")
KEY = DEFAULT_CREDENTIALS
TEMPORARY_KEY = Credentials(access_key_id="sts", access_key_secret="s", security_token="token/+=")
WRONG_KEY = Credentials(access_key_id=KEY.access_key_id, access_key_secret="wrong")
UNKNOWN_KEY = Credentials(access_key_id="unknown", access_key_secret=KEY.access_key_secret)
V1_SHA1, V1_SHA256, V4 = "hmac-sha1", "hmac-sha256", "SLS4-HMAC-SHA256"


def python(module: str) -> list[str]:
    """Return the command of a Python client in the environment of the locked packages."""
    lock = FOLDER / "clients" / "requirements.txt"

    def build(folder: Path) -> None:
        installed = folder / "bin" / "python"
        run(sys.executable, "-m", "venv", "--without-pip", str(folder))
        pip = (sys.executable, "-m", "pip", "--python", str(installed))
        run(*pip, "install", "--quiet", "--require-hashes", "--requirement", str(lock))

    installed = built("clients", [lock], build) / "bin" / "python"
    return [str(installed), "-m", f"tests.conformance.clients.{module}"]


def node(script: str) -> list[str]:
    """Return the command of a client for Node.js, with the locked packages."""
    program = tool("node", package="nodejs")
    manifests = [FOLDER / "npm" / name for name in ("package.json", "package-lock.json")]

    def build(folder: Path) -> None:
        for manifest in manifests:
            shutil.copy(manifest, folder)
        npm = tool("npm", package="npm")
        run(npm, "ci", "--prefix", str(folder), "--ignore-scripts", "--no-audit", "--no-fund")

    modules = built("npm", manifests, build) / "node_modules"
    return ["/usr/bin/env", f"NODE_PATH={modules}", program, f"{FOLDER}/npm/{script}"]


@dataclass(frozen=True)
class Client:
    """A client, and one way in which it signs.

    - puts: the number of log groups that its program writes.
    """

    name: str
    command: Callable[[], list[str]]
    version: str
    method: str
    puts: int

    def __str__(self) -> str:
        return f"{self.name} with {self.method}"


GENERATED = ("alibabacloud-sls20201230", lambda: python("generated"))
COMMAND_LINE = ("aliyun-log-cli", lambda: python("command_line"))
NODE_GENERATED = ("@alicloud/sls20201230", lambda: node("generated.cjs"))
NODE_LOG = ("@alicloud/log", lambda: node("log.cjs"))
CLIENTS = [
    Client(*GENERATED, "v1", V1_SHA256, puts=2),
    Client(*GENERATED, "v4", V4, puts=2),
    Client(*COMMAND_LINE, "v1", V1_SHA1, puts=0),
    Client(*COMMAND_LINE, "v4", V4, puts=0),
    Client(*NODE_GENERATED, "v1", V1_SHA256, puts=0),
    Client(*NODE_GENERATED, "v4", V4, puts=0),
    Client(*NODE_LOG, "v1", V1_SHA1, puts=1),
]


class Recorder(Simulator):
    """A simulator that keeps how requests are signed."""

    def __init__(self, world: World) -> None:
        super().__init__(world, credentials=[KEY, TEMPORARY_KEY])
        self.methods: set[str] = set()

    def response_to(self, call: Call, request: Request) -> Response:
        """Keep the method of the signature."""
        version = request.headers["authorization"].partition(" ")[0]
        is_v1 = version == "LOG"
        self.methods.add(request.headers["x-log-signaturemethod"] if is_v1 else version)
        return super().response_to(call, request)


@pytest.fixture
def world() -> World:
    world = World(wall=time.time)
    for project in ("another", "bakery", "shop"):
        world.create_project(project)
    for logstore in ("another", "invoices", "orders"):
        world.create_logstore("shop", logstore, shards=2)
    world.create_group(*GROUP, timeout=45, order=True)
    world.create_group(*PLACE, "audit")
    world.write(*PLACE, 0, count=5)
    world.update_checkpoint(*GROUP, 0, world.begin_cursor(*PLACE, 0) + 2, consumer="c1")
    world.split_shard(*PLACE, 1)
    return world


def expected(world: World) -> dict[str, object]:
    """Return the body of each operation by the actual state of the world."""
    begin = world.begin_cursor(*PLACE, 0)
    return {
        "GetCheckPoint": [
            {
                "shard": shard,
                "checkpoint": encode_cursor(truth.checkpoint) if truth.checkpoint else "",
                "updateTime": int((truth.updated_at or 0.0) * 10**6),
                "consumer": truth.owner,
            }
            for shard, truth in world.truths(*GROUP).items()
        ],
        "ListConsumerGroup": [
            {"name": "audit", "timeout": 60, "order": False},
            {"name": "billing", "timeout": 45, "order": True},
        ],
        "ListShards": [
            {
                "shardID": row.shard,
                "status": row.status,
                "inclusiveBeginKey": row.inclusive_begin_key,
                "exclusiveEndKey": row.exclusive_end_key,
                "createTime": row.created,
            }
            for row in world.shards(*PLACE)
        ],
        "GetCursor": {"cursor": encode_cursor(begin)},
        "GetCursorTime": {"cursor_time": int(world.received(*PLACE, 0, begin) or 0)},
        "GetLogStore": {"logstoreName": "orders", "ttl": 7, "shardCount": 3},
        "ListLogStores": {"total": 3, "count": 2, "logstores": ["invoices", "orders"]},
        "ListProject": {
            "total": 3,
            "count": 2,
            "projects": [{"projectName": "bakery"}, {"projectName": "shop"}],
        },
    }


def in_common(found: object, wanted: object) -> object:
    """Return what was found, only with the fields that are wanted.

    A number that a client gives as a text is the number again.
    """
    if isinstance(wanted, dict) and isinstance(found, dict):
        return {name: in_common(found.get(name), value) for name, value in wanted.items()}
    if isinstance(wanted, list) and isinstance(found, list) and len(found) == len(wanted):
        return [in_common(one, other) for one, other in zip(found, wanted, strict=True)]
    return int(found) if type(wanted) is int and isinstance(found, str) else found


def written(world: World) -> int:
    return sum(
        world.end_cursor(*PLACE, row.shard) - world.begin_cursor(*PLACE, row.shard)
        for row in world.shards(*PLACE)
    )


def responses(
    client: Client, simulator: Simulator, key: Credentials, folder: Path
) -> Mapping[str, dict[str, Any]]:
    """Run the program of a client, and return its document."""
    port = simulator.endpoint.rpartition(":")[2]
    done = subprocess.run(
        [*client.command(), f"localhost:{port}", client.version],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "KEY_ID": key.access_key_id,
            "KEY_SECRET": key.access_key_secret,
            "TOKEN": key.security_token or "",
            "CURSOR": encode_cursor(simulator.world.begin_cursor(*PLACE, 0)),
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    document = json.loads(done.stdout)
    assert isinstance(document, dict)
    return document


@pytest.mark.parametrize("key", [KEY, TEMPORARY_KEY], ids=["a key", "a temporary key"])
@pytest.mark.parametrize("client", CLIENTS, ids=str)
def test_client_gets_the_actual_state_by_every_operation_of_the_exporter(
    client: Client, key: Credentials, world: World, tmp_path: Path
) -> None:
    before = written(world)
    with Recorder(world) as simulator:
        found = responses(client, simulator, key, tmp_path)
        requests = simulator.requests
    assert {name for name in found if not name.startswith("PutLogs")} == set(OPERATION_NAMES)
    assert [(name, result) for name, result in found.items() if "ok" not in result] == []
    for name, body in expected(world).items():
        assert in_common(found[name]["ok"], body) == body
    assert written(world) - before == client.puts
    assert simulator.methods == {client.method}
    assert {request.operation for request in requests} >= set(OPERATION_NAMES)
    assert {request.status for request in requests} == {200}


@pytest.mark.parametrize(
    ("key", "code"), [(WRONG_KEY, "SignatureNotMatch"), (UNKNOWN_KEY, "Unauthorized")]
)
@pytest.mark.parametrize("client", CLIENTS, ids=str)
def test_client_with_a_wrong_key_is_refused_by_every_operation(
    client: Client, key: Credentials, code: str, world: World, tmp_path: Path
) -> None:
    before = written(world)
    with Recorder(world) as simulator:
        found = responses(client, simulator, key, tmp_path)
        requests = simulator.requests
    assert found.keys() >= set(OPERATION_NAMES)
    assert [result for result in found.values() if result != {"code": code}] == []
    assert {request.status for request in requests} == {401}
    assert written(world) == before


def test_the_clients_sign_in_every_documented_way() -> None:
    assert {client.method for client in CLIENTS} == {V1_SHA1, V1_SHA256, V4}


def test_shapes_of_the_unit_tests_have_the_fields_of_the_generated_models() -> None:
    def without_spelling(fields: Mapping[str, str]) -> dict[str, str]:
        return {name.replace("_", "").lower(): kind for name, kind in fields.items()}

    types = json.loads(run(*python("models"), *MODELS, folder=ROOT))
    assert {model: without_spelling(fields) for model, fields in types.items()} == {
        model: without_spelling(fields) for model, fields in MODELS.items()
    }
