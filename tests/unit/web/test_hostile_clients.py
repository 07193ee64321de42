import contextlib
import logging
import random
import resource
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.web.connection import Limits
from tests.support.web_peers import garbage, silent, trickling
from tests.support.web_server import METRICS, Faults, fetch, serving
from tests.support.web_tls import new_place

SILENT, TRICKLING, GARBAGE = 500, 200, 50
PROMPT_SECONDS = 2.0
# Both ends of every connection are in this process.
NEEDED = 2 * (SILENT + TRICKLING + GARBAGE) + 200
RANDOM = random.Random(1)  # noqa: S311 - need not be secure
SAMPLES = [
    b"\x00" * 2000,
    b"\r\n" * 1000,
    b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 3000,
    b"GET " + b"/" * 70_000,
    b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
    b"POST /-/reload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffff\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01\xff\xff\x01" + b"\x00" * 3000,
    *(RANDOM.randbytes(3000) for _ in range(8)),
]


@pytest.fixture(autouse=True)
def _enough_descriptors() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < NEEDED:
        if hard != resource.RLIM_INFINITY and hard < NEEDED:
            pytest.skip(f"needs {NEEDED} open files, may have {hard}")
        resource.setrlimit(resource.RLIMIT_NOFILE, (NEEDED, hard))


@contextlib.contextmanager
def a_crowd(port: int, tls: ssl.SSLContext | None) -> Iterator[None]:
    with (
        silent(port, SILENT),
        trickling(port, TRICKLING, text=b"GET /" if tls is None else client_hello(tls)),
        garbage(port, GARBAGE, SAMPLES),
    ):
        yield


def client_hello(tls: ssl.SSLContext) -> bytes:
    outgoing = ssl.MemoryBIO()
    tls_object = tls.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="127.0.0.1")
    with contextlib.suppress(ssl.SSLWantReadError):
        tls_object.do_handshake()
    return outgoing.read()


@pytest.mark.parametrize("connections", [Limits().connections, 1000])
@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_scrapes_and_checks_are_prompt_in_a_crowd_of_bad_peers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, connections: int, *, secure: bool
) -> None:
    place = new_place(tmp_path)
    tls = place.client() if secure else None
    file = place.write("tls_server_config: {cert_file: server.crt, key_file: server.key}")
    faults = Faults()
    took = []
    with (
        caplog.at_level(logging.INFO),
        serving(
            limits=Limits(connections=connections),
            web_config_file=file if secure else None,
            faults=faults,
        ) as port,
        a_crowd(port, tls),
    ):
        assert (
            fetch(port, "/metrics", tls=tls, timeout=30).body == METRICS
        )  # after all other connections
        deadline = time.monotonic() + 2.5  # long enough for several rounds of every kind
        while time.monotonic() < deadline:
            start = time.monotonic()
            assert fetch(port, "/metrics", tls=tls).body == METRICS
            assert fetch(port, "/-/healthy", tls=tls).status == 200
            took.append(time.monotonic() - start)
    assert max(took) < PROMPT_SECONDS
    assert faults.seen == []
    assert caplog.records == []
