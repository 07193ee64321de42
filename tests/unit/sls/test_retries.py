"""Retries: their causes, number, intervals and signatures."""

import threading
import time

import pytest

from exporter.model.credentials import Credentials
from exporter.sls.errors import (
    AccessDenied,
    ApiError,
    BadRequest,
    Cancelled,
    InvalidCursor,
    InvalidResponse,
    NotFound,
    ServerFault,
    SlsError,
    Throttled,
    TimedOut,
    Unreachable,
)
from exporter.sls.request_rate import RequestRate
from tests.support.held_clock import HeldClock
from tests.support.misbehaving import (
    EMPTY_LIST,
    OK,
    Behaviour,
    Turn,
    always,
    answer,
    in_turn,
    misbehaving,
)
from tests.support.sls_client import rig, without_pause
from tests.support.wait import wait_for


def refusal(status: str, code: str) -> bytes:
    body = f'{{"errorCode":"{code}","errorMessage":"so it is"}}'
    return answer(body.encode(), "x-log-requestid: 5F1E", status=status)


def close(turn: Turn) -> None:
    turn.close()


def cut_off(turn: Turn) -> None:
    turn.send(OK + b"Content-Length: 100\r\n\r\n[")
    turn.close()


HTML = b"<html><body>Bad Gateway</body></html>"

WORTH_IT: list[tuple[Behaviour, type[SlsError], str]] = [
    (always(refusal("500 Oh", "InternalServerError")), ServerFault, "InternalServerError"),
    (always(refusal("500 Oh", "RequestTimeout")), ServerFault, "RequestTimeout"),
    (always(refusal("503 Busy", "Maintenance")), ServerFault, "Maintenance"),
    (always(answer(HTML, status="502 Bad Gateway")), InvalidResponse, "invalid_response"),
    (always(answer(b"", status="503 Busy")), InvalidResponse, "invalid_response"),
    (
        always(answer(b"x", "Content-Encoding: gzip", status="502 Bad Gateway")),
        InvalidResponse,
        "invalid_response",
    ),
    (close, Unreachable, "connection"),
    (cut_off, InvalidResponse, "invalid_response"),
]

NOT_WORTH_IT: list[tuple[bytes, type[SlsError], str]] = [
    (refusal("400 Bad", "RequestTimeExpired"), BadRequest, "RequestTimeExpired"),
    (refusal("400 Bad", "InvalidCursor"), InvalidCursor, "InvalidCursor"),
    (refusal("401 No", "SignatureNotMatch"), AccessDenied, "SignatureNotMatch"),
    (refusal("401 No", "Unauthorized"), AccessDenied, "Unauthorized"),
    (refusal("403 No", "ProjectForbidden"), AccessDenied, "ProjectForbidden"),
    (refusal("404 No", "ProjectNotExist"), NotFound, "ProjectNotExist"),
    (refusal("404 No", "ProjectNotExists"), NotFound, "ProjectNotExists"),
    (refusal("404 No", "LogStoreNotExist"), NotFound, "LogStoreNotExist"),
    (refusal("404 No", "ConsumerGroupNotExist"), NotFound, "ConsumerGroupNotExist"),
    (refusal("404 No", "ShardNotExist"), BadRequest, "ShardNotExist"),
    (answer(HTML), InvalidResponse, "invalid_response"),
    (answer(HTML, status="404 Not Found"), InvalidResponse, "invalid_response"),
    (answer(b'{"a": 1}'), InvalidResponse, "invalid_response"),
    (answer(b"", status="204 No Content"), InvalidResponse, "invalid_response"),
]


@pytest.mark.parametrize(("behaviour", "kind", "code"), WORTH_IT)
def test_temporary_failure_is_tried_three_times(
    behaviour: Behaviour, kind: type[SlsError], code: str
) -> None:
    with (
        misbehaving(behaviour) as server,
        rig(server.endpoint, uniform=without_pause) as made,
        pytest.raises(kind) as raised,
    ):
        made.client.list_shards("orders")
    assert (type(raised.value), raised.value.code) == (kind, code)
    assert len(server.requests) == 3
    assert made.notes.ended == [("ListShards", code)] * 3
    assert made.notes.retried == ["ListShards"] * 2


@pytest.mark.parametrize(("data", "kind", "code"), NOT_WORTH_IT)
def test_permanent_failure_is_tried_once(data: bytes, kind: type[SlsError], code: str) -> None:
    with (
        misbehaving(always(data)) as server,
        rig(server.endpoint, uniform=without_pause) as made,
        pytest.raises(kind) as raised,
    ):
        made.client.list_shards("orders")
    assert (type(raised.value), raised.value.code) == (kind, code)
    assert len(server.requests) == 1
    assert made.notes.retried == []


