"""A fake SLS on loopback that serves thousands of requests per second, in its own process.

It serves a ``benchmarks.moving`` account over HTTP with keep-alive. Unlike the simulator, it does
not check signatures. A response takes a fixed latency, and a project can have a quota.
``/-/counters`` returns the number of requests, and ``/-/kill`` stops a consumer. As a module it
prints its URL and serves until it is terminated.
"""

import argparse
import asyncio
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http import HTTPStatus
from http.client import HTTPConnection
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct

from benchmarks.moving import Account, Place, Shape, operation
from benchmarks.processes import Process, module
from exporter.simulator.errors import ServiceError

BUCKETS_PER_SECOND = 10
"""The resolution of the counters."""

REFUSED = "refused"
"""The counter of the requests over the quota, which are counted by operation as well."""

_AGE_SECONDS = 2 * 86400
_BACKLOG = 2048


class Behavior(Struct, frozen=True, kw_only=True):
    """The behavior of the service: latency in seconds, and requests per second and project."""

    latency: float = 0.0
    quota: float | None = None


class TokenBucket:
    """A quota that allows the requests of one second in a burst."""

    def __init__(self, rate: float, *, now: float) -> None:
        self._rate = rate
        self._tokens = max(1.0, rate)
        self._at = now

    def take(self, now: float) -> bool:
        """Return whether one more request is within the quota; a refused one costs nothing."""
        gained = (now - self._at) * self._rate
        self._tokens = min(max(1.0, self._rate), self._tokens + gained)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Service:
    """The account with its quotas and counters; used by one thread."""

    def __init__(
        self, account: Account, behavior: Behavior, *, wall: Callable[[], float] = time.time
    ) -> None:
        self._account = account
        self.latency = behavior.latency
        self._quota = behavior.quota
        self._wall = wall
        self._quotas: dict[str, TokenBucket] = {}
        self._counters: defaultdict[int, Counter[str]] = defaultdict(Counter)

    def respond(self, head: bytes) -> tuple[bytes, float]:
        """Return the whole response to a request, and the seconds until it is sent."""
        lines = head.decode("latin-1").split("\r\n")
        target = lines[0].split(" ")[1]
        path, _, search = target.partition("?")
        if path.startswith("/-/"):
            return self._rendered(HTTPStatus.OK, self._side(path)), 0.0
        host = next((line[5:] for line in lines if line[:5].lower() == "host:"), "")
        status, body = self._api(host.strip().partition(".")[0], path, dict(parse_qsl(search)))
        return self._rendered(status, body), self.latency

    def _api(self, project: str, path: str, query: dict[str, str]) -> tuple[int, bytes]:
        now = self._wall()
        counters = self._counters[int(now * BUCKETS_PER_SECOND)]
        counters[operation(path, query)] += 1
        try:
            if not self._is_within_quota(project, now):
                counters[REFUSED] += 1
                return _error(403, "MetaOperationQpsLimitExceeded", "too many requests")
            return HTTPStatus.OK, self._account.respond(project, path, query, now)
        except ServiceError as error:
            return _error(error.status, error.code, error.message)

    def _is_within_quota(self, project: str, now: float) -> bool:
        if self._quota is None:
            return True
        if project not in self._quotas:
            self._quotas[project] = TokenBucket(self._quota, now=now)
        return self._quotas[project].take(now)

    def _side(self, path: str) -> bytes:
        if path == "/-/kill":
            return msgspec.json.encode(self._account.kill_one(self._wall()))
        return msgspec.json.encode(
            [(at / BUCKETS_PER_SECOND, counters) for at, counters in self._counters.items()]
        )

    def _rendered(self, status: int, body: bytes) -> bytes:
        return (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
            f"x-log-requestid: 0123456789ABCDEF\r\nx-log-time: {int(self._wall())}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode() + body


def _error(status: int, code: str, message: str) -> tuple[int, bytes]:
    return status, msgspec.json.encode({"errorCode": code, "errorMessage": message})


class _Connection(asyncio.Protocol):
    """A connection with one request at a time, none of which has a body."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, rest = self._received.partition(b"\r\n\r\n")
        if not end:
            return
        self._received = rest
        response, delay = self._service.respond(head)
        if delay:
            asyncio.get_running_loop().call_later(delay, self._transport.write, response)
        else:
            self._transport.write(response)


class Standin(Struct, frozen=True, kw_only=True):
    """The interface of the benchmark to the running fake."""

    url: str
    process: Process

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self.url.rpartition(":")[2])

    def requests(self) -> list[tuple[float, dict[str, int]]]:
        """Return the number of requests by operation for each tenth of a second with requests."""
        return msgspec.json.decode(self._get("counters"), type=list[tuple[float, dict[str, int]]])

    def kill_one(self) -> tuple[Place, float]:
        """Stop a consumer after its next commit; return its place and the time of that commit."""
        return msgspec.json.decode(self._get("kill"), type=tuple[Place, float])

    def _get(self, name: str) -> bytes:
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request("GET", f"/-/{name}")
            return connection.getresponse().read()


@contextmanager
def standin(shape: Shape, behavior: Behavior) -> Iterator[Standin]:
    """Run the fake in its own process until the block ends."""
    arguments = [msgspec.json.encode(part).decode() for part in (shape, behavior)]
    with module("standin", arguments) as process:
        yield Standin(url=process.said, process=process)


def created(now: float) -> int:
    """Return the creation time of an account with some history, in unix seconds."""
    return int(now) - _AGE_SECONDS


async def _serve(service: Service) -> None:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    server = await loop.create_server(
        lambda: _Connection(service), "127.0.0.1", 0, backlog=_BACKLOG
    )
    port = server.sockets[0].getsockname()[1]
    print(f"http://127.0.0.1:{port}", flush=True)
    await stopped.wait()


def main() -> None:
    """Serve until a signal arrives."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shape", help="a Shape as JSON")
    parser.add_argument("behavior", help="a Behavior as JSON")
    options = parser.parse_args()
    account = Account(msgspec.json.decode(options.shape, type=Shape))
    behavior = msgspec.json.decode(options.behavior, type=Behavior)
    asyncio.run(_serve(Service(account, behavior)))


if __name__ == "__main__":
    main()
