"""TLS to the service is verified, with the usual authorities or those of a file."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import pytest
import trustme

from exporter.http.transport import Transport
from exporter.sls.errors import Unreachable
from tests.support.certificates import authority_file, loopback_tls, server_tls
from tests.support.misbehaving import EMPTY_LIST, always, misbehaving
from tests.support.sls_client import rig, without_pause

AUTHORITY = trustme.CA()


@pytest.fixture
def ca_file(tmp_path: Path) -> Path:
    return authority_file(tmp_path, AUTHORITY)


def trusting(path: Path | None) -> Callable[[Event], Transport]:
    return lambda cancelled: Transport(cancelled=cancelled, ca_file=path)


def test_a_certificate_of_a_configured_authority_is_trusted(ca_file: Path) -> None:
    tls = loopback_tls(AUTHORITY)
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
        misbehaving(always(EMPTY_LIST), tls=server_tls(issued)) as server,
        rig(server.endpoint, uniform=without_pause, make_transport=trusting(ca_file)) as made,
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
    tls = loopback_tls(AUTHORITY)

    def transport(cancelled: Event) -> Transport:
        return Transport(cancelled=cancelled, proxy_from_environment=True)

    with (
        misbehaving(always(EMPTY_LIST), tls=tls) as server,
        rig(server.endpoint, uniform=without_pause, make_transport=transport) as made,
        pytest.raises(Unreachable, match="unable to get local issuer certificate"),
    ):
        made.client.list_shards("orders")
