"""Errors of requests to SLS, divided by what the caller can do about them.

SlsError
├── Unreachable       no response: name, connection, TLS; worth a retry
├── TimedOut          no complete response within the deadline
├── Cancelled         the exporter is stopping
├── NoCredentials     no access key is available to sign with; the next request tries again
├── InvalidResponse   not a valid response of SLS: HTML, truncated, wrong shape, too large
└── ApiError          SLS refused the request, with its own code and a request id
    ├── NotFound      the project, logstore or consumer group does not exist
    ├── AccessDenied  401, or 403 that is not a quota: keys, tokens and permissions
    ├── Throttled     429, 403 with a quota's code, or 503 ServerBusy; sent again in another slot
    ├── ServerFault   any other 5xx; worth a retry
    ├── InvalidCursor the cursor is outside the data that the shard contains
    └── BadRequest    any other 4xx

Errors of the packages http and json never leave this package.
"""

import re
from collections.abc import Collection
from http import HTTPStatus

from exporter.base.text import bounded, masked
from exporter.http.failure import HttpFailure

# Old deployments return ProjectNotExists.
NOT_FOUND_CODES = frozenset(
    {"ProjectNotExist", "ProjectNotExists", "LogStoreNotExist", "ConsumerGroupNotExist"}
)
CLOCK_CODES = frozenset({"RequestTimeTooSkewed", "RequestTimeExpired"})
"""Codes of requests that SLS refuses because of their time."""
_KNOWN_CODES = (
    NOT_FOUND_CODES
    | CLOCK_CODES
    | {
        "InternalServerError",
        "InvalidAccessKeyId",
        "InvalidCursor",
        "ProjectForbidden",
        "RequestTimeout",
        "SecurityTokenExpired",
        "ServerBusy",
        "ShardNotExist",
        "SignatureNotMatch",
        "Unauthorized",
    }
)
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,63}")
_QUOTA = re.compile(r"quota|qps", re.IGNORECASE)
_REJECTED_CODE = re.compile(
    r"(?:SLS)?(?:InvalidAccessKeyId|(?:Invalid)?SecurityToken)", re.IGNORECASE
)
_REJECTED_WORDS = re.compile(
    r"accesskeyid.*(?:not found|not exist|invalid|inactive|disabled)|token.*(?:expired|invalid)",
    re.IGNORECASE,
)
_DENIED_WORDS = re.compile(r"denied by|permission", re.IGNORECASE)
# Some deployments return SLSInvalidCursor, others invalidcursor.
_SPELLINGS = {code.lower(): code for code in _KNOWN_CODES}


class SlsError(Exception):
    """A failed request. ``code`` is safe as the label of a metric, and str() in a log."""

    retryable = False

    @property
    def is_refusal(self) -> bool:
        """True if SLS refused the request, and would refuse it again."""
        return isinstance(self, ApiError) and not self.retryable

    def __init__(
        self,
        message: str,
        *,
        operation: str,
        code: str,
        status: int | None = None,
        request_id: str = "",
    ) -> None:
        self.operation = operation
        self.code = code
        self.status = status
        self.request_id = bounded(request_id, 64)
        self.message = bounded(message)
        super().__init__(self.message)

    def conceal(self, secrets: Collection[str]) -> None:
        """Mask secrets that the service, or a proxy in front of it, repeats in its response."""
        self.message = masked(self.message, secrets)
        self.request_id = masked(self.request_id, secrets)
        self.args = (self.message,)
        if masked(self.code, secrets) != self.code:
            self.code = "other"

    def __str__(self) -> str:
        status = "" if self.status is None else f" {self.status}"
        request = f" (request id {self.request_id})" if self.request_id else ""
        return f"{self.operation}:{status} {self.code}: {self.message}{request}"


class Unreachable(SlsError):
    """No response: the name does not resolve, or the connection or TLS failed."""

    retryable = True

    def __init__(self, message: str, *, operation: str) -> None:
        super().__init__(message, operation=operation, code="connection")


class TimedOut(SlsError):
    """A deadline that passed before the response was complete."""

    retryable = True

    def __init__(self, message: str, *, operation: str) -> None:
        super().__init__(message, operation=operation, code="timeout")


