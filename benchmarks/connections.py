"""The number of connections of polls: one for each worker and host, over any number of polls.

Fifty projects have their own hosts (addresses of the loopback network), and eight threads poll them
in turn. The other side is a default session of requests for each thread, which keeps connections to
ten hosts.
"""

import argparse
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import requests

from benchmarks.api import GROUP, PROJECT, logstore, world
from exporter.http.transport import Transport
from exporter.simulator.server import DEFAULT_CREDENTIALS, Simulator
from exporter.sls.signing import RequestParts, V1Auth

_HOSTS = 50
_THREADS = 8
_PATH = f"/logstores/{logstore(0)}/consumergroups/{GROUP}"
Get = Callable[[str], bytes]


def measure(get: Get, rounds: int) -> tuple[int, int]:
    """Poll every host from every thread repeatedly; return the connections and requests."""
    with ExitStack() as stack:
        hosts = [
            stack.enter_context(Simulator(world(1, 4), address=(f"127.0.0.{number + 2}", 0)))
            for number in range(_HOSTS)
        ]
        together = threading.Barrier(_THREADS)

        def poll(_: int) -> None:
            together.wait()
            for _round in range(rounds):
                for host in hosts:
                    assert get(host.endpoint)

        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(poll, range(_THREADS)))
        return sum(host.connections for host in hosts), sum(len(host.requests) for host in hosts)


def ours(transport: Transport) -> Get:
    """Return a function that gets by the transport of the exporter."""

    def get(endpoint: str) -> bytes:
        headers = _signed(endpoint)
        deadline = time.monotonic() + 30.0
        return transport.send("GET", endpoint, _PATH, headers=headers, deadline=deadline).body

    return get


def sessions() -> Get:
    """Return a function that gets by a session of requests for each thread."""
    local = threading.local()

    def get(endpoint: str) -> bytes:
        if not hasattr(local, "session"):
            local.session = requests.Session()
        session: requests.Session = local.session
        return session.get(endpoint + _PATH, headers=_signed(endpoint), timeout=30).content

    return get


def _signed(endpoint: str) -> dict[str, str]:
    headers = {"Host": f"{PROJECT}.{endpoint.removeprefix('http://')}"}
    parts = RequestParts(method="GET", path=_PATH, query={}, headers=headers)
    return {**headers, **V1Auth(DEFAULT_CREDENTIALS, wall=time.time).sign(parts)}


def main() -> None:
    """Measure, and print a line for each side."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="two rounds")
    options = parser.parse_args()
    rounds = 2 if options.quick else options.rounds
    with closing(Transport(cancelled=threading.Event())) as transport:
        for name, get in (("ours", ours(transport)), ("requests' sessions", sessions())):
            connections, polls = measure(get, rounds)
            print(
                f"{name:18} {polls} requests to {_HOSTS} hosts by {_THREADS} threads:"
                f" {connections} connections,"
                f" {connections / (_HOSTS * _THREADS):.2f} for each thread and host"
            )


if __name__ == "__main__":
    main()
