"""Answers with temporary credentials, read with care: fields, expiry, and reasons of a refusal.

STS, the metadata of an ECS instance and a credentials URI give the same four fields.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

from msgspec import Struct

from exporter.base.text import without_tokens
from exporter.model.credentials import Credentials, is_key

if TYPE_CHECKING:  # a check of the configuration needs no HTTP client
    from exporter.http.response import Response

BUDGET_SECONDS = 5.0
"""The limit of all requests of one fetch. Only the name resolution is not bounded."""
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,63}")
_REQUEST_ID = re.compile(r"[A-Za-z0-9-]{1,64}")


class FetchError(Exception):
    """A fetch without credentials. The text is bounded and has no secret."""


class Temporary(Struct, frozen=True, kw_only=True):
    """Credentials that are valid until ``expires_at``, unix seconds."""

    credentials: Credentials
    expires_at: float


def document(answer: "Response", *, with_message: bool = False) -> Mapping[str, object]:
    """Return the JSON object of an answer with status 200; raises FetchError with the reason.

    The message of a refusal is only shown where it cannot repeat a secret of the request that is
    short enough to be overlooked.
    """
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        found = None
    fields: Mapping[str, object] = found if isinstance(found, dict) else {}
    if answer.status != HTTPStatus.OK:
        raise FetchError(
            f"refused with status {answer.status}{_reason(fields, with_message=with_message)}"
        )
    if not fields:
        raise FetchError("the answer is not a JSON object")
    return fields


def temporary(fields: object) -> Temporary:
    """Return the credentials of an answer; raises FetchError."""
    if not isinstance(fields, dict):
        raise FetchError("the answer holds no credentials")
    return Temporary(
        credentials=Credentials(
            access_key_id=_key(fields, "AccessKeyId"),
            access_key_secret=_key(fields, "AccessKeySecret"),
            security_token=_key(fields, "SecurityToken"),
        ),
        expires_at=_instant(fields, "Expiration"),
    )


def require_success(fields: Mapping[str, object]) -> None:
    """Raise FetchError unless ``Code`` says Success, as metadata and credentials URIs do."""
    if fields.get("Code") != "Success":
        raise FetchError(f"the answer is not a success{_reason(fields)}")


def _key(fields: Mapping[str, object], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not is_key(value):
        raise FetchError(f"the answer's {name} is missing or is not a key")
    return value


def _instant(fields: Mapping[str, object], name: str) -> float:
    value = fields.get(name)
    try:
        found = datetime.fromisoformat(value if isinstance(value, str) else "")
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise FetchError(f"the answer's {name} is missing or is not a time") from None


def _reason(fields: Mapping[str, object], *, with_message: bool = False) -> str:
    """Say what an error answer tells; a page of HTML tells nothing."""
    code, message, request_id = (fields.get(name) for name in ("Code", "Message", "RequestId"))
    text = ""
    if isinstance(code, str) and _CODE.fullmatch(code):
        text += f", {code}"
    if with_message and isinstance(message, str):
        text += f": {without_tokens(message)}"
    if isinstance(request_id, str) and _REQUEST_ID.fullmatch(request_id):
        text += f" (request id {request_id})"
    return text
