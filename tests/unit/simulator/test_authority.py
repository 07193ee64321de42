"""Keys, signatures, clocks and permissions at the simulated service."""

import pytest
import requests

from exporter.config.schema import Signature
from exporter.model.credentials import Credentials
from exporter.simulator.server import DEFAULT_CREDENTIALS, Simulator
from exporter.simulator.world import World
from tests.support.simulator_client import Client, error_of
from tests.support.simulator_worlds import START

GROUP_PATH = "/logstores/orders/consumergroups/billing"
SHARD_PATH = "/logstores/orders/shards/0"
VERSIONS: list[Signature] = ["v1", "v4"]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_wrong_secret_is_401_signature_not_match(client: Client, version: Signature) -> None:
    client.version = version
    assert client.get(GROUP_PATH).status_code == 200
    client.credentials = Credentials(access_key_id="simulator-key", access_key_secret="wrong")
    assert error_of(client.get(GROUP_PATH)) == (401, "SignatureNotMatch")


@pytest.mark.parametrize("version", VERSIONS)
def test_an_unknown_key_is_401_unauthorized(client: Client, version: Signature) -> None:
    client.version = version
    client.credentials = Credentials(access_key_id="stranger", access_key_secret="x")
    assert error_of(client.get(GROUP_PATH)) == (401, "Unauthorized")


@pytest.mark.parametrize("version", VERSIONS)
def test_signatures_cover_queries_with_special_characters(
    client: Client, version: Signature
) -> None:
    client.version = version
    response = client.get("/logstores", logstoreName="a b/ü=&+~", offset=0, size=10)
    assert response.json() == {"count": 0, "total": 0, "logstores": []}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_temporary_key_needs_its_token(
    client: Client, simulator: Simulator, version: Signature
) -> None:
    key = Credentials(access_key_id="sts", access_key_secret="s", security_token="token")
    simulator.accept_credentials([key])
    client.version = version
    client.credentials = key
    assert client.get(GROUP_PATH).status_code == 200
    client.credentials = Credentials(
        access_key_id="sts", access_key_secret="s", security_token="stale"
    )
    assert error_of(client.get(GROUP_PATH)) == (401, "Unauthorized")
    client.credentials = Credentials(access_key_id="sts", access_key_secret="s")
    assert error_of(client.get(GROUP_PATH)) == (401, "Unauthorized")
    client.credentials = DEFAULT_CREDENTIALS
    assert error_of(client.get(GROUP_PATH)) == (401, "Unauthorized")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("skew", "status"), [(900.0, 200), (-900.0, 200), (901.0, 400), (-901.0, 400)]
)
def test_a_clock_beyond_fifteen_minutes_is_too_skewed(
    client: Client, version: Signature, skew: float, status: int
) -> None:
    client.version = version
    client.wall = lambda: START + skew
    response = client.get(GROUP_PATH)
    assert response.status_code == status
    if status == 400:
        assert response.json()["errorCode"] == "RequestTimeTooSkewed"


def test_wrong_date_is_accepted_without_check_clock(world: World) -> None:
    with (
        Simulator(world, check_clock=False) as simulator,
        Client(simulator=simulator, wall=lambda: 0.0) as client,
    ):
        assert client.get(GROUP_PATH).status_code == 200


def test_a_request_without_a_signature_is_401(simulator: Simulator) -> None:
    headers = {"Host": "shop.127.0.0.1"}
    response = requests.get(simulator.endpoint + GROUP_PATH, headers=headers, timeout=10)
    assert error_of(response) == (401, "Unauthorized")


@pytest.mark.parametrize(
    ("version", "answer"),
    [("v1", (400, "InvalidContentMD5")), ("v4", (401, "SignatureNotMatch"))],
)
def test_a_body_that_was_changed_on_the_way_is_refused(
    client: Client, simulator: Simulator, version: Signature, answer: tuple[int, str]
) -> None:
    client.version = version
    params = {"type": "heartbeat", "consumer": "c1"}
    signed = client.send(GROUP_PATH, method="POST", params=params, body=b"[0]")
    assert signed.status_code == 200
    changed = requests.post(
        f"{simulator.endpoint}{GROUP_PATH}?type=heartbeat&consumer=c1",
        data=b"[1]",
        headers=dict(signed.request.headers),
        timeout=10,
    )
    assert error_of(changed) == answer


@pytest.mark.parametrize(
    ("version", "header", "value", "answer"),
    [
        ("v1", "Date", None, (400, "MissingDate")),
        ("v4", "x-log-date", None, (401, "SignatureNotMatch")),
        ("v4", "x-log-date", "20200101T000000Z", (401, "SignatureNotMatch")),
        ("v1", "x-log-bodyrawsize", "7", (401, "SignatureNotMatch")),
        ("v4", "Host", "shop.localhost", (401, "SignatureNotMatch")),
    ],
)
def test_a_signed_header_that_is_missing_or_changed_is_refused(
    client: Client,
    version: Signature,
    header: str,
    value: str | None,
    answer: tuple[int, str],
) -> None:
    client.version = version
    prepared = client.get(GROUP_PATH).request
    if value is None:
        del prepared.headers[header]
    else:
        prepared.headers[header] = value
    assert error_of(client.session.send(prepared, timeout=10)) == answer


def test_an_unreadable_date_is_400(world: World) -> None:
    with Simulator(world, check_signatures=False) as simulator:
        headers = {"Host": "shop.127.0.0.1", "Date": "yesterday"}
        response = requests.get(simulator.endpoint + GROUP_PATH, headers=headers, timeout=10)
    assert error_of(response) == (400, "InvalidDateFormat")


def test_permission_can_be_revoked_and_restored(client: Client, simulator: Simulator) -> None:
    simulator.deny("GetCursor")
    query = {"type": "cursor", "from": "end"}
    assert error_of(client.send(SHARD_PATH, params=query)) == (401, "Unauthorized")
    assert client.get(GROUP_PATH).status_code == 200
    simulator.allow("GetCursor")
    assert client.send(SHARD_PATH, params=query).status_code == 200
