"""Codes of errors, in every spelling that services use."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.sls.errors import (
    CLOCK_CODES,
    NOT_FOUND_CODES,
    AccessDenied,
    ApiError,
    BadRequest,
    InvalidCursor,
    NotFound,
    Throttled,
    api_error,
    canonical_code,
    is_rejected_key,
)
from exporter.sls.remedies import REMEDIES, remedy
from exporter.sls.responses import Refusal, refusal
from tests.support.misbehaving import always, answer, misbehaving
from tests.support.sls_client import rig

KINDS: list[tuple[int, str, type[ApiError]]] = [
    *((404, code, NotFound) for code in sorted(NOT_FOUND_CODES)),
    *((400, code, BadRequest) for code in sorted(CLOCK_CODES)),
    (400, "InvalidCursor", InvalidCursor),
    (400, "ShardNotExist", BadRequest),
    (401, "InvalidAccessKeyId", AccessDenied),
    (401, "SecurityTokenExpired", AccessDenied),
    (401, "SignatureNotMatch", AccessDenied),
    (401, "Unauthorized", AccessDenied),
    (403, "ProjectForbidden", AccessDenied),
    (503, "ServerBusy", Throttled),
]
OWN_CODES = st.from_regex(r"[A-Za-z][A-Za-z0-9._-]{0,63}", fullmatch=True)


def error_of(status: int, code: str) -> ApiError:
    return api_error(operation="GetCursor", status=status, code=code, message="", request_id="")


@st.composite
def spelled(draw: st.DrawFn, code: str) -> str:
    """Spell a code in any case, with or without the leading ``SLS``."""
    text = draw(st.sampled_from(["", "SLS"])) + code
    return "".join(draw(st.sampled_from([each.lower(), each.upper(), each])) for each in text)


@given(st.data(), st.sampled_from(KINDS))
def test_error_is_the_same_in_every_spelling_of_its_code(
    data: st.DataObject, kind: tuple[int, str, type[ApiError]]
) -> None:
    status, code, expected = kind
    error = error_of(status, data.draw(spelled(code)))
    assert type(error) is expected
    assert error.code == code
    assert remedy(error.code) == remedy(code)


@pytest.mark.parametrize("code", ["SLSSecurityTokenExpired", "securitytokenexpired"])
def test_rejected_key_is_recognized_in_every_spelling_of_its_code(code: str) -> None:
    assert is_rejected_key(error_of(401, code))


@pytest.mark.parametrize("code", [code for code in REMEDIES if code[0].isupper()])
def test_code_with_a_remedy_is_known_in_every_spelling(code: str) -> None:
    assert canonical_code(f"SLS{code.lower()}") == code


@pytest.mark.parametrize("code", ["SlsBroken", "SLS", "InternalError", "MyInvalidCursor"])
def test_other_code_keeps_its_spelling(code: str) -> None:
    assert canonical_code(code) == code


BODIES: list[Callable[[str, str], object]] = [
    lambda code, message: {"errorCode": code, "errorMessage": message},
    lambda code, message: {"error_code": code, "error_message": message},
    lambda code, message: {"Code": code, "Message": message},
    lambda code, message: {"Error": {"Code": code, "Message": message, "RequestId": "5F1E"}},
    lambda code, message: {"error": {"code": code, "message": message}},
    lambda code, message: {"Error": {"errorCode": code, "errorMessage": message}},
    lambda code, message: {"error": "Bad Request", "Code": code, "Message": message},
]


@given(st.sampled_from(BODIES), OWN_CODES, st.text("abc ", max_size=20))
def test_refusal_keeps_its_code_and_message_in_every_form_of_its_body(
    body: Callable[[str, str], object], code: str, message: str
) -> None:
    assert refusal(body(code, message)) == Refusal(code=code, message=message)


@pytest.mark.parametrize("code", ["SLSRequestTimeTooSkewed", "requesttimeexpired"])
def test_clock_refusal_reports_the_whole_skew_in_every_spelling(code: str) -> None:
    body = f'{{"Error": {{"Code": "{code}", "Message": "your clock is wrong"}}}}'.encode()
    response = answer(body, "x-log-time: 3000000000", status="400 Bad Request")
    with misbehaving(always(response)) as server, rig(server.endpoint) as made:
        with pytest.raises(BadRequest):
            made.client.list_shards("orders")
        ((_, skew),) = made.notes.skews
    assert skew > 900.0
    assert made.notes.ignored_times == []
