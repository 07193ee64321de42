"""Findings about keys, the clock, the signature, permissions, the request rate and the cost.

All functions are pure: they get the recorded responses and the time.
"""

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from msgspec import Struct

from exporter.base.durations import format_duration
from exporter.base.text import counted
from exporter.commands.doctor.findings import Finding, Result
from exporter.commands.doctor.recording import Reply
from exporter.model.snapshot import Failure
from exporter.polling.capacity import Demand
from exporter.sls.errors import (
    CLOCK_CODES,
    AccessDenied,
    ApiError,
    BadRequest,
    InvalidCursor,
    ServerFault,
    SlsError,
    is_rejected_key,
)
from exporter.sls.operations import GET_CURSOR_TIME, Operation
from exporter.sls.remedies import remedy

NO_PROJECT_CODES = frozenset({"ProjectNotExist", "ProjectNotExists"})
_KEY_CODES = frozenset({"SignatureNotMatch", "InvalidAccessKeyId", "SecurityTokenExpired"})
_DENIED = "Unauthorized"
_NOTICED_SECONDS = 30.0
_SOON_SECONDS = 300.0


class Keys(Struct, frozen=True, kw_only=True):
    """The source of the keys of a project, and the result of the first use."""

    description: str = ""
    """The human-readable source, without secrets."""
    roles: tuple[str, ...] = ()
    """The roles that are assumed on the way."""
    is_temporary: bool = False
    expires_at: float | None = None
    """When temporary keys expire, in Unix seconds; None if that is not known."""
    error: str = ""
    """The reason why there are none; it has no secret."""


def keys_finding(keys: Keys, *, now: float) -> Finding:
    """Return the finding about the source of keys and their expiry."""
    if keys.error:
        return Finding(
            step="keys",
            result="failed",
            seen="no access key is available",
            detail=keys.error,
            is_private=True,
            remedy="Set a source of keys, see docs/credentials.md.",
        )
    seen = "a permanent access key"
    result: Result = "ok"
    if keys.is_temporary:
        seen = "a temporary access key, its expiry is not known"
    if keys.expires_at is not None:
        left = keys.expires_at - now
        seen = f"a temporary access key, it expires in {format_duration(float(int(max(left, 0))))}"
        result = "warning" if left < _SOON_SECONDS else "ok"
    return Finding(
        step="keys",
        result=result,
        seen=seen,
        detail=", assuming ".join((keys.description, *keys.roles)),
        is_private=True,
        remedy="Check what renews the keys." if result == "warning" else "",
    )


def clock_finding(skew: float | None, codes: AbstractSet[str]) -> Finding:
    """Return the finding about the server's clock minus the exporter's, None if not known.

    ``codes`` are the error codes of all responses.
    """
    if CLOCK_CODES & codes:
        seen = "SLS refuses requests because of their time"
        if skew is not None:
            seen += f": {_ahead(skew)}"
        return _clock("failed", seen)
    if skew is None:
        text = "no response has a plausible time of the server"
        return Finding(step="clock", result="skipped", seen=text)
    return _clock("warning" if abs(skew) > _NOTICED_SECONDS else "ok", _ahead(skew))


def _clock(result: Result, seen: str) -> Finding:
    text = "Set the clock of the exporter's host (NTP): SLS accepts 15 minutes of difference."
    return Finding(step="clock", result=result, seen=seen, remedy="" if result == "ok" else text)


def _ahead(skew: float) -> str:
    if abs(skew) < 1:
        return "the clocks differ by less than a second"
    return f"the server's clock is {abs(skew):.0f} s {'ahead' if skew > 0 else 'behind'}"


def signature_finding(signature: str, reply: Reply[Any]) -> Finding:
    """Return whether the service accepts the key and the signature of a request."""
    error = reply.error
    if error is None or not is_blocking(error):
        return Finding(step="signature", result="ok", seen=f"signature {signature} is accepted")
    problem = f"the service rejects the key or signature {signature}"
    if not isinstance(error, ApiError):
        problem = "no response of SLS to a signed request"
    elif isinstance(error, ServerFault):
        problem = "the service fails"
    return Finding(
        step="signature",
        result="failed",
        seen=f"{problem}: {error.code}",
        detail=str(error),
        remedy=remedy(error.code) or "",
    )


def skipped(step: str) -> Finding:
    """Return that a step and all later ones were not possible."""
    return Finding(step=step, result="skipped", seen="not sent, because an earlier step failed")


def missing_project(error: SlsError) -> Finding:
    """Return the finding about a project that does not exist."""
    return Finding(
        step="selection",
        result="failed",
        seen=error.code,
        detail=str(error),
        remedy=remedy(error.code) or "",
    )


