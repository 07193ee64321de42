"""A parser for responses with temporary credentials or with the reason of a refusal.

STS, the metadata of an ECS instance and a credentials URI return the same four fields.
"""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

from msgspec import Struct

from exporter.base.text import masked, without_tokens
from exporter.model.credentials import Credentials, is_key

if TYPE_CHECKING:  # a check of the configuration needs no HTTP client
    from exporter.http.response import Response

BUDGET_SECONDS = 5.0
"""The time limit of all requests of one fetch. It does not apply to name resolution."""
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,63}")
_REQUEST_ID = re.compile(r"[A-Za-z0-9-]{1,64}")


class FetchError(Exception):
    """A failed fetch of credentials. The text is truncated and contains no secret.

    ``code`` is the error code in the response, if there is one.
    """

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code


class Temporary(Struct, frozen=True, kw_only=True):
    """Credentials that are valid until ``expires_at`` (Unix seconds)."""

    credentials: Credentials
    expires_at: float


def document(
    answer: "Response", *, with_message: bool = False, hidden: Iterable[str] = ()
) -> Mapping[str, object]:
    """Return the JSON object of a response with status 200. Otherwise, raises FetchError.

    The error contains the message of a refusal if ``with_message`` is true. Long tokens and the
    texts in ``hidden`` are removed from it. These must include all short secrets of the request.
    """
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        found = None
    fields: Mapping[str, object] = found if isinstance(found, dict) else {}
    if answer.status != HTTPStatus.OK:
        reason = _reason(fields, with_message=with_message, hidden=hidden)
        raise FetchError(f"refused with status {answer.status}{reason}", _code(fields))
    if not fields:
        raise FetchError("the response is not a JSON object")
    return fields


def temporary(fields: object) -> Temporary:
    """Return the credentials in the fields of a response. Raises FetchError if they are invalid."""
    if not isinstance(fields, dict):
        raise FetchError("the response contains no credentials")
    return Temporary(
        credentials=Credentials(
            access_key_id=_key(fields, "AccessKeyId"),
            access_key_secret=_key(fields, "AccessKeySecret"),
            security_token=_key(fields, "SecurityToken"),
        ),
        expires_at=_instant(fields, "Expiration"),
    )


def require_success(fields: Mapping[str, object]) -> None:
    """Raise FetchError unless the field ``Code`` is Success.

    Metadata and credentials URIs return this field.
    """
    if fields.get("Code") != "Success":
        raise FetchError(f"the response does not report success{_reason(fields)}")


def _key(fields: Mapping[str, object], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not is_key(value):
        raise FetchError(f"the response's {name} is missing or is not a key")
    return value


def _instant(fields: Mapping[str, object], name: str) -> float:
    value = fields.get(name)
    try:
        found = datetime.fromisoformat(value if isinstance(value, str) else "")
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise FetchError(f"the response's {name} is missing or is not a time") from None


def _code(fields: Mapping[str, object]) -> str | None:
    code = fields.get("Code")
    return code if isinstance(code, str) and _CODE.fullmatch(code) else None


def _reason(
    fields: Mapping[str, object], *, with_message: bool = False, hidden: Iterable[str] = ()
) -> str:
    """Return the reason in an error response as text; empty for a page of HTML."""
    code, message, request_id = _code(fields), fields.get("Message"), fields.get("RequestId")
    text = f", {code}" if code else ""
    if with_message and isinstance(message, str):
        text += f": {without_tokens(masked(message, hidden))}"
    if isinstance(request_id, str) and _REQUEST_ID.fullmatch(request_id):
        text += f" (request id {request_id})"
    return text
