"""The findings of the examination, and the exit status that they lead to."""

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

Result = Literal["ok", "warning", "failed", "skipped", "held", "not held", "not seen"]
"""The result of a step, or (the last three) of an assumption about the service."""

FAILED_STATUS = 1
NOT_HELD_STATUS = 3


class Item(Struct, frozen=True, kw_only=True):
    """The part of the configuration that a finding is about."""

    endpoint: str
    project: str
    """A name, or the pattern of an entry whose project is not known."""
    logstore: str = ""
    """Empty for findings about the project."""


class Finding(Struct, frozen=True, kw_only=True):
    """The result of one step or assumption."""

    step: str
    result: Result
    seen: str
    """The facts in words of the exporter, without any names."""
    assumption: str = ""
    """The assumption about the service, empty for a step."""
    detail: str = ""
    """Further facts that can contain names: the text of an error, or addresses."""
    is_private: bool = False
    """Whether a redacted report leaves out ``detail``."""
    remedy: str = ""


class Examined(Struct, frozen=True, kw_only=True):
    """The findings about one item."""

    item: Item
    findings: tuple[Finding, ...]


def exit_status(found: Iterable[Examined]) -> int:
    """Return 1 if a step failed, otherwise 3 if an assumption does not hold, otherwise 0.

    An examination without an item has failed, since the configuration selects nothing.
    """
    items = list(found)
    results = {finding.result for each in items for finding in each.findings}
    if not items or "failed" in results:
        return FAILED_STATUS
    return NOT_HELD_STATUS if "not held" in results else 0