def selection_finding(*, examined: int, selected: int, matching: int) -> Finding:
    """Return the finding about the logstores that are examined.

    ``selected`` is the number of logstores in which consumer groups were found, ``matching`` that
    of all logstores with a matching name.
    """
    if not selected:
        return Finding(
            step="selection",
            result="failed",
            seen=f"no consumer group is found in {matching} matching logstores",
            remedy="Correct the names and patterns, or select a logstore with --logstore.",
        )
    seen = (
        f"{examined} of {matching} matching logstores {'is' if examined == 1 else 'are'} examined"
    )
    return Finding(step="selection", result="ok", seen=seen)


def is_blocking(error: SlsError) -> bool:
    """Return whether an error means that no other request can succeed now.

    SLS accepts the signature of a request that it refuses for another reason.
    """
    is_rejected = error.code in _KEY_CODES | CLOCK_CODES or is_rejected_key(error)
    return is_rejected or not isinstance(error, ApiError) or isinstance(error, ServerFault)


def permission_findings(
    operations: Iterable[Operation[Any]], replies: Sequence[Reply[Any]]
) -> Iterator[Finding]:
    """Yield a finding per operation that the configuration needs."""
    for operation in operations:
        found = [reply for reply in replies if reply.operation is operation]
        yield _permission(operation, found)


def _permission(operation: Operation[Any], replies: Sequence[Reply[Any]]) -> Finding:
    step = operation.name
    errors = [reply.error for reply in replies if reply.error is not None]
    denied = next((each for each in errors if isinstance(each, AccessDenied)), None)
    if denied is not None:
        return Finding(
            step=step,
            result="failed",
            seen=f"not allowed: {denied.code}",
            detail=str(denied),
            remedy=_allow(operation, denied.code),
        )
    if not replies:
        return Finding(step=step, result="skipped", seen="not sent")
    error = next((each for each in errors if not _is_expected(each)), None)
    if error is None:
        return Finding(step=step, result="ok", seen=f"allowed ({operation.action})")
    return Finding(
        step=step,
        result="failed",
        seen=error.code,
        detail=str(error),
        remedy=remedy(error.code, operation.name) or "",
    )


def _is_expected(error: SlsError) -> bool:
    """Return whether an error is the response to a position without a log group."""
    return error.operation == GET_CURSOR_TIME.name and isinstance(error, InvalidCursor | BadRequest)


def listing_finding(operation: Operation[Any], failure: Failure | None) -> Finding:
    """Return the finding about a listing that patterns need."""
    if failure is None:
        return Finding(step=operation.name, result="ok", seen=f"allowed ({operation.action})")
    is_denied = failure.code == _DENIED
    return Finding(
        step=operation.name,
        result="failed",
        seen=f"not allowed: {failure.code}" if is_denied else failure.code,
        detail=failure.message,
        remedy=_allow(operation, _DENIED) if is_denied else failure.remedy or "",
    )


def _allow(operation: Operation[Any], code: str) -> str:
    """Return the remedy for a refusal, which is the missing action unless the code is another."""
    other = None if code == _DENIED else remedy(code)
    return other or f"Allow {operation.action} in the RAM policy of the access key."


def rate_finding(
    *, sent: int, limit: float, ceiling: float, is_lowered: bool, latency: float | None
) -> Finding:
    """Return the finding about the request rate and the quota of the project."""
    took = "" if latency is None else f", {latency * 1000:.0f} ms per request"
    seen = f"{sent} requests{took}; the limit is {limit:g} per second, and at most {ceiling:g}"
    if not is_lowered:
        return Finding(step="rate", result="ok", seen=f"no request was refused for a quota: {seen}")
    return Finding(
        step="rate",
        result="warning",
        seen=f"requests were refused for a quota: {seen}",
        remedy=remedy("ReadQuotaExceed") or "",
    )


def cost_finding(demand: Demand, *, examined: int) -> Finding:
    """Return the finding about the requests of all polls of a project.

    ``examined`` is the number of logstores whose shards are known.
    """
    interval = format_duration(demand.settings.polling.interval)
    requests = demand.requests
    seen = (
        f"polls every {interval} need {requests.at_rest} requests at rest, {requests.busy} busy,"
        f" {requests.cold} after a start, for {counted(demand.logstores, 'logstore')}"
    )
    if demand.logstores > examined:
        seen += f", if they are like the {examined} examined"
    warnings = demand.warnings()
    return Finding(
        step="cost",
        result="warning" if warnings else "ok",
        seen=seen,
        detail=" ".join(warnings),
    )
