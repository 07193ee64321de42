"""Proxies of the environment: used where that is configured, and nowhere else."""

import ssl
import time
from pathlib import Path
from threading import Event

import pytest
import trustme

from exporter.http.transport import Transport
from exporter.sls.errors import TimedOut, Unreachable
from tests.support.misbehaving import EMPTY_LIST, Turn, always, in_turn, misbehaving, proxy
from tests.support.sls_client import rig

NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def at_once(_: float, __: float) -> float:
    return 0.0


def through_proxy(cancelled: Event, ca_file: Path | None = None) -> Transport:
    return Transport(cancelled=cancelled, ca_file=ca_file, proxy_from_environment=True)


def certified(place: Path) -> tuple[ssl.SSLContext, Path]:
    """Return what a server on loopback needs for TLS, and the file of its authority."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(place / "ca.pem"))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    return tls, place / "ca.pem"


def test_a_proxy_of_the_environment_is_not_used_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        proxy() as seen,
        misbehaving(always(EMPTY_LIST)) as server,
        rig(server.endpoint) as made,
    ):
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{seen.port}")
        monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{seen.port}")
        made.client.list_shards("orders")
    assert len(server.requests) == 1
    assert seen.asked == []


def test_a_proxy_of_the_environment_is_used_if_configured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with (
        proxy() as seen,
        misbehaving(always(EMPTY_LIST)) as server,
        rig(server.endpoint, make_transport=through_proxy) as made,
    ):
        monkeypatch.setenv("HTTP_PROXY", f"http://user:password@127.0.0.1:{seen.port}")
        made.client.list_shards("orders")
    assert seen.asked == [f"http://127.0.0.1:{server.port}/logstores/orders/shards"]
    assert seen.headers[0]["proxy-authorization"] == "Basic dXNlcjpwYXNzd29yZA=="
    assert server.requests[0].headers["host"] == f"shop.127.0.0.1:{server.port}"


def test_tls_goes_through_a_tunnel_and_is_verified_behind_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tls, ca_file = certified(tmp_path)

    def trusting(cancelled: Event) -> Transport:
        return through_proxy(cancelled, ca_file)

    with proxy() as seen, misbehaving(always(EMPTY_LIST), tls=tls) as server:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{seen.port}")
        with rig(server.endpoint, make_transport=trusting) as made:
            for _ in range(3):
                made.client.list_shards("orders")
        with (
            rig(server.endpoint, make_transport=through_proxy, uniform=at_once) as made,
            pytest.raises(Unreachable, match="certificate verify failed"),
        ):
            made.client.list_shards("orders")
    assert seen.asked[0] == f"127.0.0.1:{server.port}"
    assert len(server.requests) == 3
    assert "authorization" not in seen.headers[0]


def test_requests_for_hosts_without_a_proxy_go_to_the_hosts_themselves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with (
        proxy() as seen,
        misbehaving(always(EMPTY_LIST)) as server,
        rig(server.endpoint, make_transport=through_proxy) as made,
    ):
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{seen.port}")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        made.client.list_shards("orders")
    assert seen.asked == []


@pytest.mark.parametrize(
    "address",
    [
        "http://user:hunter2@127.0.0.1:abc",
        "http://user:hunter2@[::1",
        "http://user:hunter2@",
        "http://user:hunter2@nowhere.invalid:3128",
        "http://user:hunter2@127.0.0.1:1",
        "socks5://user:hunter2@127.0.0.1:1",
        "hunter2",
    ],
)
def test_an_invalid_address_of_a_proxy_is_an_error_without_its_password(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("HTTP_PROXY", address)
    with (
        rig("http://127.0.0.1:9", make_transport=through_proxy, uniform=at_once) as made,
        pytest.raises(Unreachable) as raised,
    ):
        made.client.list_shards("orders")
    assert "hunter2" not in str(raised.value)


def test_a_proxy_that_refuses_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    with misbehaving(always(refusal)) as server:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{server.port}")
        with (
            rig("https://127.0.0.1:9", make_transport=through_proxy, uniform=at_once) as made,
            pytest.raises(Unreachable, match="proxy refused the tunnel with status 407"),
        ):
            made.client.list_shards("orders")


@pytest.mark.parametrize("of_proxy", ["http", "https"])
def test_request_over_dead_kept_tunnel_is_sent_through_new_tunnel(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, of_proxy: str
) -> None:
    tls, ca_file = certified(tmp_path)
    behaviour = in_turn(always(EMPTY_LIST), Turn.wait, always(EMPTY_LIST))
    with (
        proxy(tls=tls if of_proxy == "https" else None) as seen,
        misbehaving(behaviour, tls=tls) as server,
        rig(
            server.endpoint,
            timeout=2.0,
            make_transport=lambda cancelled: through_proxy(cancelled, ca_file),
        ) as made,
    ):
        monkeypatch.setenv("HTTPS_PROXY", f"{of_proxy}://127.0.0.1:{seen.port}")
        for _ in range(2):
            assert made.client.list_shards("orders").entries == ()
    assert seen.asked == [f"127.0.0.1:{server.port}"] * 2
    assert made.notes.ended == [("ListShards", None)] * 2


def answer_late(turn: Turn) -> None:
    turn.wait(0.4)  # longer than one wait of a socket
    turn.send(EMPTY_LIST)


@pytest.mark.parametrize("of_proxy", ["http", "https"])
@pytest.mark.parametrize("of_server", ["http", "https"])
def test_any_proxy_leads_to_any_server(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, of_proxy: str, of_server: str
) -> None:
    tls, ca_file = certified(tmp_path)
    with (
        proxy(tls=tls if of_proxy == "https" else None) as seen,
        misbehaving(answer_late, tls=tls if of_server == "https" else None) as server,
        rig(
            server.endpoint,
            make_transport=lambda cancelled: through_proxy(cancelled, ca_file),
        ) as made,
    ):
        address = f"{of_proxy}://user:password@127.0.0.1:{seen.port}"
        monkeypatch.setenv(f"{of_server.upper()}_PROXY", address)
        for _ in range(2):
            assert made.client.list_shards("orders").entries == ()
    place = f"127.0.0.1:{server.port}"
    path = f"http://{place}/logstores/orders/shards"
    assert seen.asked == [place if of_server == "https" else path], "one connection for both"
    assert seen.headers[0]["proxy-authorization"] == "Basic dXNlcjpwYXNzd29yZA=="
    if of_server == "https":
        assert "proxy-authorization" not in server.requests[0].headers
    assert server.requests[0].headers["host"] == f"shop.{place}"


@pytest.mark.parametrize("of_proxy", ["http", "https"])
def test_a_call_through_a_tunnel_ends_in_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, of_proxy: str
) -> None:
    tls, ca_file = certified(tmp_path)
    with (
        proxy(tls=tls if of_proxy == "https" else None) as seen,
        misbehaving(Turn.wait, tls=tls) as server,
        rig(
            server.endpoint,
            timeout=1.0,
            make_transport=lambda cancelled: through_proxy(cancelled, ca_file),
        ) as made,
    ):
        monkeypatch.setenv("HTTPS_PROXY", f"{of_proxy}://127.0.0.1:{seen.port}")
        started = time.monotonic()
        with pytest.raises(TimedOut):
            made.client.list_shards("orders")
        assert 0.95 <= time.monotonic() - started < 2.0
    assert len(server.requests) == 1
