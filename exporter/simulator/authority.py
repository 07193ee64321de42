"""Access control: signatures, security tokens, the client's clock, and permissions by operation."""

import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from exporter.model.credentials import Credentials
from exporter.simulator.errors import ServiceError
from exporter.simulator.signatures import read_signature
from exporter.simulator.wire import Request

MAX_SKEW = 900.0


class Authority:
    """A verifier of signatures of some keys, in versions 1 and 4, safe to use from any thread."""

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
        """Accept only these keys from now on."""
        with self._lock:
            self._keys = {key.access_key_id: key for key in credentials}

    def deny(self, operation: str) -> None:
        """Remove the permission for an operation from every key."""
        with self._lock:
            self._denied.add(operation)

    def allow(self, operation: str) -> None:
        """Grant the permission for an operation again."""
        with self._lock:
            self._denied.discard(operation)

    def check(self, request: Request, operation: str, now: float) -> None:
        """Raise ServiceError unless the request is permitted at the service time ``now``."""
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
        signature = read_signature(request)
        key = self._key(signature.access_key_id, request)
        signature.verify(request, key.access_key_secret)

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


def _check_skew(request: Request, now: float) -> None:
    sent = _sent_at(request)
    if sent is not None and abs(sent - now) > MAX_SKEW:
        message = f"Request time {int(sent)} is too far from server time {int(now)}"
        raise ServiceError(400, "RequestTimeTooSkewed", message)


def _sent_at(request: Request) -> float | None:
    """Return the client's time, or None if the request is unsigned and has no date."""
    headers = request.headers
    try:
        if headers.get("authorization", "").startswith("SLS4-HMAC-SHA256"):
            date = datetime.strptime(headers["x-log-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        elif "date" in headers:
            date = parsedate_to_datetime(headers["date"])
        else:
            return None
    except (KeyError, ValueError):
        raise ServiceError(400, "InvalidDateFormat", "the request's date is unreadable") from None
    return date.timestamp()
