"""Secrets that the service, or a proxy in front of it, repeats in a response."""

from collections.abc import Callable, Mapping
from urllib.parse import quote

import pytest

from exporter.config.schema import Signature
from exporter.model.credentials import Credentials
from exporter.simulator.wire import Response, json_response
from exporter.simulator.world import World
from exporter.sls.errors import SlsError
from tests.support.faults import Echo
from tests.support.faulty_simulator import FaultySimulator
from tests.support.sls_client import rig

KEYS = Credentials(
    access_key_id="STS.1",
    access_key_secret="Zq9/t+Hunter2SecretOfTheKey0123",
    security_token=f"CAISHunter2/{'token+' * 100}==",
)
Headers = Mapping[str, str]


def refusal(message: str, code: str = "Unauthorized", request_id: str = "66A1") -> Response:
    document = {"errorCode": code, "errorMessage": message}
    return json_response(401, document, {"x-log-requestid": request_id})


def page(text: str) -> Response:
    return Response(status=502, body=text.encode(), headers={"Content-Type": "text/html"})


ECHOES: dict[str, Callable[[Headers], Response]] = {
    "secret in the message": lambda _: refusal(f"bad secret {KEYS.access_key_secret}."),
    "token in the message": lambda got: refusal(f"token {got['x-acs-security-token']} is bad"),
    "authorization in the message": lambda got: refusal(f"refused: {got['authorization']}"),
    "all headers in the message": lambda got: refusal(f"denied by ram: {dict(got)}"),
    "percent-encoded": lambda got: refusal(
        "&".join(
            quote(text, safe="")
            for text in (
                KEYS.access_key_secret,
                got["x-acs-security-token"],
                got["authorization"],
            )
        )
    ),
    "truncated": lambda got: refusal(f"{'x ' * 120}{got['x-acs-security-token']}"),
    "as the code": lambda _: refusal("text", code="CAISHunter2token"),
    "as the request ID": lambda got: refusal("text", request_id=got["x-acs-security-token"]),
    "as a page": lambda got: page(f"{got['x-acs-security-token']} is not valid"),
    "as a page with the secret": lambda _: page(f"<p>{KEYS.access_key_secret}</p>"),
    "as a string": lambda _: Response(status=400, body=f'"{KEYS.access_key_secret}"'.encode()),
    "another token": lambda _: refusal(f"token CAISother{'Hunter2' * 20} is bad"),
    "another signature": lambda _: refusal("expected q83vEjRWeJCrze8SNFZ4kKvN7xI= as signature"),
    "another signature of version 4": lambda _: refusal(f"expected {'0a' * 32}"),
}
CODES = {"as the code": "other", "as a page": "invalid_response"}


@pytest.mark.parametrize("signature", ["v1", "v4"])
@pytest.mark.parametrize("name", ECHOES)
def test_echoed_secret_is_masked_in_the_error(name: str, signature: Signature) -> None:
    world, sent = World(wall=lambda: 1_700_000_000.0), list[str]()
    world.create_project("shop")
    world.create_logstore("shop", "orders", shards=1)

    def echo(headers: Headers) -> Response:
        sent.append(headers["authorization"].rpartition("=" if signature == "v4" else ":")[2])
        return ECHOES[name](headers)

    with (
        FaultySimulator(world, credentials=[KEYS], check_clock=False) as simulator,
        rig(simulator.endpoint, credentials=lambda: KEYS, signature=signature) as made,
    ):
        simulator.faults.add(Echo(make=echo))
        with pytest.raises(SlsError) as raised:
            made.client.list_shards("orders")
    error = raised.value
    shown = f"{error} {error!r} {error.args} {error.message} {error.request_id} {error.code}"
    shown += str(made.notes.ended)
    assert "Hunter2" not in shown
    assert "q83vEjRWeJ" not in shown
    assert "0a0a0a" not in shown
    assert not [each for each in sent if each in shown or quote(each, safe="") in shown]
    if code := CODES.get(name):
        assert error.code == code


def test_message_without_a_secret_is_unchanged() -> None:
    message = (
        "denied by sts or ram, action: log:GetConsumerGroupCheckPoint, resource: acs:log:"
        "cn-shanghai:1234567890123456:project/my-project/logstore/my-logstore/consumergroup/g, S.1"
    )
    world = World(wall=lambda: 1_700_000_000.0)
    world.create_project("shop")
    with (
        FaultySimulator(world, credentials=[KEYS], check_clock=False) as simulator,
        rig(simulator.endpoint, credentials=lambda: KEYS) as made,
    ):
        simulator.faults.add(Echo(make=lambda _: refusal(message)))
        with pytest.raises(SlsError) as raised:
            made.client.list_shards("orders")
    assert raised.value.message == message
    assert raised.value.request_id == "66A1"