class Cancelled(SlsError):
    """A request that was cancelled because the exporter is stopping."""

    def __init__(self, *, operation: str) -> None:
        super().__init__("the exporter is stopping", operation=operation, code="cancelled")


class NoCredentials(SlsError):
    """A request that was not sent, since no access key is available to sign it."""

    def __init__(self, message: str, *, operation: str) -> None:
        super().__init__(message, operation=operation, code="credentials")


class InvalidResponse(SlsError):
    """A response that SLS would not send to this request."""

    def __init__(
        self,
        message: str,
        *,
        operation: str,
        status: int | None = None,
        request_id: str = "",
        retryable: bool = False,
    ) -> None:
        super().__init__(
            message,
            operation=operation,
            code="invalid_response",
            status=status,
            request_id=request_id,
        )
        self.retryable = retryable


class ApiError(SlsError):
    """A refusal by SLS itself; ``code`` is its errorCode, see ``canonical_code``."""


class NotFound(ApiError):
    """A project, logstore or consumer group that does not exist."""


class AccessDenied(ApiError):
    """A request that the keys, the token or the permissions do not allow."""


class Throttled(ApiError):
    """A refusal because of too many requests."""

    retryable = True


class ServerFault(ApiError):
    """A failure inside the service."""

    retryable = True


class InvalidCursor(ApiError):
    """A cursor before the first or after the last log group of the shard."""


class BadRequest(ApiError):
    """A request that SLS considers invalid."""


def is_code(code: str) -> bool:
    """Return whether a text looks like an SLS error code, which is safe as a label."""
    return _CODE.fullmatch(code) is not None


def canonical_code(code: str) -> str:
    """Return the documented spelling of a known code, and any other code unchanged.

    Case and a leading ``SLS`` do not matter.
    """
    spelled = code.lower()
    return _SPELLINGS.get(spelled) or _SPELLINGS.get(spelled.removeprefix("sls"), code)


def is_rejected_key(error: SlsError) -> bool:
    """Return whether the service rejects the access key or the security token themselves.

    A key that is valid but lacks a permission is not rejected. SLS uses the code Unauthorized for
    both, so its message decides.
    """
    if not isinstance(error, AccessDenied) or error.status != HTTPStatus.UNAUTHORIZED:
        return False
    if _DENIED_WORDS.search(error.message):
        return False
    in_words = error.code == "Unauthorized" and _REJECTED_WORDS.search(error.message)
    return bool(in_words or _REJECTED_CODE.match(error.code))


def is_passing(status: int) -> bool:
    """Return whether a retry may succeed, judging by the HTTP status alone."""
    return status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def api_error(*, operation: str, status: int, code: str, message: str, request_id: str) -> ApiError:
    """Return an error of the class for a status and a code (source: the API reference).

    Its code has the documented spelling, so that all comparisons with it are exact.
    """
    kind: type[ApiError]
    code = canonical_code(code)
    is_quota = status == HTTPStatus.FORBIDDEN and _QUOTA.search(code)
    is_busy = status == HTTPStatus.SERVICE_UNAVAILABLE and code == "ServerBusy"
    if status == HTTPStatus.NOT_FOUND and code in NOT_FOUND_CODES:
        kind = NotFound
    elif status == HTTPStatus.TOO_MANY_REQUESTS or is_quota or is_busy:
        kind = Throttled
    elif status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        kind = AccessDenied
    elif status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        kind = ServerFault
    elif code == "InvalidCursor":
        kind = InvalidCursor
    else:
        kind = BadRequest
    return kind(message, operation=operation, code=code, status=status, request_id=request_id)


def http_error(failure: HttpFailure, operation: str) -> SlsError:
    """Return the error of an exchange without a complete response."""
    reason = str(failure)
    match failure.kind:
        case "timeout":
            return TimedOut(reason, operation=operation)
        case "connection":
            return Unreachable(reason, operation=operation)
        case "cancelled":
            return Cancelled(operation=operation)
        case "invalid_response":
            return InvalidResponse(
                reason,
                operation=operation,
                status=failure.status,
                request_id=failure.headers.get("x-log-requestid", ""),
                retryable=failure.status is None or is_passing(failure.status),
            )
