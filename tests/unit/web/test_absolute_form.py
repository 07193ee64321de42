"""Requests in the absolute form, as proxies send them."""

from pathlib import Path

import pytest

from tests.support.web_peers import connect, read_to_end
from tests.support.web_server import METRICS, serving
from tests.support.web_tls import hashed, new_place


def ask(port: int, target: str) -> bytes:
    with connect(port) as sock:
        sock.sendall(f"GET {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode())
        return read_to_end(sock)


@pytest.mark.parametrize(
    "target", ["http://host/metrics", "HTTPS://[::1]:1/metrics?a=http://b", "/metrics"]
)
def test_absolute_form_gets_the_response_of_its_path(target: str) -> None:
    with serving() as port:
        response = ask(port, target)
    assert response.startswith(b"HTTP/1.1 200 OK\r\n")
    assert response.endswith(METRICS)


@pytest.mark.parametrize("target", ["http://host", "http://host/"])
def test_absolute_form_without_a_path_gets_the_status_page(target: str) -> None:
    with serving() as port:
        response = ask(port, target)
    assert response.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"text/html" in response


@pytest.mark.parametrize(
    "target", ["ftp://host/metrics", "http://host/missing", "/http://h/metrics"]
)
def test_other_targets_are_not_found(target: str) -> None:
    with serving() as port:
        assert ask(port, target).startswith(b"HTTP/1.1 404 ")


def test_absolute_form_needs_the_password_too(tmp_path: Path) -> None:
    place = new_place(tmp_path)
    file = place.write(f"basic_auth_users: {{a: {hashed('b')}}}")
    with serving(web_config_file=file) as port:
        assert ask(port, "http://host/metrics").startswith(b"HTTP/1.1 401 ")
