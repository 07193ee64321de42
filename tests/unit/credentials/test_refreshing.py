"""Renewal of temporary credentials: before expiry, once for all callers, with a fallback."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import pytest

from exporter.credentials.fetcher import Fetcher
from exporter.credentials.providers import Provider
from exporter.credentials.refreshing import RefreshingCredentials
from exporter.credentials.temporary import Temporary
from exporter.logs.logger import get_logger
from exporter.model.credentials import CredentialsUnavailableError, Refreshable
from tests.support.credential_servers import SECRET, Helper, Reply, issued, serving, told
from tests.support.held_clock import HeldClock
from tests.support.providers import provider
from tests.support.wait import wait_for

NOW = 1_700_000_000.0
DOWN = Reply(status=503, body=b"")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rig:
    helper: Helper
    held: HeldClock
    cancelled: threading.Event
    credentials: Provider

    def refresh(self, rejected: int = 1) -> bool:
        """Report that the service rejects the credentials with this number."""
        assert isinstance(self.credentials, Refreshable)
        return self.credentials.refresh(issued(rejected))


@pytest.fixture
def rig(caplog: pytest.LogCaptureFixture) -> Iterator[Rig]:
    caplog.set_level("DEBUG", "exporter.credentials")
    held, cancelled = HeldClock(NOW), threading.Event()
    with serving(Helper(wall=held.wall)) as helper:
        yield Rig(
            helper=helper,
            held=held,
            cancelled=cancelled,
            credentials=provider(None, helper.environ(), clock=held.clock, cancelled=cancelled),
        )


def test_sources_get_no_request_before_credentials_are_needed(rig: Rig) -> None:
    assert rig.helper.asked == []


def test_credentials_are_fetched_once_and_reused_until_their_renewal_is_due(rig: Rig) -> None:
    for _ in range(5):
        assert rig.credentials() == issued(1)
    rig.held.advance(2699)
    assert rig.credentials() == issued(1)
    assert len(rig.helper.asked) == 1


@pytest.mark.parametrize(("lifetime", "renewed_after"), [(3600, 2700), (7200, 6300), (1200, 900)])
def test_renewal_begins_15_minutes_before_the_end_or_at_a_quarter_of_the_time(
    rig: Rig, lifetime: float, renewed_after: float
) -> None:
    rig.helper.lifetime = lifetime
    assert rig.credentials() == issued(1)
    rig.held.advance(renewed_after - 1)
    rig.credentials()
    rig.held.advance(1)
    wait_for(lambda: rig.credentials() == issued(2))
    assert len(rig.helper.asked) == 2


def test_no_caller_waits_for_a_renewal_while_the_old_ones_are_valid(rig: Rig) -> None:
    assert rig.credentials() == issued(1)
    rig.helper.gate.clear()
    rig.held.advance(3599)
    for _ in range(10):
        assert rig.credentials() == issued(1)
    wait_for(lambda: len(rig.helper.asked) == 2)
    rig.helper.gate.set()
    wait_for(lambda: rig.credentials() == issued(2))
    assert len(rig.helper.asked) == 2


def test_concurrent_callers_share_one_fetch(rig: Rig) -> None:
    rig.helper.gate.clear()
    with ThreadPoolExecutor(20) as pool:
        calls = [pool.submit(rig.credentials) for _ in range(20)]
        wait_for(lambda: len(rig.helper.asked) == 1)
        rig.helper.gate.set()
        assert [call.result(10) for call in calls] == [issued(1)] * 20
    assert len(rig.helper.asked) == 1


def test_old_credentials_are_kept_while_a_renewal_fails_with_one_log_line(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    assert rig.credentials() == issued(1)
    rig.helper.refusal = DOWN
    rig.held.advance(2700)
    for asked in (2, 3, 4):
        assert rig.credentials() == issued(1)
        wait_for(lambda asked=asked: len(told(caplog)) == asked)  # type: ignore[misc]  # bound now
        rig.held.advance(60)
    rig.helper.refusal = None
    wait_for(lambda: rig.credentials() == issued(2))
    wait_for(lambda: len(told(caplog)) == 5)
    source = f"credentials URI at {rig.helper.url}"
    down = {"source": source, "error": "refused with status 503"}
    assert told(caplog) == [
        (
            "DEBUG",
            "credentials fetched",
            {"source": source, "valid_until": "2023-11-14T23:13:20Z"},
        ),
        ("WARNING", "credentials cannot be fetched", down),
        ("DEBUG", "credentials cannot be fetched", down),
        ("DEBUG", "credentials cannot be fetched", down),
        (
            "INFO",
            "credentials fetched",
            {"source": source, "valid_until": "2023-11-15T00:01:20Z"},
        ),
    ]
    assert SECRET not in caplog.text


def test_expired_credentials_are_not_used(rig: Rig) -> None:
    assert rig.credentials() == issued(1)
    rig.helper.refusal = DOWN
    rig.held.advance(3600)
    with pytest.raises(CredentialsUnavailableError, match="refused with status 503"):
        rig.credentials()
    rig.helper.refusal = None
    rig.held.advance(2)
    assert rig.credentials() == issued(2)


def test_a_source_that_fails_is_retried_at_growing_intervals(rig: Rig) -> None:
    rig.helper.refusal = DOWN
    asked_at: list[float] = []
    for second in range(300):
        with pytest.raises(CredentialsUnavailableError):
            rig.credentials()
        if len(rig.helper.asked) > len(asked_at):
            asked_at.append(second)
        rig.held.advance(1)
    gaps = [later - earlier for earlier, later in pairwise(asked_at)]
    # Each is at random between half and the whole of 2, 4, 8, 16, 32 and then 60 seconds.
    longest = [2, 4, 8, 16, 32, *[60] * 10]
    for gap, most in zip(gaps, longest, strict=False):
        assert most / 2 <= gap <= most + 1
    assert len(gaps) >= 8


def test_a_caller_does_not_wait_longer_than_its_patience(rig: Rig) -> None:
    rig.helper.gate.clear()
    started = time.monotonic()
    with pytest.raises(CredentialsUnavailableError, match="no complete response within 5 s"):
        rig.credentials()
    assert 4.5 < time.monotonic() - started < 7


def test_a_stop_ends_every_wait(rig: Rig) -> None:
    rig.helper.gate.clear()
    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(rig.credentials) for _ in range(2)]
        wait_for(lambda: len(rig.helper.asked) == 1)
        started = time.monotonic()
        rig.cancelled.set()
        for call in calls:
            with pytest.raises(
                CredentialsUnavailableError, match=r"still being fetched|the exporter is stopping"
            ):
                call.result(10)
    assert time.monotonic() - started < 2


def test_credentials_that_the_service_rejects_are_fetched_again(rig: Rig) -> None:
    assert rig.credentials() == issued(1)
    rig.held.advance(10)
    assert rig.refresh()
    assert rig.credentials() == issued(2)


def test_many_callers_that_report_a_rejection_cause_one_fetch(rig: Rig) -> None:
    assert rig.credentials() == issued(1)
    rig.held.advance(10)
    rig.helper.gate.clear()
    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(rig.refresh) for _ in range(8)]
        wait_for(lambda: len(rig.helper.asked) == 2)
        rig.helper.gate.set()
        assert [call.result(10) for call in calls] == [True] * 8
    assert rig.credentials() == issued(2)
    assert len(rig.helper.asked) == 2


@pytest.mark.parametrize("later", [9, 60])
def test_a_caller_that_reports_a_rejection_late_gets_the_new_credentials(
    rig: Rig, later: float
) -> None:
    assert rig.credentials() == issued(1)
    rig.held.advance(10)
    assert rig.refresh()
    rig.held.advance(later)
    assert rig.refresh()
    assert len(rig.helper.asked) == 2


def test_new_credentials_that_are_rejected_too_are_fetched_again_after_a_rest(rig: Rig) -> None:
    assert rig.credentials() == issued(1)
    rig.held.advance(10)
    assert rig.refresh()
    rig.held.advance(9)
    assert not rig.refresh(2)
    rig.held.advance(1)
    assert rig.refresh(2)
    assert rig.credentials() == issued(3)
    assert len(rig.helper.asked) == 3


def test_old_credentials_are_kept_if_there_are_no_newer_ones(rig: Rig) -> None:
    assert rig.credentials() == issued(1)
    rig.helper.refusal = DOWN
    rig.held.advance(10)
    assert not rig.refresh()
    assert not rig.refresh()
    assert rig.credentials() == issued(1)
    assert len(rig.helper.asked) == 2


class Broken:
    """An unexpected error inside a source."""

    description = "broken"

    def fetch(self, fetcher: Fetcher, *, now: float) -> Temporary:
        raise ZeroDivisionError(f"{SECRET} {fetcher} {now}")


def test_an_unexpected_error_in_a_fetch_leaves_no_thread_waiting() -> None:
    held = HeldClock(NOW)
    credentials = RefreshingCredentials(
        Broken(),
        make_fetcher=lambda: Fetcher(cancelled=threading.Event()),
        clock=held.clock,
        cancelled=threading.Event(),
        log=get_logger("exporter.credentials"),
    )
    for _ in range(2):
        with pytest.raises(
            CredentialsUnavailableError, match="broken: internal error: Zero"
        ) as raised:
            credentials()
        assert SECRET not in str(raised.value)
        held.advance(60)


def test_refresh_leaves_no_thread(rig: Rig) -> None:
    rig.credentials()
    wait_for(
        lambda: not [thread for thread in threading.enumerate() if thread.name == "credentials"]
    )
