"""Observations of assumptions: a result and a text without names."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import wraps
from typing import Any, Literal, ParamSpec

from msgspec import Struct

from exporter.base.text import bounded
from exporter.commands.doctor.recording import Reply

P = ParamSpec("P")
Evidence = Iterator[tuple[bool, str]]
"""Whether an observation agrees with the assumption, and its text without names."""


class Seen(Struct, frozen=True):
    """The result of an assumption, and the observation."""

    result: Literal["held", "not held", "not seen"]
    text: str


def not_seen(reason: str) -> Seen:
    """Return that there was nothing to observe."""
    return Seen("not seen", reason)


def observed(*, nothing: str) -> Callable[[Callable[P, Evidence]], Callable[P, Seen]]:
    """Make an evaluation of a function that yields evidence; ``nothing`` states that it has none.

    The assumption holds if all evidence agrees with it.
    """

    def evaluation(observe: Callable[P, Evidence]) -> Callable[P, Seen]:
        @wraps(observe)
        def evaluate(*args: P.args, **kwargs: P.kwargs) -> Seen:
            found = dict.fromkeys(observe(*args, **kwargs))
            good = [text for agrees, text in found if agrees]
            wrong = [text for agrees, text in found if not agrees]
            if wrong:
                return Seen("not held", "; ".join(wrong))
            return Seen("held", "; ".join(good)) if good else not_seen(nothing)

        return evaluate

    return evaluation


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
