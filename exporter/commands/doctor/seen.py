"""Observations of assumptions: a result and a text without names."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct

from exporter.base.text import bounded
from exporter.commands.doctor.recording import Reply


class Seen(Struct, frozen=True):
    """The result of an assumption, and the observation."""

    result: Literal["held", "not held", "not seen"]
    text: str


def not_seen(reason: str) -> Seen:
    """Return that there was nothing to observe."""
    return Seen("not seen", reason)


def seen(wrong: Iterable[str], good: Iterable[str], *, nothing: str) -> Seen:
    """Return what was seen: that something is wrong, that all is right, or nothing."""
    wrong, good = list(dict.fromkeys(wrong)), list(dict.fromkeys(good))
    if wrong:
        return Seen("not held", "; ".join(wrong))
    return Seen("held", "; ".join(good)) if good else not_seen(nothing)


def outcome(reply: Reply[Any]) -> str:
    """Return the status and the code of a response as the service spells it."""
    if reply.error is None:
        return "success"
    status = "" if reply.status is None else f"{reply.status} "
    return f"{status}{raw_code(reply) or reply.error.code}"


def raw_code(reply: Reply[Any]) -> str:
    """Return the code of an error before any conversion, empty if there is none."""
    fields = fields_of(reply.document)
    code = fields.get("errorCode")
    if not isinstance(code, str) or reply.error is None:
        return ""
    # A code that the client does not take over can contain anything.
    return bounded(code, 64) if code.lower().endswith(reply.error.code.lower()) else ""


def fields_of(document: object) -> Mapping[str, object]:
    """Return the fields of an object, none for other JSON."""
    return document if isinstance(document, dict) else {}


def entries_of(document: object) -> Sequence[Mapping[str, object]]:
    """Return the objects in an array, none for other JSON."""
    if not isinstance(document, list):
        return []
    return [entry for entry in document if isinstance(entry, dict)]


def is_denied(reply: Reply[Any]) -> bool:
    """Return whether a response shows no behavior: it is a refusal or a failure, or absent."""
    return reply.status is None or reply.status in {401, 403, 429} or reply.status >= 500  # noqa: PLR2004  HTTP
