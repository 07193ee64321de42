"""The SLS API on loopback, with TLS and checked signatures, in its own process.

It has one project with a consumer group in each logstore. As a module it prints its endpoint and
the file of its certificate authority as JSON, and serves until it is terminated.
"""

import argparse
import json
import signal
import ssl
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme

from benchmarks.processes import Process, module
from exporter.model.credentials import Credentials
from exporter.simulator.server import Simulator
from exporter.simulator.world import World

PROJECT = "production-project"
GROUP = "consumer-group"
KEY = Credentials(access_key_id="key", access_key_secret="secret")  # noqa: S106  only for this API


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """The endpoint of the API, and the certificate of the authority to trust."""

    endpoint: str
    ca_file: Path
    process: Process


def logstore(number: int) -> str:
    """Return the name of a logstore, counted from 0."""
    return f"application-logstore-{number}"


@contextmanager
def api(*, logstores: int, shards: int) -> Iterator[Api]:
    """Run the API in its own process."""
    with module("api", [str(logstores), str(shards)]) as process:
        said = json.loads(process.said)
        yield Api(endpoint=said["endpoint"], ca_file=Path(said["ca_file"]), process=process)


def world(logstores: int, shards: int) -> World:
    """Return a world where every shard has a checkpoint and nothing is unread."""
    made = World(wall=time.time)
    made.create_project(PROJECT)
    for number in range(logstores):
        name = logstore(number)
        made.create_logstore(PROJECT, name, shards=shards)
        made.create_group(PROJECT, name, GROUP)
        for shard in range(shards):
            end = made.end_cursor(PROJECT, name, shard)
            made.update_checkpoint(
                PROJECT, name, GROUP, shard, end, consumer=f"consumer-{number}-{shard}"
            )
    return made


def main() -> None:
    """Serve until a signal arrives."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("logstores", type=int)
    parser.add_argument("shards", type=int)
    options = parser.parse_args()
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    made = world(options.logstores, options.shards)
    with (
        tempfile.TemporaryDirectory() as place,
        Simulator(made, credentials=[KEY], tls=tls) as simulator,
    ):
        ca_file = Path(place, "ca.pem")
        authority.cert_pem.write_to_path(str(ca_file))
        said = {"endpoint": simulator.endpoint, "ca_file": str(ca_file)}
        print(json.dumps(said), flush=True)
        signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    main()
