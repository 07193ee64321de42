"""Observations of a client of each injected fault, and the requests that meet it."""

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit

import pytest
import requests

from tests.support import faults
from tests.support.exchange import Fault
from tests.support.faulty_simulator import FaultySimulator
from tests.support.simulator_worlds import small_world
from tests.support.wait import wait_for

GROUP_PATH = "/logstores/orders/consumergroups/billing"
HOST = {"Host": "shop.127.0.0.1"}


@pytest.fixture
def simulator() -> Iterator[FaultySimulator]:
    _, world = small_world()
    with FaultySimulator(world, check_signatures=False) as simulator:
        yield simulator


def get(
    simulator: FaultySimulator, path: str = GROUP_PATH, timeout: float = 10.0
) -> requests.Response:
    return requests.get(
        simulator.endpoint + path, headers=HOST, timeout=timeout, allow_redirects=False
    )


def raw(simulator: FaultySimulator) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection(urlsplit(simulator.endpoint).netloc, timeout=10)
    connection.request("GET", GROUP_PATH, headers=HOST)
    return connection


@pytest.mark.parametrize("status", [401, 403, 429, 500, 502, 503])
def test_injected_error_response_has_any_status_and_code(
    simulator: FaultySimulator, status: int
) -> None:
    simulator.faults.add(faults.ErrorAnswer(status=status, code="Odd", message="so it is"))
    response = get(simulator)
    assert response.status_code == status
    assert response.json() == {"errorCode": "Odd", "errorMessage": "so it is"}
    assert simulator.requests[0].status == status


@pytest.mark.parametrize("status", [200, 502])
def test_html_has_the_given_status_and_its_content_type(
    simulator: FaultySimulator, status: int
) -> None:
    simulator.faults.add(faults.Html(status=status))
    response = get(simulator)
    assert (response.status_code, response.headers["Content-Type"]) == (status, "text/html")
    assert response.text.startswith("<html>")


@pytest.mark.parametrize("text", ["", "not JSON", '{"a": [1]}'])
def test_body_is_the_given_text(simulator: FaultySimulator, text: str) -> None:
    simulator.faults.add(faults.Body(text=text))
    response = get(simulator)
    assert (response.status_code, response.text) == (200, text)


def test_redirect_has_its_status_and_location(simulator: FaultySimulator) -> None:
    simulator.faults.add(faults.Redirect(location="http://127.0.0.1:1/"))
    response = get(simulator)
    assert (response.status_code, response.headers["Location"]) == (302, "http://127.0.0.1:1/")


@pytest.mark.parametrize("fault", [faults.Truncated(), faults.GarbledChunks()], ids=str)
def test_body_that_breaks_off_cannot_be_read(simulator: FaultySimulator, fault: Fault) -> None:
    simulator.faults.add(fault)
    connection = raw(simulator)
    with (
        closing(connection),
        connection.getresponse() as response,
        pytest.raises(http.client.IncompleteRead),
    ):
        response.read()


def test_reset_resets_the_connection(simulator: FaultySimulator) -> None:
    simulator.faults.add(faults.Reset())
    connection = raw(simulator)
    with pytest.raises(ConnectionResetError):
        connection.getresponse()
    connection.close()
    assert simulator.requests[0].status == 0


def test_close_ends_the_connection_without_a_response(simulator: FaultySimulator) -> None:
    simulator.faults.add(faults.Close())
    connection = raw(simulator)
    with pytest.raises(http.client.RemoteDisconnected):
        connection.getresponse()
    connection.close()


def test_client_runs_into_its_timeout(simulator: FaultySimulator) -> None:
    simulator.faults.add(faults.Hang())
    connection = http.client.HTTPConnection(urlsplit(simulator.endpoint).netloc, timeout=0.3)
    connection.request("GET", GROUP_PATH, headers=HOST)
    with pytest.raises(TimeoutError):
        connection.getresponse()
    connection.close()


