"""Who may do what: signatures, security tokens, the client's clock, and rights by operation."""

import hashlib
import hmac
import re
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from exporter.model.credentials import Credentials
from exporter.simulator.errors import ServiceError
from exporter.simulator.wire import Request
from exporter.sls.signing import (
    V4_METHOD,
    V4_TERMINATOR,
    RequestParts,
    v1_content_md5,
    v1_signature,
    v4_signature,
)

MAX_SKEW = 900.0
_V1 = re.compile(r"LOG ([^:\s]+):(\S+)")
_V4 = re.compile(
    rf"{V4_METHOD} Credential=([^/\s]+)/(\d{{8}})/([^/\s]+)/sls/{V4_TERMINATOR},Signature=(\S+)"
)


class Authority:
    """Accepts the signatures of some keys, in version 1 and 4; safe to use from any thread."""

    def __init__(
        self, credentials: Sequence[Credentials], *, check_signatures: bool, check_clock: bool
    ) -> None:
        self._lock = threading.Lock()
        self._check_signatures = check_signatures
        self._check_clock = check_clock
        self._keys: dict[str, Credentials] = {}
        self._denied: set[str] = set()
        self.accept(credentials)

    def accept(self, credentials: Sequence[Credentials]) -> None:
        """Accept these keys and no others from now on."""
        with self._lock:
            self._keys = {key.access_key_id: key for key in credentials}

    def deny(self, operation: str) -> None:
        """Take the right to an operation away from every key."""
        with self._lock:
            self._denied.add(operation)

    def allow(self, operation: str) -> None:
        """Give the right to an operation back."""
        with self._lock:
            self._denied.discard(operation)

    def check(self, request: Request, operation: str, now: float) -> None:
        """Raise ServiceError unless the request may be answered; now is the service's time."""
        if self._check_signatures:
            self._check_signature(request)
        if self._check_clock:
            _check_skew(request, now)
        with self._lock:
            denied = operation in self._denied
        if denied:
            message = f"denied by sts or ram, action: log:{operation}, resource: *"
            raise ServiceError(401, "Unauthorized", message)

    def _check_signature(self, request: Request) -> None:
        authorization = request.headers.get("authorization", "")
        if match := _V1.fullmatch(authorization):
            key = self._key(match[1], request)
            _check_md5(request)
            # The vendor's SDK adds x-log-date after it has signed; it is the same as Date.
            parts = _parts(request, without="x-log-date")
            if "date" not in request.headers:
                raise ServiceError(400, "MissingDate", "Date does not exist in http header")
            _compare(match[2], v1_signature(parts, key.access_key_secret))
        elif match := _V4.fullmatch(authorization):
            key = self._key(match[1], request)
            _check_v4_headers(request, date=match[2])
            signature = v4_signature(_parts(request), key.access_key_secret, region=match[3])
            _compare(match[4], signature)
        else:
            message = "the Authorization header is missing or is of no known version"
            raise ServiceError(401, "Unauthorized", message)

    def _key(self, access_key_id: str, request: Request) -> Credentials:
        with self._lock:
            key = self._keys.get(access_key_id)
        if key is None:
            message = f"AccessKeyId not found: {access_key_id[:64]}"
            raise ServiceError(401, "Unauthorized", message)
        if request.headers.get("x-acs-security-token") != key.security_token:
            message = "The security token you provided is invalid"
            raise ServiceError(401, "Unauthorized", message)
        return key


def _check_md5(request: Request) -> None:
    declared = request.headers.get("content-md5")
    if declared is not None and declared.upper() != v1_content_md5(request.body):
        raise ServiceError(400, "InvalidContentMD5", "Content-MD5 does not match the body")


def _check_v4_headers(request: Request, *, date: str) -> None:
    if request.headers.get("x-log-date", "")[:8] != date:
        raise ServiceError(401, "SignatureNotMatch", "x-log-date does not match the scope")
    digest = hashlib.sha256(request.body).hexdigest()
    if request.headers.get("x-log-content-sha256") != digest:
        raise ServiceError(401, "SignatureNotMatch", "x-log-content-sha256 does not match the body")


def _check_skew(request: Request, now: float) -> None:
    sent = _sent_at(request)
    if sent is not None and abs(sent - now) > MAX_SKEW:
        message = f"Request time {int(sent)} is too far from server time {int(now)}"
        raise ServiceError(400, "RequestTimeTooSkewed", message)


def _sent_at(request: Request) -> float | None:
    """Return the client's time; None where it tells none, which only unsigned requests may."""
    headers = request.headers
    try:
        if headers.get("authorization", "").startswith(V4_METHOD):
            date = datetime.strptime(headers["x-log-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        elif "date" in headers:
            date = parsedate_to_datetime(headers["date"])
        else:
            return None
    except (KeyError, ValueError):
        raise ServiceError(400, "InvalidDateFormat", "the request's date is unreadable") from None
    return date.timestamp()


def _parts(request: Request, *, without: str = "") -> RequestParts:
    return RequestParts(
        method=request.method,
        path=request.path,
        query=request.query,
        headers={name: value for name, value in request.headers.items() if name != without},
        body=request.body,
    )


def _compare(received: str, expected: str) -> None:
    if not hmac.compare_digest(received.encode(), expected.encode()):
        message = "The request signature we calculated does not match the one you provided"
        raise ServiceError(401, "SignatureNotMatch", message)
