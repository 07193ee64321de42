"""The times of retries, until something has been read for the first time."""

import pytest
from msgspec.structs import replace

from exporter.model.snapshot import Failure
from exporter.polling.failures import failure_of, first_read_seconds, retry_seconds
from exporter.sls.errors import (
    InvalidResponse,
    NoCredentials,
    SlsError,
    TimedOut,
    Unreachable,
    api_error,
)
from tests.support.snapshots import group, target

NETWORK = Failure(code="connection", message="refused", since=1000.0)
REFUSAL = Failure(code="Unauthorized", message="denied", since=1000.0, is_refusal=True)


def waits(failure: Failure, *, count: int) -> list[float]:
    """Return the pauses between attempts that all fail immediately."""
    now, found = failure.since, []
    for _ in range(count):
        found.append(retry_seconds(failure, now))
        now += found[-1]
    return found


def test_retries_of_a_passing_failure_double_up_to_ten_seconds() -> None:
    assert waits(NETWORK, count=8) == [1.0, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0, 10.0]


def test_retries_of_a_refusal_are_rarer() -> None:
    assert waits(REFUSAL, count=7) == [30.0, 30.0, 60.0, 120.0, 240.0, 300.0, 300.0]


def test_retry_stays_within_its_bounds_after_a_clock_jump() -> None:
    assert retry_seconds(NETWORK, 0.0) == 1.0
    assert retry_seconds(NETWORK, 1e9) == 10.0


def refused(status: int, code: str) -> SlsError:
    return api_error(
        operation="ListLogStores", status=status, code=code, message="no", request_id="r"
    )


@pytest.mark.parametrize(
    "error",
    [
        refused(401, "Unauthorized"),
        refused(403, "ProjectForbidden"),
        refused(404, "ProjectNotExist"),
        refused(400, "ParameterInvalid"),
    ],
)
def test_refusal_does_not_pass_by_itself(error: SlsError) -> None:
    assert failure_of(error, since=1.0).is_refusal


@pytest.mark.parametrize(
    "error",
    [
        refused(403, "ReadQuotaExceed"),
        refused(429, "TooMany"),
        refused(503, "ServerBusy"),
        refused(500, "InternalServerError"),
        Unreachable("reset", operation="ListLogStores"),
        TimedOut("late", operation="ListLogStores"),
        InvalidResponse("HTML", operation="ListLogStores", status=200),
        NoCredentials("none", operation="ListLogStores"),
    ],
)
def test_failure_that_can_pass_is_not_a_refusal(error: SlsError) -> None:
    assert not failure_of(error, since=1.0).is_refusal


@pytest.mark.parametrize(
    ("operation", "action"),
    [
        ("ListProject", "log:ListProject"),
        ("ListLogStores", "log:ListLogStores"),
        ("ListConsumerGroup", "log:ListConsumerGroup"),
        ("GetCheckPoint", "log:GetConsumerGroupCheckPoint"),
    ],
)
def test_remedy_of_a_refusal_names_the_missing_permission(operation: str, action: str) -> None:
    error = api_error(
        operation=operation, status=401, code="Unauthorized", message="no", request_id="r"
    )
    assert action in (failure_of(error, since=1.0).remedy or "").rstrip(".").split()


def test_logstore_is_polled_again_soon_until_a_group_has_been_read() -> None:
    unread = group(failure=NETWORK, has_snapshot=False)
    denied = group(failure=REFUSAL, has_snapshot=False, name="denied")
    assert first_read_seconds(target(unread), 1004.0) == 4.0
    assert first_read_seconds(target(denied, unread), 1004.0) == 4.0
    assert first_read_seconds(target(denied), 1004.0) is None
    assert first_read_seconds(target(group(name="read"), unread), 1004.0) is None
    assert first_read_seconds(target(replace(unread, last_success=900.0)), 1004.0) is None
