"""Failed TLS handshakes: the client gets the reason as an alert, and so does the operator."""

import contextlib
import socket
import ssl
import subprocess
from pathlib import Path

import pytest

from exporter.web.connection import Limits
from exporter.web.handshakes import REASONS
from tests.support.tls_cases import FAILURES, TLS, VERIFIED, Failure, with_certificate
from tests.support.wait import wait_for
from tests.support.web_peers import connect, read_to_end
from tests.support.web_server import METRICS, Faults, fetch, serving
from tests.support.web_tls import Place, new_place


@pytest.fixture(name="place", scope="module")
def _place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return new_place(tmp_path_factory.mktemp("web"))


def alert(port: int, context: ssl.SSLContext) -> str:
    """Return OpenSSL's name of the alert that a client gets, or of another error."""
    try:
        with context.wrap_socket(connect(port), server_hostname="127.0.0.1") as sock:
            # The client of TLS 1.3 sends its request before it learns of the refusal.
            sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            return f"response {sock.recv(100)!r}"
    except ssl.SSLError as error:
        return str(error.reason)
    except OSError as error:
        return type(error).__name__


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.about)
def test_failed_handshake_sends_its_alert_and_is_reported_once(
    place: Place, failure: Failure
) -> None:
    faults, failed = Faults(), list[tuple[str, str]]()
    file = place.write(f"{failure.config}}}")
    with serving(web_config_file=file, faults=faults, failed_handshakes=failed) as port:
        assert alert(port, failure.client(place)) == failure.alert
        wait_for(lambda: failed)
    assert failed == [(failure.reason, "127.0.0.1")]
    assert faults.seen == []


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_alert_reaches_the_client_of_openssl(place: Place, version: str) -> None:
    with serving(web_config_file=place.write(f"{VERIFIED}}}")) as port:
        done = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", version, "-ign_eof"],
            input=b"GET /metrics HTTP/1.0\r\n\r\n",
            capture_output=True,
            timeout=30,
            check=False,
        )
    assert b" alert " in done.stderr
    assert METRICS not in done.stdout


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "CONNECT"])
def test_plain_http_on_a_tls_port_gets_an_explanation(place: Place, method: str) -> None:
    faults, failed = Faults(), list[tuple[str, str]]()
    file = place.write(f"{TLS}}}")
    with serving(web_config_file=file, faults=faults, failed_handshakes=failed) as port:
        with connect(port) as sock:
            sock.sendall(f"{method} /metrics HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            head, _, body = read_to_end(sock).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.0 400 Bad Request\r\n")
        assert body == (
            b"This port speaks HTTPS, but the request is plain HTTP."
            b" Use https:// instead of http://.\n"
        )
        assert fetch(port, "/metrics", tls=place.client()).body == METRICS
    assert failed == [("plain_http", "127.0.0.1")]
    assert faults.seen == []


def test_explanation_arrives_although_the_client_sends_more_than_is_read(place: Place) -> None:
    with serving(web_config_file=place.write(f"{TLS}}}")) as port, connect(port) as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1_000_000)
        assert b"400 Bad Request" in read_to_end(sock)


@pytest.mark.parametrize("data", [b"SSH-2.0-OpenSSH_9.6\r\n", bytes(64), b"\xff" * 64])
def test_bytes_that_are_not_tls_are_reported(place: Place, data: bytes) -> None:
    failed = list[tuple[str, str]]()
    with serving(web_config_file=place.write(f"{TLS}}}"), failed_handshakes=failed) as port:
        with connect(port) as sock:
            sock.sendall(data)
            read_to_end(sock)
        wait_for(lambda: failed)
    assert failed == [("not_tls", "127.0.0.1")]


def test_client_that_disconnects_is_reported(place: Place) -> None:
    failed = list[tuple[str, str]]()
    with serving(web_config_file=place.write(f"{TLS}}}"), failed_handshakes=failed) as port:
        connect(port).close()
        wait_for(lambda: failed)
    assert [reason for reason, _ in failed] == ["disconnected"]


def test_silent_client_is_reported_after_the_time_limit(place: Place) -> None:
    failed = list[tuple[str, str]]()
    with (
        serving(
            web_config_file=place.write(f"{TLS}}}"),
            failed_handshakes=failed,
            limits=Limits(head=0.3),
        ) as port,
        connect(port) as sock,
    ):
        assert read_to_end(sock) == b""
        wait_for(lambda: failed)
    assert failed == [("timeout", "127.0.0.1")]


def test_certificate_with_another_name_is_reported(place: Place) -> None:
    failed = list[tuple[str, str]]()
    file = place.write(f"{VERIFIED}, client_allowed_sans: [prometheus]}}")
    with serving(web_config_file=file, failed_handshakes=failed) as port:
        assert "200 OK" not in alert(port, with_certificate(place))
        wait_for(lambda: failed)
        assert fetch(port, "/metrics", tls=place.client("prometheus")).body == METRICS
    assert failed == [("name_not_allowed", "127.0.0.1")]


def test_client_that_does_not_close_after_an_alert_loses_its_connection(place: Place) -> None:
    with serving(web_config_file=place.write(f"{TLS}}}")) as port, connect(port) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\n")
        read_to_end(sock)

        def is_cut() -> bool:
            with contextlib.suppress(BlockingIOError):
                sock.send(b"x", socket.MSG_DONTWAIT)
            return False

        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            wait_for(is_cut)


def test_every_reason_is_documented() -> None:
    text = Path("docs/web-configuration.md").read_text()
    assert not [reason for reason in REASONS if f"| `{reason}` |" not in text]
