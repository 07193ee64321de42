import http.client
import socket
import ssl
from pathlib import Path

import pytest
import trustme

from exporter.web.connection import Limits
from tests.support.descriptors import open_descriptors
from tests.support.tls_cases import ALLOWED_NAMES, LIMITS, POLICIES, TLS, VERIFIED, Client
from tests.support.wait import wait_for
from tests.support.web_peers import closed_by_server, connect, read_to_end, silent
from tests.support.web_server import METRICS, Faults, fetch, serving
from tests.support.web_tls import Place, new_place


@pytest.fixture(name="place", scope="module")
def _place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return new_place(tmp_path_factory.mktemp("web"))


def handshake(port: int, tls: ssl.SSLContext) -> ssl.SSLSocket:
    return tls.wrap_socket(connect(port), server_hostname="127.0.0.1")


def refused(port: int, tls: ssl.SSLContext) -> bool:
    """Return whether a request over TLS fails; TLS 1.3 shows this only at the first response."""
    try:
        fetch(port, "/metrics", tls=tls)
    except (OSError, http.client.HTTPException):
        return True
    return False


def test_scrape_over_tls_is_served(place: Place) -> None:
    with serving(web_config_file=place.write(f"{TLS}}}")) as port:
        assert fetch(port, "/metrics", tls=place.client()).body == METRICS


@pytest.mark.parametrize(
    ("policy", "without", "known", "stranger"),
    POLICIES,
)
def test_a_client_auth_type_lets_in_whom_it_should(
    place: Place, policy: str, *, without: bool, known: bool, stranger: bool
) -> None:
    file = place.write(f"{TLS}, client_auth_type: {policy}}}")
    with serving(web_config_file=file) as port:
        assert refused(port, place.client()) is not without
        assert refused(port, place.client("client.example")) is not known
        assert refused(port, place.client("client.example", ca=trustme.CA())) is not stranger


def test_a_single_certificate_in_the_ca_file_admits_its_holder_only(place: Place) -> None:
    issued, other = (place.client_ca.issue_cert("client.example") for _ in range(2))
    issued.cert_chain_pems[0].write_to_path(place.path / "one.pem")
    file = place.write(VERIFIED.replace("ca.pem", "one.pem") + "}")
    with serving(web_config_file=file) as port:
        for holder, denied in ((issued, False), (other, True)):
            tls = place.client()
            holder.configure_cert(tls)
            assert refused(port, tls) is denied


@pytest.mark.parametrize(
    ("allowed", "names", "admitted"),
    ALLOWED_NAMES,
)
def test_only_clients_with_an_allowed_name_are_let_in(
    place: Place, allowed: str, names: list[str], *, admitted: bool
) -> None:
    file = place.write(f"{VERIFIED}, client_allowed_sans: {allowed}}}")
    with serving(web_config_file=file) as port:
        assert refused(port, place.client(*names)) is not admitted


@pytest.mark.parametrize(
    ("setting", "client", "agreed"),
    LIMITS,
)
def test_versions_suites_and_curves_are_kept_to(
    place: Place, setting: str, client: Client, agreed: str | None
) -> None:
    tls = client(place)
    with serving(web_config_file=place.write(f"{TLS}, {setting}}}")) as port:
        if agreed is None:
            with pytest.raises(OSError, match=r"alert|handshake|EOF|reset"):
                handshake(port, tls)
            return
        with handshake(port, tls) as sock:
            cipher = sock.cipher()
            assert cipher is not None
            assert agreed in {sock.version(), cipher[0]}


def test_old_versions_can_be_switched_on(place: Place) -> None:
    tls = place.client()
    tls.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1 is deprecated"):
        tls.minimum_version = tls.maximum_version = ssl.TLSVersion.TLSv1_1
    with serving(web_config_file=place.write(f"{TLS}, min_version: TLS10}}")) as port:
        assert fetch(port, "/metrics", tls=tls).body == METRICS
    with serving(web_config_file=place.write(f"{TLS}}}")) as port:
        assert refused(port, tls)


def test_a_renewed_certificate_is_served_without_dropping_a_connection(tmp_path: Path) -> None:
    place = new_place(tmp_path)
    faults = Faults()
    with serving(web_config_file=place.write(f"{TLS}}}"), faults=faults) as port:
        kept = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=place.client())
        kept.request("GET", "/metrics")
        assert kept.getresponse().read() == METRICS
        first = certificate(port, place)
        place.renew()
        assert certificate(port, place) != first
        kept.request("GET", "/metrics")
        assert kept.getresponse().read() == METRICS
        kept.close()
    assert faults.seen == []


def test_a_half_renewed_certificate_keeps_the_old_one_and_is_reported_once(tmp_path: Path) -> None:
    place = new_place(tmp_path)
    faults = Faults()
    with serving(web_config_file=place.write(f"{TLS}}}"), faults=faults) as port:
        first = certificate(port, place)
        (tmp_path / "server.key").rename(tmp_path / "aside.key")
        assert [certificate(port, place) for _ in range(3)] == [first] * 3
        (tmp_path / "aside.key").rename(tmp_path / "server.key")
        place.renew()
        assert certificate(port, place) != first
    assert [where for where, _ in faults.seen] == ["web configuration"]
    assert "key_file: 'server.key' cannot be read: No such file or directory" in str(
        faults.seen[0][1]
    )


@pytest.mark.parametrize("text", ["", "http_server_config: {http2: false}", "junk: 1"])
def test_tls_stays_on_regardless_of_changes_to_the_file(tmp_path: Path, text: str) -> None:
    place = new_place(tmp_path)
    faults = Faults()
    with serving(web_config_file=place.write(f"{TLS}}}"), faults=faults) as port:
        place.write(text)
        assert fetch(port, "/metrics", tls=place.client()).body == METRICS
        assert fetch(port, "/metrics", tls=place.client()).body == METRICS
    assert len(faults.seen) == 1


def test_data_after_a_malformed_request_is_ignored(place: Place) -> None:
    faults = Faults()
    with serving(web_config_file=place.write(f"{TLS}}}"), faults=faults) as port:
        for _ in range(5):
            with handshake(port, place.client()) as sock:
                # Records of one segment, so that the later ones are there when the first fails.
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
                for _ in range(10):
                    sock.sendall(b"no request\r\n\r\n")
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
                assert read_to_end(sock).startswith(b"HTTP/1.1 400 ")
    assert faults.seen == []


def test_idle_handshakes_do_not_delay_others_and_are_cut(place: Place) -> None:
    limits = Limits(head=0.5)
    with (
        serving(web_config_file=place.write(f"{TLS}}}"), limits=limits) as port,
        silent(port, 50) as socks,
    ):
        assert fetch(port, "/metrics", tls=place.client()).body == METRICS
        wait_for(lambda: closed_by_server(socks) == 50, what="handshakes to be cut")


def test_burst_rejected_during_its_handshakes_does_not_affect_others(place: Place) -> None:
    faults = Faults()
    with serving(
        web_config_file=place.write(f"{TLS}}}"), limits=Limits(connections=20), faults=faults
    ) as port:
        tls = place.client()
        fetch(port, "/metrics", tls=tls)
        before = open_descriptors()
        for _ in range(10):
            with silent(port, 100):
                assert fetch(port, "/metrics", tls=tls).body == METRICS
        wait_for(lambda: open_descriptors() <= before, what="descriptors to come back")
    assert faults.seen == []


def certificate(port: int, place: Place) -> bytes:
    with handshake(port, place.client()) as sock:
        sent = sock.getpeercert(binary_form=True)
        assert sent is not None
        sock.shutdown(socket.SHUT_RDWR)
        return sent
