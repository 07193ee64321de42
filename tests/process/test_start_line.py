"""The first log line of the daemon, and its report of failed TLS handshakes."""

import ssl
from pathlib import Path

import pytest

from exporter import __version__
from tests.support.daemon import daemon
from tests.support.scrape import parsed
from tests.support.shop import UNREACHABLE
from tests.support.wait import wait_for
from tests.support.web_peers import connect, read_to_end
from tests.support.web_server import fetch
from tests.support.web_tls import hashed, new_place

LISTEN = "--web.listen-address=127.0.0.1:0"
TLS = "tls_server_config: {cert_file: server.crt, key_file: server.key}\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(UNREACHABLE)
    return path


@pytest.mark.parametrize(
    ("web", "security"),
    [
        (None, "scheme=http tls=off users=0"),
        ("# nothing\n", "scheme=http tls=off users=0"),
        (TLS, "scheme=https tls=on users=0"),
        ("basic_auth_users: {a: HASH, b: HASH}\n", "scheme=http tls=off users=2"),
        (f"{TLS}basic_auth_users: {{a: HASH}}\n", "scheme=https tls=on users=1"),
    ],
)
def test_start_line_has_version_and_security_of_the_server(
    config: Path, web: str | None, security: str
) -> None:
    options = [f"--config.file={config}", LISTEN]
    if web is not None:
        file = new_place(config.parent).write(web.replace("HASH", hashed("password")))
        options.append(f"--web.config.file={file}")
    with daemon(*options) as exporter:
        wait_for(lambda: "msg=started" in exporter.log)
        assert exporter.stop() == 0
    line = next(each for each in exporter.stderr if "msg=started" in each)
    assert f" version={__version__} {security} listening=" in line


def test_failed_handshakes_are_counted_and_logged_with_a_limit(config: Path) -> None:
    place = new_place(config.parent)
    options = (f"--config.file={config}", LISTEN, f"--web.config.file={place.write(TLS)}")
    with daemon(*options) as exporter:
        port = int(exporter.url.rpartition(":")[2])
        for _ in range(20):
            with connect(port) as sock:
                sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
                assert b"400 Bad Request" in read_to_end(sock)
        with pytest.raises(ssl.SSLError):
            fetch(port, "/metrics", tls=ssl.create_default_context())
        name = "sls_exporter_tls_handshake_errors_total"

        def counted(reason: str) -> float:
            scrape = parsed(fetch(port, "/metrics", tls=place.client()).text)
            return sum(each.value for each in scrape.find(name, reason=reason))

        wait_for(lambda: counted("rejected_by_client") == 1)
        assert counted("plain_http") == 20
        assert exporter.stop() == 0
    lines = [each for each in exporter.stderr if 'msg="TLS handshake failed"' in each]
    assert len(lines) == 5
    assert all("level=warning" in each and "client=127.0.0.1" in each for each in lines)
    assert "reason=plain_http" in lines[0]
    assert 'msg="more of the same: TLS handshake failed"' in exporter.log


def test_start_warns_about_web_settings_without_effect(config: Path) -> None:
    text = TLS.replace("}", ", curve_preferences: [X25519, CurveP256], client_allowed_sans: [a]}")
    file = new_place(config.parent).write(text)
    with daemon(f"--config.file={config}", LISTEN, f"--web.config.file={file}") as exporter:
        message = 'msg="web configuration setting has no effect"'
        wait_for(lambda: exporter.log.count(message) == 2)
        assert exporter.stop() == 0
    assert 'reason="curve_preferences with several curves allows every' in exporter.log
    assert 'reason="client_allowed_sans has no effect' in exporter.log
