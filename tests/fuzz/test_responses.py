"""Hostile responses of the API: their maximum size, and the effect of names in them.

The fuzzers ``answers``, ``exchange`` and ``labels`` in ``tests.fuzz`` cover any bytes and any JSON.
"""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.http.transport import MAX_BODY_BYTES
from exporter.model.endpoint import Endpoint
from exporter.sls.errors import InvalidResponse
from exporter.sls.json_values import ShapeError
from exporter.sls.responses import project_names, read_checkpoints
from tests.support.misbehaving import Turn, misbehaving
from tests.support.sls_client import rig

NOW = 1_700_000_000.0
# Hypothesis' own text has no lone surrogates; JSON and Python's strings do.
any_text = st.text(st.characters(codec=None) | st.characters(categories=["Cs"]), max_size=300)


def test_a_million_shards_are_not_even_received() -> None:
    def spoil(turn: Turn) -> None:
        turn.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        part = b"".join(b'{"shard":%d,"checkpoint":""},' % shard for shard in range(10_000))
        turn.send(b"1\r\n[\r\n")
        for _ in range(100):
            turn.send(b"%x\r\n%s\r\n" % (len(part), part))

    with misbehaving(spoil) as server, rig(server.endpoint) as made:
        tracemalloc.start()
        try:
            with pytest.raises(InvalidResponse, match="larger than 4194304 bytes"):
                made.client.get_checkpoints("orders", "billing")
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 4 * MAX_BODY_BYTES


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 4_000_000,
        b'{"a":' * 700_000,
        b'[{"a":' + b"[" * 4_000_000,
        b"[" + b"0," * 2_000_000 + b"0]",
        b'"' + b"\\ud800" * 600_000 + b'"',
        b"[" + b"9" * 4_000_000 + b"]",
        b"-1e" + b"9" * 4_000_000,
        b"\xef\xbb\xbf" * 1_000_000,
        b"\xff" * 4_000_000,
    ],
    ids=[
        "arrays",
        "objects",
        "a field",
        "numbers",
        "surrogates",
        "digits",
        "exponent",
        "marks",
        "no UTF-8",
    ],
)
def test_the_largest_bodies_of_any_kind_are_another_shape(body: bytes) -> None:
    with pytest.raises(ShapeError) as raised:
        read_checkpoints(body, NOW)
    assert len(str(raised.value)) <= 256
    assert str(raised.value).isprintable()


@pytest.mark.parametrize(
    "name",
    [
        "evil.example/",
        "x@evil.example#",
        "a.b",
        "..",
        "a b",
        "a:80",
        "a?b",
        "\uff41",
        "-" * 64,
        "[::1]",
    ],
)
def test_a_listed_project_that_no_host_can_have_is_left_out(name: str) -> None:
    listed = {"total": 2, "projects": [{"projectName": name}, {"projectName": "shop"}]}
    page = project_names(listed)
    assert page.names.entries == ("shop",)
    assert page.names.faults == ("expected the name of a project, got one that no host can have",)


@given(any_text)
def test_requests_go_to_the_endpoint_regardless_of_listed_names(name: str) -> None:
    endpoint = Endpoint.parse("cn-shanghai.log.aliyuncs.com")
    for found in project_names({"total": 1, "projects": [{"projectName": name}]}).names.entries:
        host = endpoint.base_url(found).removeprefix("https://")
        assert host == f"{found}.cn-shanghai.log.aliyuncs.com"
        assert "/" not in host
        assert "@" not in host