def test_a_refused_connection_is_tried_three_times() -> None:
    with misbehaving(close) as server:
        pass
    with (
        rig(server.endpoint, uniform=without_pause) as made,
        pytest.raises(Unreachable, match="ListShards: connection: ConnectionRefusedError"),
    ):
        made.client.list_shards("orders")
    assert made.notes.ended == [("ListShards", "connection")] * 3


def test_refusal_has_its_code_status_and_request_id() -> None:
    data = refusal("403 Forbidden", "ProjectForbidden")
    with (
        misbehaving(always(data)) as server,
        rig(server.endpoint) as made,
        pytest.raises(ApiError) as raised,
    ):
        made.client.get_checkpoints("orders", "billing")
    assert str(raised.value) == ("GetCheckPoint: 403 ProjectForbidden: so it is (request id 5F1E)")


def test_failed_request_is_retried_and_both_attempts_are_counted() -> None:
    behaviour = in_turn(always(refusal("500 Oh", "InternalServerError")), always(EMPTY_LIST))
    with misbehaving(behaviour) as server, rig(server.endpoint, uniform=without_pause) as made:
        assert made.client.list_shards("orders").entries == ()
    assert made.notes.ended == [("ListShards", "InternalServerError"), ("ListShards", None)]
    assert made.notes.retried == ["ListShards"]


@pytest.mark.parametrize(("signature", "header"), [("v1", "date"), ("v4", "x-log-date")])
def test_each_attempt_is_signed_with_the_newest_keys(signature: str, header: str) -> None:
    held = HeldClock(1_700_000_000.0)

    def fail_a_minute_later(turn: Turn) -> None:
        held.advance(60)
        turn.send(refusal("500 Oh", "InternalServerError"))

    def credentials() -> Credentials:
        return Credentials(access_key_id=f"key{held.wall():.0f}", access_key_secret="secret")

    with (
        misbehaving(fail_a_minute_later) as server,
        rig(
            server.endpoint,
            clock=held.clock,
            uniform=without_pause,
            signature="v4" if signature == "v4" else "v1",
            credentials=credentials,
        ) as made,
        pytest.raises(ServerFault),
    ):
        made.client.list_shards("orders")
    dates = [request.headers[header] for request in server.requests]
    assert (
        dates
        == {
            "v1": [f"Tue, 14 Nov 2023 22:{minute}:20 GMT" for minute in (13, 14, 15)],
            "v4": ["20231114T221320Z", "20231114T221420Z", "20231114T221520Z"],
        }[signature]
    )
    authorizations = [request.headers["authorization"] for request in server.requests]
    assert len(set(authorizations)) == 3
    for number, authorization in enumerate(authorizations):
        assert f"key{1_700_000_000 + 60 * number}" in authorization


def test_pauses_have_full_jitter_and_grow() -> None:
    asked: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        asked.append((low, high))
        return 0.0

    with (
        misbehaving(close) as server,
        rig(server.endpoint, uniform=uniform) as made,
        pytest.raises(Unreachable),
    ):
        made.client.list_shards("orders")
    assert asked[:2] == [(0.0, 0.4), (0.0, 0.8)]


def test_a_pause_that_would_end_too_late_is_not_begun() -> None:
    with (
        misbehaving(close) as server,
        rig(server.endpoint, timeout=1.0, uniform=lambda _, __: 1.0) as made,
    ):
        started = time.monotonic()
        with pytest.raises(Unreachable):
            made.client.list_shards("orders")
    assert time.monotonic() - started < 0.9
    assert len(server.requests) == 1


def test_a_try_without_a_place_in_time_is_not_made() -> None:
    throttle = RequestRate(0.5)  # the next slot is two seconds away
    with (
        misbehaving(close) as server,
        rig(server.endpoint, timeout=1.0, rate=throttle, uniform=without_pause) as made,
    ):
        started = time.monotonic()
        with pytest.raises(Unreachable):
            made.client.list_shards("orders")
    assert time.monotonic() - started < 0.9
    assert len(server.requests) == 1


def test_retry_waits_for_its_slot() -> None:
    arrived: list[float] = []

    def note(turn: Turn) -> None:
        arrived.append(time.monotonic())
        turn.close()

    with (
        misbehaving(note) as server,
        rig(server.endpoint, rate=RequestRate(2.0), uniform=without_pause) as made,
        pytest.raises(Unreachable),
    ):
        made.client.list_shards("orders")
    assert len(arrived) == 3
    assert arrived[2] - arrived[0] > 0.6, "1 s, unless the first arrived late"


def test_a_try_that_times_out_is_the_last() -> None:
    def hang(turn: Turn) -> None:
        turn.wait()

    with (
        misbehaving(hang) as server,
        rig(server.endpoint, timeout=0.3) as made,
        pytest.raises(TimedOut),
    ):
        made.client.list_shards("orders")
    assert len(server.requests) == 1


