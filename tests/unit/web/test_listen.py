import socket

import pytest

from exporter.web.listen import ListenAddress, ListenError, bind_all


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
    assert str(caught.value) == f"cannot listen on {address}: address already in use"


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
