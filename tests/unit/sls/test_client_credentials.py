"""The client of SLS with temporary credentials: renewed once when the service rejects them."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from exporter.base.clock import SYSTEM_CLOCK
from exporter.simulator.world import World
from exporter.sls.errors import AccessDenied, Cancelled, NoCredentials
from tests.support.credential_servers import SECRET, Helper, Reply, issued, serving
from tests.support.faults import ErrorAnswer
from tests.support.faulty_simulator import FaultySimulator
from tests.support.held_clock import HeldClock
from tests.support.providers import provider
from tests.support.sls_client import Rig, rig
from tests.support.wait import wait_for

EXPIRED = ErrorAnswer(status=401, code="SecurityTokenExpired", message="Specified token is expired")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    helper: Helper
    simulator: FaultySimulator
    held: HeldClock
    stop: threading.Event
    made: Rig

    def poll(self) -> list[str | None]:
        """Return the codes of the attempts."""
        self.made.notes.ended.clear()
        self.made.client.list_shards("orders")
        return [code for _, code in self.made.notes.ended]


@contextmanager
def scene(*, accepted: int = 9) -> Iterator[Scene]:
    held, stop = HeldClock(SYSTEM_CLOCK.wall()), threading.Event()
    world = World(wall=held.wall)
    world.create_project("shop")
    world.create_logstore("shop", "orders", shards=1)
    keys = [issued(number) for number in range(1, accepted + 1)]
    with (
        serving(Helper(wall=held.wall)) as helper,
        FaultySimulator(world, credentials=keys, check_clock=False) as simulator,
        rig(
            simulator.endpoint,
            credentials=provider(None, helper.environ(), clock=held.clock, cancelled=stop),
            uniform=lambda _, __: 0.0,
        ) as made,
    ):
        yield Scene(helper=helper, simulator=simulator, held=held, stop=stop, made=made)


def test_requests_are_signed_with_the_security_token() -> None:
    with scene() as found:
        assert found.poll() == [None]
        assert found.poll() == [None]
        assert found.helper.given == 1


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("SecurityTokenExpired", "Specified token is expired"),
        ("SecurityTokenInvalid", "no text"),
        ("SLSSecurityTokenExpired", "no text"),
        ("InvalidSecurityToken.Expired", "no text"),
        ("InvalidAccessKeyId", "The access key ID you provided does not exist"),
        ("InvalidAccessKeyId.NotFound", "no text"),
        ("Unauthorized", "The security token you provided has Expired"),
        ("Unauthorized", "The security token you provided is invalid"),
        ("Unauthorized", "AccessKeyId not found: STS.1"),
        ("Unauthorized", "AccessKeyId STS.1 is disabled"),
    ],
)
def test_rejected_credentials_are_renewed_once_and_the_request_signed_again(
    code: str, message: str
) -> None:
    answer = ErrorAnswer(status=401, code=code, message=message)
    with scene() as found:
        found.poll()
        found.held.advance(60)
        found.simulator.faults.add(answer, times=1)
        assert found.poll() == [code.removeprefix("SLS"), None]
        assert found.helper.given == 2
        found.simulator.accept_credentials([issued(2)])
        assert found.poll() == [None]


def test_a_token_that_stays_expired_is_not_renewed_again_and_again() -> None:
    with scene() as found:
        found.poll()
        found.held.advance(60)
        found.simulator.faults.add(EXPIRED)
        with pytest.raises(AccessDenied):
            found.poll()
        codes = [code for _, code in found.made.notes.ended]
        assert codes == ["SecurityTokenExpired", "SecurityTokenExpired"]
        assert found.helper.given == 2


def test_a_renewal_that_fails_leaves_the_services_own_error() -> None:
    with scene() as found:
        found.poll()
        found.held.advance(60)
        found.simulator.faults.add(EXPIRED)
        found.helper.refusal = Reply(status=503, body=b"")
        with pytest.raises(AccessDenied, match="Specified token is expired"):
            found.poll()
        assert len(found.made.notes.ended) == 1


@pytest.mark.parametrize(
    "answer",
    [
        ErrorAnswer(
            status=401,
            code="Unauthorized",
            message="denied by sts or ram, action: log:ListShards, resource: token/invalid",
        ),
        ErrorAnswer(
            status=401, code="Unauthorized", message="AccessKeyId has no permission: invalid"
        ),
        ErrorAnswer(status=401, code="Unauthorized", message="The project does not belong to you."),
        ErrorAnswer(status=401, code="MissingSecurityToken", message="token is missing"),
        ErrorAnswer(status=401, code="SignatureNotMatch", message="token expired"),
        ErrorAnswer(status=403, code="ProjectForbidden", message="token expired"),
    ],
)
def test_credentials_are_not_renewed_after_other_refusals(answer: ErrorAnswer) -> None:
    with scene() as found:
        found.poll()
        found.held.advance(60)
        found.simulator.faults.add(answer)
        with pytest.raises(AccessDenied):
            found.poll()
        assert found.helper.given == 1


def test_rejection_of_revoked_credentials_is_over_with_the_next_request() -> None:
    """The simulator checks signatures, and knows only the second key."""
    with scene() as found:
        found.poll()
        found.simulator.accept_credentials([issued(2)])
        found.held.advance(60)
        assert found.poll() == ["Unauthorized", None]
        assert found.poll() == [None]
        assert found.helper.given == 2


def test_concurrent_requests_with_rejected_credentials_cause_one_fetch() -> None:
    with scene() as found:
        found.poll()
        found.simulator.accept_credentials([issued(2)])
        found.held.advance(60)
        found.helper.gate.clear()
        with ThreadPoolExecutor(8) as pool:
            calls = [pool.submit(found.made.client.list_shards, "orders") for _ in range(8)]
            wait_for(lambda: [c for _, c in found.made.notes.ended].count("Unauthorized") == 8)
            found.helper.gate.set()
            assert all(call.result(10).entries for call in calls)
        assert found.helper.given == 2


def test_credentials_that_stay_rejected_cause_one_fetch_per_rest_time() -> None:
    with scene() as found:
        found.poll()
        found.simulator.accept_credentials([issued(9)])
        found.held.advance(60)
        for _ in range(10):
            with pytest.raises(AccessDenied):
                found.poll()
            found.held.advance(2)
        assert found.helper.given == 3


def test_source_that_repeats_rejected_credentials_causes_no_second_request() -> None:
    """The metadata of an instance return the same credentials for hours."""
    with scene() as found:
        found.poll()
        found.helper.given = 0
        found.simulator.accept_credentials([])
        found.held.advance(60)
        with pytest.raises(AccessDenied):
            found.poll()
        assert [code for _, code in found.made.notes.ended] == ["Unauthorized"]


def test_without_credentials_no_request_is_sent_and_the_next_one_fetches_them_again() -> None:
    with scene() as found:
        found.helper.refusal = Reply(status=503, body=f"{SECRET}".encode())
        with pytest.raises(NoCredentials) as raised:
            found.poll()
        assert str(raised.value) == (
            f"ListShards: credentials: credentials URI at {found.helper.url}:"
            " refused with status 503"
        )
        assert found.made.notes.ended == [("ListShards", "credentials")]
        assert found.simulator.requests == []
        found.helper.refusal = None
        found.held.advance(2)
        assert found.poll() == [None]


def test_a_stop_during_a_credentials_fetch_does_not_count_as_a_failure() -> None:
    with scene() as found:
        found.helper.gate.clear()
        raised: list[BaseException] = []

        def poll() -> None:
            try:
                found.poll()
            except Cancelled as error:
                raised.append(error)

        thread = threading.Thread(target=poll)
        thread.start()
        wait_for(lambda: found.helper.asked)
        found.made.cancelled.set()
        found.stop.set()
        thread.join(10)
        assert [str(error) for error in raised] == [
            "ListShards: cancelled: the exporter is stopping"
        ]