def test_a_try_that_times_out_does_not_hide_why_it_was_made() -> None:
    def hang(turn: Turn) -> None:
        turn.wait()

    behaviour = in_turn(always(refusal("503 Busy", "Maintenance")), hang)
    with (
        misbehaving(behaviour) as server,
        rig(server.endpoint, timeout=0.3, uniform=without_pause) as made,
        pytest.raises(ServerFault, match="503 Maintenance"),
    ):
        made.client.list_shards("orders")
    assert made.notes.ended == [("ListShards", "Maintenance"), ("ListShards", "timeout")]


# Refusals

REFUSED = {
    "TooMany": "429 Too Many Requests",
    "ReadQuotaExceed": "403 Forbidden",
    "ShardReadQuotaExceed": "403 Forbidden",
    "MetaOperationQpsLimitExceeded": "403 Forbidden",
    "ServerBusy": "503 Busy",
}


def fast_rate() -> RequestRate:
    return RequestRate(10_000.0, start=10_000.0)


@pytest.mark.parametrize(("code", "status"), REFUSED.items())
def test_refused_request_is_sent_again_without_using_up_attempts(code: str, status: str) -> None:
    refused = always(refusal(status, code))
    behaviour = in_turn(*[refused] * 5, always(EMPTY_LIST))
    rate = fast_rate()
    with misbehaving(behaviour) as server, rig(server.endpoint, rate=rate) as made:
        assert made.client.list_shards("orders").entries == ()
    assert made.notes.ended == [("ListShards", code)] * 5 + [("ListShards", None)]
    assert made.notes.retried == ["ListShards"] * 5
    assert rate.limit == 10_000.0 / 2**5


def test_refusals_between_failures_leave_three_attempts() -> None:
    refused = always(refusal("403 Forbidden", "ReadQuotaExceed"))
    failed = always(refusal("500 Oh", "InternalServerError"))
    behaviour = in_turn(failed, refused, failed, refused, failed)
    with (
        misbehaving(behaviour) as server,
        rig(server.endpoint, uniform=without_pause) as made,
        pytest.raises(ServerFault),
    ):
        made.client.list_shards("orders")
    assert len(server.requests) == 5


def test_refused_request_gets_its_whole_deadline_again() -> None:
    def refuse_late(turn: Turn) -> None:
        turn.wait(0.4)
        turn.send(refusal("403 Forbidden", "ReadQuotaExceed"))

    def respond_late(turn: Turn) -> None:
        turn.wait(0.4)
        turn.send(EMPTY_LIST)

    behaviour = in_turn(refuse_late, refuse_late, respond_late)
    with misbehaving(behaviour) as server, rig(server.endpoint, timeout=0.75) as made:
        made.client.list_shards("orders")
    assert len(server.requests) == 3


def test_refused_request_fails_after_its_time() -> None:
    behaviour = always(refusal("403 Forbidden", "ReadQuotaExceed"))
    with misbehaving(behaviour) as server, rig(server.endpoint, refused_for=0.5) as made:
        started = time.monotonic()
        with pytest.raises(Throttled, match="403 ReadQuotaExceed"):
            made.client.list_shards("orders")
    assert time.monotonic() - started < 5
    assert len(server.requests) > 3


def test_requests_wait_and_give_up_by_the_clock_of_their_rate() -> None:
    held = HeldClock(1_700_000_000.0)

    def wait(event: threading.Event, seconds: float) -> bool:
        held.advance(seconds + 0.001)
        return event.is_set()

    rate = RequestRate(10.0, monotonic=held.monotonic, wait=wait)
    behaviour = in_turn(always(EMPTY_LIST), always(refusal("403 Forbidden", "ReadQuotaExceed")))
    with misbehaving(behaviour) as server, rig(server.endpoint, rate=rate) as made:
        made.client.list_shards("orders")
        with pytest.raises(Throttled):
            made.client.list_shards("orders")
    assert 55.0 < held.monotonic() < 61.0
    assert rate.limit == 1.0


def test_stop_ends_the_wait_of_a_refused_request() -> None:
    behaviour = always(refusal("403 Forbidden", "ReadQuotaExceed"))
    rate = RequestRate(0.01)  # the second slot is 100 seconds away
    errors: list[SlsError] = []
    with (
        misbehaving(behaviour) as server,
        rig(server.endpoint, rate=rate, refused_for=600.0) as made,
    ):

        def call() -> None:
            try:
                made.client.list_shards("orders")
            except SlsError as error:
                errors.append(error)

        thread = threading.Thread(target=call)
        thread.start()
        wait_for(lambda: made.notes.ended)
        made.cancelled.set()
        thread.join(10)
    assert [type(error) for error in errors] == [Cancelled]
    assert len(server.requests) == 1
