"""Requests for credentials: limited in time and size, verified, without proxies."""

import threading
from pathlib import Path

import pytest
import trustme

from exporter.credentials.fetcher import Fetcher
from exporter.credentials.temporary import FetchError
from exporter.model.endpoint import Endpoint
from tests.support.certificates import authority_file, loopback_tls
from tests.support.misbehaving import OK, Turn, always, answer, misbehaving, proxy
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


def silent(turn: Turn) -> None:
    turn.wait()


def test_exchange_ends_with_its_deadline() -> None:
    expected = r"no complete response within 0\.4 s"
    with misbehaving(silent) as server, pytest.raises(FetchError, match=expected):
        send(server.endpoint, seconds=0.4)


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


def test_a_response_that_is_too_large_is_abandoned() -> None:
    data = OK + b"Content-Length: 65537\r\n\r\n" + b"x" * 65537
    expected = "response is larger than 65536 bytes"
    with misbehaving(always(data)) as server, pytest.raises(FetchError, match=expected):
        send(server.endpoint)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (OK + b"Content-Length: 100\r\n\r\n{", "connection ended within it"),
        (b"hello\r\n", "no complete HTTP response: Expected HTTP/"),
    ],
)
def test_a_response_that_is_not_http_is_reported(data: bytes, message: str) -> None:
    def misbehave(turn: Turn) -> None:
        turn.send(data)
        turn.close()

    with misbehaving(misbehave) as server, pytest.raises(FetchError, match=message):
        send(server.endpoint)


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