@pytest.mark.parametrize(
    "fault",
    [
        faults.Hang(),
        faults.Delay(seconds=60.0),
        faults.DelayUntil(event=threading.Event()),
    ],
)
def test_held_response_arrives_when_its_cause_is_removed(
    simulator: FaultySimulator, fault: Fault
) -> None:
    planned = simulator.faults.add(fault)
    connection = raw(simulator)
    wait_for(lambda: simulator.requests)
    simulator.faults.remove(planned)
    assert connection.getresponse().read().startswith(b'[{"shard": 0')
    connection.close()


def test_delayed_response_is_late_but_complete(simulator: FaultySimulator) -> None:
    simulator.faults.add(faults.Delay(seconds=0.2))
    started = time.monotonic()
    assert get(simulator).status_code == 200
    assert time.monotonic() - started >= 0.2


def test_response_can_wait_for_an_event(simulator: FaultySimulator) -> None:
    event = threading.Event()
    simulator.faults.add(faults.DelayUntil(event=event))
    connection = raw(simulator)
    wait_for(lambda: simulator.requests)
    event.set()
    assert connection.getresponse().status == 200
    connection.close()


def test_a_garbage_status_line_is_not_http(simulator: FaultySimulator) -> None:
    simulator.faults.add(faults.GarbageStatusLine())
    connection = raw(simulator)
    with pytest.raises(http.client.BadStatusLine):
        connection.getresponse()
    connection.close()


def test_injected_fault_affects_only_requests_in_its_scope(simulator: FaultySimulator) -> None:
    simulator.faults.add(
        faults.ErrorAnswer(status=503, code="ServerBusy"),
        operation="GetCursor",
        project="shop",
        logstore="orders",
        shard=0,
    )
    assert get(simulator).status_code == 200
    assert get(simulator, "/logstores/orders/shards/0?type=cursor&from=end").status_code == 503
    assert get(simulator, "/logstores/orders/shards/1?type=cursor&from=end").status_code == 400


def test_injected_fault_can_be_limited_to_a_consumer_group(simulator: FaultySimulator) -> None:
    simulator.world.create_group("shop", "orders", "other")
    simulator.faults.add(faults.Html(), consumer_group="other")
    assert get(simulator).status_code == 200
    assert get(simulator, "/logstores/orders/consumergroups/other").status_code == 502


def test_injected_fault_can_be_limited_to_a_number_of_requests(simulator: FaultySimulator) -> None:
    simulator.faults.add(faults.Html(), times=2)
    assert [get(simulator).status_code for _ in range(3)] == [502, 502, 200]


def test_first_injected_fault_that_matches_applies(simulator: FaultySimulator) -> None:
    simulator.faults.add(faults.Html(status=500), operation="ListShards")
    simulator.faults.add(faults.Html(status=501))
    simulator.faults.add(faults.Html(status=502))
    assert get(simulator).status_code == 501
    simulator.faults.clear()
    assert get(simulator).status_code == 200


def test_a_request_that_meets_an_error_changes_nothing(simulator: FaultySimulator) -> None:
    simulator.faults.add(faults.ErrorAnswer(status=500, code="InternalServerError"), times=1)
    requests.delete(simulator.endpoint + GROUP_PATH, headers=HOST, timeout=10)
    assert get(simulator).status_code == 200


@pytest.mark.parametrize(
    "fault",
    [
        faults.Hang(),
        faults.Delay(seconds=600.0),
        faults.DelayUntil(event=threading.Event()),
    ],
)
def test_closing_does_not_wait_for_what_hangs(fault: Fault) -> None:
    _, world = small_world()
    simulator = FaultySimulator(world, check_signatures=False)
    simulator.start()
    simulator.faults.add(fault)
    connection = raw(simulator)
    wait_for(lambda: simulator.requests)
    started = time.monotonic()
    simulator.close()
    assert time.monotonic() - started < 2.0
    connection.close()


def test_closing_does_not_wait_for_silent_connections() -> None:
    _, world = small_world()
    simulator = FaultySimulator(world)
    simulator.start()
    connection = http.client.HTTPConnection(urlsplit(simulator.endpoint).netloc, timeout=10)
    connection.connect()
    wait_for(lambda: simulator.connections == 1)
    started = time.monotonic()
    simulator.close()
    assert time.monotonic() - started < 2.0
    connection.close()
