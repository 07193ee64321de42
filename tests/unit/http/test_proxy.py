"""Proxies of the environment: used where that is configured, and nowhere else."""

import ssl
import time
from pathlib import Path
from threading import Event

import pytest
import trustme

from exporter.http.proxies import is_excluded
from exporter.http.routes import find_route
from exporter.http.transport import Transport
from exporter.sls.errors import TimedOut, Unreachable
from tests.support.certificates import authority_file, loopback_tls
from tests.support.misbehaving import EMPTY_LIST, Turn, always, in_turn, misbehaving, proxy
from tests.support.sls_client import rig, without_pause

NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def through_proxy(cancelled: Event, ca_file: Path | None = None) -> Transport:
    return Transport(cancelled=cancelled, ca_file=ca_file, proxy_from_environment=True)


def certified(place: Path) -> tuple[ssl.SSLContext, Path]:
    """Return what a server on loopback needs for TLS, and the file of its authority."""
    authority = trustme.CA()
    return loopback_tls(authority), authority_file(place, authority)


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
            rig(server.endpoint, make_transport=through_proxy, uniform=without_pause) as made,
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
        "hunter2",
    ],
)
def test_an_invalid_address_of_a_proxy_is_an_error_without_its_password(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("HTTP_PROXY", address)
    with (
        rig("http://127.0.0.1:9", make_transport=through_proxy, uniform=without_pause) as made,
        pytest.raises(Unreachable) as raised,
    ):
        made.client.list_shards("orders")
    assert "hunter2" not in str(raised.value)


def test_a_proxy_that_refuses_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    with misbehaving(always(refusal)) as server:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{server.port}")
        with (
            rig("https://127.0.0.1:9", make_transport=through_proxy, uniform=without_pause) as made,
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


@pytest.mark.parametrize(
    ("no_proxy", "host", "port", "expected"),
    [
        ("", "a.example", 443, False),
        (" , ", "a.example", 443, False),
        ("*", "a.example", 443, True),
        ("*", "10.0.0.1", 443, True),
        ("*:8443", "a.example", 8443, True),
        ("*:8443", "a.example", 443, False),
        ("b.example, a.example", "a.example", 443, True),
        ("b.example a.example", "a.example", 443, True),
        ("a.example", "shop.a.example", 443, True),
        ("a.example", "other-a.example", 443, False),
        ("a.example", "a.example.org", 443, False),
        ("A.Example.", "a.example", 443, True),
        ("a.example", "A.EXAMPLE.", 443, True),
        (".a.example", "shop.a.example", 443, True),
        (".a.example", "a.example", 443, True),
        ("*.a.example", "shop.a.example", 443, True),
        ("*.a.example", "a.example", 443, True),
        ("*.a.example", "b.example", 443, False),
        ("*.a.example:443", "shop.a.example", 443, True),
        ("a.example:443", "a.example", 443, True),
        ("a.example:443", "shop.a.example", 443, True),
        ("a.example:80", "a.example", 443, False),
        ("a.example:8443", "a.example", 8443, True),
        ("10.0.0.1", "10.0.0.1", 443, True),
        ("10.0.0.1:443", "10.0.0.1", 443, True),
        ("10.0.0.1:80", "10.0.0.1", 443, False),
        ("10.0.0.1", "110.0.0.1", 443, False),
        ("0.0.1", "10.0.0.1", 443, False),
        ("10.0.0.0/8", "10.1.2.3", 443, True),
        ("10.0.0.0/8", "11.1.2.3", 443, False),
        ("10.0.0.9/8", "10.1.2.3", 443, True),
        ("10.0.0.0/99", "10.1.2.3", 443, False),
        ("fd00::/8", "fd00::1", 443, True),
        ("fd00::/8", "10.1.2.3", 443, False),
        ("::1", "::1", 443, True),
        ("[::1]", "::1", 443, True),
        ("[::1]:443", "::1", 443, True),
        ("[::1]:80", "::1", 443, False),
        ("0:0:0:0:0:0:0:1", "::1", 443, True),
        (".", "a.example", 443, False),
        ("*.", "a.example", 443, False),
        (":443", "a.example", 443, False),
        ("[]", "a.example", 443, False),
        ("a*.example", "ab.example", 443, False),
    ],
)
def test_no_proxy_excludes_servers_of_each_form(
    no_proxy: str, host: str, port: int, *, expected: bool
) -> None:
    assert is_excluded(no_proxy, host, port) is expected


@pytest.mark.parametrize(
    ("base_url", "no_proxy", "is_direct"),
    [
        ("https://a.example", "a.example:443", True),
        ("http://a.example", "a.example:80", True),
        ("http://a.example", "a.example:443", False),
        ("https://[fd00::1]:8443", "[fd00::1]:8443", True),
        ("https://[fd00::1]", "fd00::1", True),
    ],
)
def test_port_of_route_is_that_of_scheme_without_another(
    monkeypatch: pytest.MonkeyPatch, base_url: str, no_proxy: str, *, is_direct: bool
) -> None:
    monkeypatch.setenv("ALL_PROXY", "proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    route = find_route(base_url, proxy_from_environment=True)
    assert (route.proxy is None) is is_direct


@pytest.mark.parametrize(
    ("variables", "proxy_name"),
    [
        ({"ALL_PROXY": "all.example"}, "all.example"),
        ({"ALL_PROXY": "all.example", "HTTPS_PROXY": "tls.example"}, "tls.example"),
        ({"ALL_PROXY": "all.example", "HTTP_PROXY": "plain.example"}, "all.example"),
        ({"HTTPS_PROXY": "upper.example", "https_proxy": "lower.example"}, "lower.example"),
        ({"HTTP_PROXY": "plain.example"}, None),
        ({"HTTPS_PROXY": "", "ALL_PROXY": ""}, None),
    ],
)
def test_proxy_is_that_of_the_scheme_or_of_all(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], proxy_name: str | None
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    route = find_route("https://a.example", proxy_from_environment=True)
    assert (route.proxy.name if route.proxy else None) == proxy_name
    assert find_route("https://a.example", proxy_from_environment=False).proxy is None


@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "socks4", "socks4a", "socks", "SOCKS5"])
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "ALL_PROXY"])
def test_socks_proxy_is_refused_with_an_explanation(
    monkeypatch: pytest.MonkeyPatch, scheme: str, variable: str
) -> None:
    monkeypatch.setenv(variable, f"{scheme}://user:hunter2@127.0.0.1:1")
    with (
        rig("http://127.0.0.1:9", make_transport=through_proxy, uniform=without_pause) as made,
        pytest.raises(
            Unreachable, match="SOCKS proxies are not supported; set HTTP_PROXY"
        ) as raised,
    ):
        made.client.list_shards("orders")
    assert "hunter2" not in str(raised.value)
