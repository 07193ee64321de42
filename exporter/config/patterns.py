"""Names in the configuration: regular expressions that must match a whole name."""

import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from exporter.config.backtracking import takes_long

LONGEST_PATTERN = 1024
_METACHARACTER = re.compile(r"[.^$*+?{}\[\]\\|()]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """An anchored regular expression; a literal one is a plain name that matches only itself."""

    text: str
    literal: bool
    _regex: re.Pattern[str] | None = field(repr=False, compare=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a pattern of 1 to 1024 printable characters, in the syntax of Python's ``re``.

        Raises ValueError with a message for people.
        """
        if not text:
            raise ValueError("a name must not be empty; '.*' matches every name")
        if len(text) > LONGEST_PATTERN:
            raise ValueError(f"must have at most {LONGEST_PATTERN} characters, found {len(text)}")
        if not text.isprintable():
            raise ValueError("a name must not hold control characters")
        # Compiling costs some 100 µs, and thousands of groups are usually plain names.
        literal = is_literal(text)
        return cls(text=text, literal=literal, _regex=None if literal else _compiled(text))

    def matches(self, name: str) -> bool:
        """Tell whether the whole of ``name`` matches."""
        return self.text == name if self._regex is None else bool(self._regex.fullmatch(name))

    def __str__(self) -> str:
        return self.text


def is_literal(text: str) -> bool:
    """Tell whether a text is a plain name, without a character that means something in ``re``."""
    return _METACHARACTER.search(text) is None


def any_matches(patterns: Iterable[Pattern], name: str) -> bool:
    """Return whether the whole of ``name`` matches one of the patterns."""
    return any(pattern.matches(name) for pattern in patterns)


def _compiled(text: str) -> re.Pattern[str]:
    with warnings.catch_warnings():
        # [[:alpha:]] compiles, but to something that nobody meant.
        warnings.simplefilter("error", FutureWarning)
        try:
            compiled = re.compile(text)
            if not takes_long(text):
                return compiled
        except re.error as error:
            reason = error.msg if error.pos is None else f"{error.msg} at character {error.pos + 1}"
        except FutureWarning:
            reason = "[[, --, &&, || or ~~ in a character set is ambiguous; escape it"
        except (RecursionError, OverflowError):
            reason = "too deeply nested or too many repetitions"
        else:
            raise ValueError(
                "matching a name could take for ever: repetitions overlap, as in (a+)+ or (.*-)*;"
                " write [a-z-]+ rather than ([a-z]+-?)+"
            )
    raise ValueError(f"not a regular expression: {reason}")
