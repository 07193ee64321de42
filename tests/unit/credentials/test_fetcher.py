"""Requests for credentials: limited in time and size, verified, without proxies or redirects."""

import threading
import time
from pathlib import Path

import pytest
import trustme

from exporter.credentials.fetcher import Fetcher
from exporter.credentials.temporary import FetchError
from exporter.model.endpoint import Endpoint
from tests.support.certificates import authority_file, loopback_tls
from tests.support.misbehaving import (
    OK,
    Behaviour,
    Turn,
    always,
    answer,
    misbehaving,
    proxy,
)
from tests.support.wait import wait_for

AUTHORITY = trustme.CA()
BODY = b"{}"


def send(endpoint: str, *, seconds: float = 5.0, ca_file: Path | None = None) -> bytes:
    made = fetcher(ca_file=ca_file, seconds=seconds)
    return made.send(Endpoint.parse(endpoint), "GET", "/keys").body


def fetcher(
    *,
    cancelled: threading.Event | None = None,
    ca_file: Path | None = None,
    seconds: float = 5.0,
) -> Fetcher:
    return Fetcher(cancelled=cancelled or threading.Event(), ca_file=ca_file, seconds=seconds)


@pytest.fixture
def ca_file(tmp_path: Path) -> Path:
    return authority_file(tmp_path, AUTHORITY)


def drip(turn: Turn) -> None:
    turn.send(OK)
    turn.drip(b"x-drip: 1\r\n" * 10_000, 0.02)


def drip_body(turn: Turn) -> None:
    turn.send(OK + b"Content-Length: 60000\r\n\r\n")
    turn.drip(b"x" * 60_000, 0.02)


def silent(turn: Turn) -> None:
    turn.wait()


def continues(turn: Turn) -> None:
    while True:
        turn.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        turn.wait(0.01)


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("behaviour", [silent, drip, drip_body, continues])
def test_an_exchange_ends_with_its_deadline_for_every_behavior_of_the_peer(
    behaviour: Behaviour, ca_file: Path, *, tls: bool
) -> None:
    with misbehaving(behaviour, tls=loopback_tls(AUTHORITY) if tls else None) as server:
        started = time.monotonic()
        with pytest.raises(FetchError, match=r"no complete response within 0\.4 s"):
            send(server.endpoint, seconds=0.4, ca_file=ca_file)
        assert 0.3 < time.monotonic() - started < 2


def test_each_fetch_has_its_own_connection() -> None:
    with misbehaving(always(answer(BODY))) as server:
        for _ in range(2):
            made = fetcher()
            for _ in range(2):
                assert made.send(Endpoint.parse(server.endpoint), "GET", "/keys").body == BODY
    assert (len(server.requests), server.connections) == (4, 2)


def test_stop_ends_fetch() -> None:
    cancelled, errors = threading.Event(), list[str]()

    def fetch(endpoint: Endpoint) -> None:
        try:
            fetcher(cancelled=cancelled, seconds=60.0).send(endpoint, "GET", "/")
        except FetchError as error:
            errors.append(str(error))

    with misbehaving(silent) as server:
        thread = threading.Thread(target=fetch, args=(Endpoint.parse(server.endpoint),))
        thread.start()
        wait_for(lambda: server.requests)
        cancelled.set()
        thread.join(5)
    assert errors == [f"{server.endpoint}: the exporter is stopping"]


def test_requests_share_one_deadline() -> None:
    with misbehaving(always(answer(BODY))) as server:
        made = fetcher(seconds=0.0)
        with pytest.raises(FetchError, match="no complete response within 0 s"):
            made.send(Endpoint.parse(server.endpoint), "GET", "/")
    assert server.requests == []


@pytest.mark.parametrize(
    "head", [b"Content-Length: 99999999\r\n\r\n", b"Connection: close\r\n\r\n"]
)
def test_a_response_that_is_too_large_is_abandoned(head: bytes) -> None:
    def flood(turn: Turn) -> None:
        turn.send(OK + head)
        while True:
            turn.send(b"x" * 65536)

    with misbehaving(flood) as server:
        with pytest.raises(FetchError, match="response is larger than 65536 bytes"):
            send(server.endpoint)
        # The peer could send only as much as the buffers of the system took.
        assert server.sent < 16 * 2**20


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (OK + b"Content-Length: 100\r\n\r\n{", "connection ended within it"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{", "connection ended within it"),
        (b"hello\r\n", "no complete HTTP response: Expected HTTP/"),
        (b"", "connection ended before the response"),
        (b"".join([OK, *(b"x%d: y\r\n" % n for n in range(101)), b"\r\n"]), "more than 100 head"),
        (OK + b"x: " + b"y" * 200_000 + b"\r\n\r\n", "its head is larger than 65536 bytes"),
        (answer(BODY, "Content-Encoding: gzip"), "response is compressed"),
    ],
)
def test_a_response_that_is_not_http_is_reported(data: bytes, message: str) -> None:
    def misbehave(turn: Turn) -> None:
        turn.send(data)
        turn.close()

    with misbehaving(misbehave) as server, pytest.raises(FetchError, match=message):
        send(server.endpoint)


def test_a_redirect_is_not_followed() -> None:
    with misbehaving(always(answer(BODY))) as other:
        location = f"Location: {other.endpoint}/"
        with misbehaving(always(answer(b"", location, status="302 Found"))) as server:
            made = fetcher()
            found = made.send(Endpoint.parse(server.endpoint), "GET", "/")
    assert found.status == 302
    assert other.requests == []


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with proxy() as between, misbehaving(always(answer(BODY))) as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{between.port}")
        assert send(server.endpoint) == BODY
    assert between.asked == []


def test_a_certificate_of_the_given_authority_is_trusted(ca_file: Path) -> None:
    with misbehaving(always(answer(BODY)), tls=loopback_tls(AUTHORITY)) as server:
        assert send(server.endpoint, ca_file=ca_file) == BODY


def test_a_certificate_of_another_authority_is_rejected() -> None:
    with (
        misbehaving(always(answer(BODY)), tls=loopback_tls(AUTHORITY)) as server,
        pytest.raises(FetchError, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        send(server.endpoint)
    assert server.requests == []


def test_a_name_that_does_not_resolve_is_reported() -> None:
    with pytest.raises(FetchError, match="gaierror"):
        send("https://sts.invalid")


def test_a_missing_ca_file_is_reported(tmp_path: Path) -> None:
    with (
        misbehaving(always(answer(BODY)), tls=loopback_tls(AUTHORITY)) as server,
        pytest.raises(FetchError, match="FileNotFoundError"),
    ):
        send(server.endpoint, ca_file=tmp_path / "none.pem")


def test_a_text_that_no_header_can_contain_is_reported_without_showing_it() -> None:
    with misbehaving(always(answer(BODY))) as server:
        made = fetcher()
        with pytest.raises(FetchError) as raised:
            made.send(
                Endpoint.parse(server.endpoint), "GET", "/", headers={"x-token": "hunter2\r\nx: y"}
            )
    assert str(raised.value) == (
        f"{server.endpoint}: an address or a header of the request, or of its proxy, is not valid"
    )
    assert raised.value.__cause__ is None
    assert server.requests == []
