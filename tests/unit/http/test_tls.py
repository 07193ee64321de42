"""TLS to the service is verified, with the usual authorities or those of a file."""

import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import pytest
import trustme

from exporter.http.transport import Transport
from exporter.sls.errors import Unreachable
from tests.support.misbehaving import EMPTY_LIST, always, misbehaving
from tests.support.sls_client import rig

AUTHORITY = trustme.CA()


def at_once(_: float, __: float) -> float:
    return 0.0


def context(issued: trustme.LeafCert) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issued.configure_cert(made)
    return made


@pytest.fixture
def ca_file(tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    AUTHORITY.cert_pem.write_to_path(str(path))
    return path


def trusting(path: Path | None) -> Callable[[Event], Transport]:
    return lambda cancelled: Transport(cancelled=cancelled, ca_file=path)


def test_a_certificate_of_a_configured_authority_is_trusted(ca_file: Path) -> None:
    tls = context(AUTHORITY.issue_cert("127.0.0.1"))
    with (
        misbehaving(always(EMPTY_LIST), tls=tls) as server,
        rig(server.endpoint, make_transport=trusting(ca_file)) as made,
    ):
        for _ in range(20):
            assert made.client.list_shards("orders").entries == ()
    assert (len(server.requests), server.connections) == (20, 1)


@pytest.mark.parametrize(
    ("issued", "reason"),
    [
        (trustme.CA().issue_cert("127.0.0.1"), "unable to get local issuer certificate"),
        (AUTHORITY.issue_cert("127.0.0.2"), "IP address mismatch"),
        (AUTHORITY.issue_cert("shop.example.org"), "IP address mismatch"),
        (
            AUTHORITY.issue_cert(
                "127.0.0.1",
                not_before=datetime(2001, 1, 1, tzinfo=UTC),
                not_after=datetime(2002, 1, 1, tzinfo=UTC),
            ),
            "certificate has expired",
        ),
    ],
    ids=["another authority", "another address", "a name", "expired"],
)
def test_an_invalid_certificate_is_not_accepted(
    ca_file: Path, issued: trustme.LeafCert, reason: str
) -> None:
    with (
        misbehaving(always(EMPTY_LIST), tls=context(issued)) as server,
        rig(server.endpoint, uniform=at_once, make_transport=trusting(ca_file)) as made,
        pytest.raises(Unreachable, match=reason) as raised,
    ):
        made.client.list_shards("orders")
    assert raised.value.code == "connection"
    assert server.requests == []


def test_an_authority_that_is_not_configured_is_not_trusted(
    ca_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The library requests would use these.
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(ca_file))
    monkeypatch.setenv("CURL_CA_BUNDLE", str(ca_file))
    tls = context(AUTHORITY.issue_cert("127.0.0.1"))

    def transport(cancelled: Event) -> Transport:
        return Transport(cancelled=cancelled, proxy_from_environment=True)

    with (
        misbehaving(always(EMPTY_LIST), tls=tls) as server,
        rig(server.endpoint, uniform=at_once, make_transport=transport) as made,
        pytest.raises(Unreachable, match="unable to get local issuer certificate"),
    ):
        made.client.list_shards("orders")
