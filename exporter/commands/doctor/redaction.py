"""Placeholders for names in a report, the same one for each occurrence."""

import re
from collections.abc import Iterable

from msgspec.structs import replace

from exporter.commands.doctor.findings import Examined, Finding, Item

_HIDDEN = "…"
_LONGEST_WORD = 3  # a shorter name is replaced only as a whole word
_NUMBER = re.compile(r"(?<![0-9A-Za-z])[0-9]{10,}(?![0-9A-Za-z])")
"""The number of an account."""
_ADDRESS = re.compile(r"\b[0-9]{1,3}(?:\.[0-9]{1,3}){3}\b")


class Redactor:
    """A function of texts that replaces known names, in the order in which they were added."""

    def __init__(self) -> None:
        self._placeholders: dict[str, str] = {}
        self._counts: dict[str, int] = {}

    def add(self, kind: str, names: Iterable[str]) -> None:
        """Add names of one kind, such as ``project``. Names that are known keep their number."""
        for name in names:
            key = name.lower()
            if key and key not in self._placeholders:
                self._counts[kind] = self._counts.get(kind, 0) + 1
                self._placeholders[key] = f"{kind}-{self._counts[kind]}"

    def name(self, text: str) -> str:
        """Return the placeholder of a known name, and other text unchanged."""
        return self._placeholders.get(text.lower(), text)

    def text(self, text: str) -> str:
        """Replace all known names, account numbers and addresses in a text."""
        if self._placeholders:
            # One pass, so that no placeholder is replaced by another one. Long names come first.
            longest = sorted(self._placeholders, key=len, reverse=True)
            pattern = re.compile("|".join(map(_as_pattern, longest)), re.IGNORECASE)
            text = pattern.sub(self._placeholder, text)
        return _ADDRESS.sub(_HIDDEN, _NUMBER.sub(_HIDDEN, text))

    def examined(self, examined: Examined) -> Examined:
        """Return findings without names."""
        item = examined.item
        return Examined(
            item=Item(
                endpoint=self.name(item.endpoint),
                project=self.name(item.project),
                logstore=self.name(item.logstore),
            ),
            findings=tuple(map(self._finding, examined.findings)),
        )

    def _placeholder(self, match: re.Match[str]) -> str:
        # An "s" also matches the long s of old prints, which has no other lower case.
        return self._placeholders.get(match[0].lower(), _HIDDEN)

    def _finding(self, finding: Finding) -> Finding:
        detail = "" if finding.is_private else self.text(finding.detail)
        return replace(finding, detail=detail)


def _as_pattern(name: str) -> str:
    escaped = re.escape(name)
    return escaped if len(name) > _LONGEST_WORD else rf"(?<![\w-]){escaped}(?![\w-])"
