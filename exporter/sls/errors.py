"""What can go wrong with a request to SLS, named by what the caller can do about it.

SlsError
├── Unreachable       no answer: name, connection, TLS; worth a retry
├── TimedOut          no complete response within the deadline
├── Cancelled         the exporter is stopping
├── NoCredentials     no access key can be had to sign with; asked for again at the next request
├── InvalidResponse   an answer that is not SLS's: HTML, cut off, of another shape, too large
└── ApiError          SLS said no, with its own code and a request id
    ├── NotFound      the project, logstore or consumer group does not exist
    ├── AccessDenied  401, or 403 that is not a quota: keys, tokens and rights
    ├── Throttled     429, 403 with a quota's code, or 503 ServerBusy; sent again in another slot
    ├── ServerFault   any other 5xx; worth a retry
    ├── InvalidCursor the cursor is outside of what the shard holds
    └── BadRequest    any other 4xx

No error of the package http, or of json, leaves this package.
"""

import re
from http import HTTPStatus

from exporter.base.text import bounded
from exporter.http.failure import HttpFailure

# Old deployments answer ProjectNotExists.
NOT_FOUND_CODES = frozenset(
    {"ProjectNotExist", "ProjectNotExists", "LogStoreNotExist", "ConsumerGroupNotExist"}
)
CLOCK_CODES = frozenset({"RequestTimeTooSkewed", "RequestTimeExpired"})
"""Codes of requests that SLS refuses because of their time."""
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,63}")
_QUOTA = re.compile(r"quota|qps", re.IGNORECASE)


class SlsError(Exception):
    """A request that failed; ``code`` is fit for a metric's label, str() for a log."""

    retryable = False

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

    def __str__(self) -> str:
        status = "" if self.status is None else f" {self.status}"
        request = f" (request id {self.request_id})" if self.request_id else ""
        return f"{self.operation}:{status} {self.code}: {self.message}{request}"


class Unreachable(SlsError):
    """No answer came: the name does not resolve, the connection or TLS failed or broke."""

    retryable = True

    def __init__(self, message: str, *, operation: str) -> None:
        super().__init__(message, operation=operation, code="connection")


class TimedOut(SlsError):
    """The deadline passed before the whole answer was there."""

    retryable = True

    def __init__(self, message: str, *, operation: str) -> None:
        super().__init__(message, operation=operation, code="timeout")


class Cancelled(SlsError):
    """The exporter is stopping; nothing is wrong with SLS."""

    def __init__(self, *, operation: str) -> None:
        super().__init__("the exporter is stopping", operation=operation, code="cancelled")


class NoCredentials(SlsError):
    """There is nothing to sign with at this moment; no request was sent."""

    def __init__(self, message: str, *, operation: str) -> None:
        super().__init__(message, operation=operation, code="credentials")


class InvalidResponse(SlsError):
    """An answer came, but not one that SLS gives to this request."""

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
    """SLS's own refusal: ``code`` is its errorCode."""


class NotFound(ApiError):
    """The project, the logstore or the consumer group does not exist."""


class AccessDenied(ApiError):
    """The keys, the token or the rights do not allow this."""


class Throttled(ApiError):
    """Too many requests, by the service's own account."""

    retryable = True


class ServerFault(ApiError):
    """The service failed."""

    retryable = True


class InvalidCursor(ApiError):
    """The cursor lies before the first or behind the last log group of the shard."""


class BadRequest(ApiError):
    """SLS found the request wrong."""


def is_code(code: str) -> bool:
    """Tell whether a text looks like an SLS error code, fit for a label."""
    return _CODE.fullmatch(code) is not None


def is_expired_token(error: SlsError) -> bool:
    """Tell whether SLS finds that the security token has expired; some say so in words only."""
    if not isinstance(error, AccessDenied) or error.status != HTTPStatus.UNAUTHORIZED:
        return False
    words = error.message.lower()
    in_words = error.code == "Unauthorized" and "token" in words and "expired" in words
    return in_words or error.code == "SecurityTokenExpired"


def is_passing(status: int) -> bool:
    """Tell whether an HTTP status alone says that another try may succeed."""
    return status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def api_error(*, operation: str, status: int, code: str, message: str, request_id: str) -> ApiError:
    """Choose the class of an error answer by its status and code (sources: the API reference)."""
    kind: type[ApiError]
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
