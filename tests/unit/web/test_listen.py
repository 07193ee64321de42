import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.web.listen import (
    InheritedSocket,
    ListenAddress,
    ListenError,
    bind_all,
    systemd_sockets,
)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        (":10027", "", 10027),
        ("127.0.0.1:0", "127.0.0.1", 0),
        ("[::1]:9", "::1", 9),
        ("[fe80::1%eth0]:80", "fe80::1%eth0", 80),
        ("exporter.example:65535", "exporter.example", 65535),
    ],
)
def test_an_address_is_read_and_written_alike(text: str, host: str, port: int) -> None:
    address = ListenAddress.parse(text)
    assert (address.host, address.port, str(address)) == (host, port, text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("10027", "expected [HOST]:PORT such as :10027, 127.0.0.1:10027 or [::1]:10027"),
        ("", "expected [HOST]:PORT"),
        ("::1:80", "expected [HOST]:PORT"),
        ("host:http", "expected [HOST]:PORT"),
        ("http://host:80", "expected [HOST]:PORT"),
        ("host:80\n", "expected [HOST]:PORT"),
        (":65536", "the port must be a number from 0 to 65535"),
        (":" + "9" * 5000, "the port must be a number from 0 to 65535"),
    ],
)
def test_invalid_listen_address_is_rejected_with_reason(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is compared below
        ListenAddress.parse(text)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 200


def test_an_empty_host_listens_on_ipv4_and_ipv6() -> None:
    with ListenAddress.parse(":0").bind() as sock:
        port = sock.getsockname()[1]
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        if socket.has_ipv6 and sock.family == socket.AF_INET6:
            socket.create_connection(("::1", port), timeout=5).close()


def test_a_name_listens_on_its_ipv4_address() -> None:
    with ListenAddress.parse("localhost:0").bind() as sock:
        assert sock.getsockname()[0] == "127.0.0.1"


def test_a_taken_port_is_an_error_that_names_the_address() -> None:
    with ListenAddress.parse("127.0.0.1:0").bind() as taken:
        address = ListenAddress.parse("127.0.0.1:0").bound_to(taken)
        with pytest.raises(ListenError) as caught:
            address.bind()
    assert str(caught.value).startswith(f"cannot listen on {address}: address already in use; ")


def test_a_name_that_does_not_resolve_is_an_error() -> None:
    with pytest.raises(ListenError, match=r"cannot listen on name\.invalid:0: "):
        ListenAddress.parse("name.invalid:0").bind()


def test_all_addresses_are_bound_or_none() -> None:
    with ListenAddress.parse("127.0.0.1:0").bind() as taken:
        busy = ListenAddress.parse("127.0.0.1:0").bound_to(taken)
        with ListenAddress.parse("127.0.0.1:0").bind() as probe:
            free = ListenAddress.parse("127.0.0.1:0").bound_to(probe)
        with pytest.raises(ListenError), bind_all([free, busy]):
            raise AssertionError("the second address is taken")
    free.bind().close()


def test_address_gives_a_url_that_reaches_it() -> None:
    assert ListenAddress.parse(":80").url("http") == "http://127.0.0.1:80"
    assert ListenAddress.parse("[::1]:80").url("https") == "https://[::1]:80"


def test_sockets_of_systemd_are_those_from_descriptor_3() -> None:
    found = systemd_sockets({"LISTEN_PID": "7", "LISTEN_FDS": "2"}, 7)
    assert found == (InheritedSocket(descriptor=3), InheritedSocket(descriptor=4))


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"LISTEN_PID": "7"},
        {"LISTEN_FDS": "1"},
        {"LISTEN_PID": "8", "LISTEN_FDS": "1"},
        {"LISTEN_PID": "7", "LISTEN_FDS": "0"},
        {"LISTEN_PID": "7", "LISTEN_FDS": "one"},
        {"LISTEN_PID": "7", "LISTEN_FDS": "-1"},
    ],
)
def test_process_without_sockets_of_systemd_is_refused(environ: dict[str, str]) -> None:
    with pytest.raises(ListenError, match="systemd has passed no sockets"):
        systemd_sockets(environ, 7)


def test_inherited_socket_listens_at_its_address() -> None:
    bound = socket.create_server(("127.0.0.1", 0))
    inherited = InheritedSocket(descriptor=bound.fileno())
    port = bound.getsockname()[1]
    bound.detach()
    with inherited.bind() as sock:
        assert inherited.bound_to(sock) == ListenAddress(host="127.0.0.1", port=port)
        assert not sock.getblocking()
        assert not sock.get_inheritable()


@pytest.mark.parametrize(
    "made",
    [
        lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
        lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
        lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM),
    ],
    ids=["UDP", "not listening", "Unix"],
)
def test_other_inherited_socket_is_refused(made: Callable[[], socket.socket]) -> None:
    descriptor = made().detach()
    with pytest.raises(ListenError, match=f"file descriptor {descriptor}: not a listening TCP"):
        InheritedSocket(descriptor=descriptor).bind()


def test_descriptor_of_a_file_is_refused() -> None:
    with (
        Path("/dev/null").open("rb") as file,
        pytest.raises(ListenError, match=r"cannot listen on file descriptor [0-9]+: "),
    ):
        InheritedSocket(descriptor=file.fileno()).bind()
