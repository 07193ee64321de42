"""Names in the configuration: RE2 regular expressions that must match a whole name.

RE2 matches in time proportional to the length of a name, for all patterns.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, Self, TypeVar

from exporter.base.text import Expanded, quoted

T = TypeVar("T")

LONGEST_PATTERN = 1024
# Enough for about 12000 instructions of RE2, with which 256 characters take at most about 5 ms.
_MAX_BYTES = 256 * 1024
METACHARACTER = re.compile(r"[.^$*+?{}\[\]\\|()]")

# The keys match errors of RE2.
_REMEDIES = {
    re.compile(r"\(\?<?[=!]$"): "there is no lookaround; list the names to leave out in"
    " exclude_projects, exclude_logstores, exclude_consumer_groups or exclude_consumers",
    re.compile(r"\(\?P$|\(\?\($|\\[1-9]$"): "there are no references to groups; write each case,"
    " as in (aa|bb)",
    re.compile(r"\(\?>$"): "there are no atomic groups; write (?:…)",
    re.compile(r"[*+?}]\+$"): "there are no possessive repetitions; leave out the last +",
    re.compile(r"\(\?[A-Za-z-]*[aLux]$"): "leave out this flag; there are i, m, s and U",
    re.compile(r"\(\?#$"): "leave it out; there are no comments",
    re.compile(r"\\Z$"): "leave it out; a pattern always matches the whole name",
    re.compile(r"\\[uUN]$"): r"write \x{20ac} for the character U+20AC",
    re.compile(r"\\[^ -~]$"): "leave out the backslash",
    re.compile("repetition size"): "write at most 1000, the smaller number first; repetitions"
    " within each other multiply",
    re.compile("too large"): "shorten it, or repeat less often",
}

# Parts of patterns. Python interprets the two named groups differently from RE2, which takes them
# as plain text or a number.
_MISREAD = re.compile(
    r"""
    \\Q.*?(?:\\E|$)                                         # a quotation
    | \[ \^? \]? (?: \[:\^?\w+:\] | \\. | [^\]\\] )* \]     # a set of characters
    | (?P<reference> \\[1-9](?![0-7]{2}) )
    | \\(?: [xpP]\{[^}]*\} | . )
    | \{ (?:0|[1-9][0-9]{0,3}) (?: ,(?:0|[1-9][0-9]{0,3})? )? \}
    | (?P<repetition> \{[0-9]+(?:,[0-9]*)?\} | \{,[0-9]*\} )
    """,
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """An anchored regular expression. A literal one is a plain name and matches only itself."""

    text: str
    literal: bool
    _fullmatch: Callable[[bytes], object] | None = field(repr=False, compare=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a pattern of 1 to 1024 printable characters, in the syntax of RE2.

        Raises ValueError with a human-readable message.
        """
        if not text:
            raise ValueError("a name must not be empty; '.*' matches every name")
        if len(text) > LONGEST_PATTERN:
            raise ValueError(f"must have at most {LONGEST_PATTERN} characters, found {len(text)}")
        if not text.isprintable():
            raise ValueError(
                "a name must not contain line breaks or other invisible characters,"
                f" found {quoted(text)}"
            )
        if text != text.strip():
            raise ValueError("a name must not begin or end with a space")
        # Compiling takes about 20 µs, and thousands of groups are usually plain names.
        literal = is_literal(text)
        return cls(text=text, literal=literal, _fullmatch=None if literal else _compiled(text))

    def matches(self, name: str) -> bool:
        """Return whether the whole of ``name`` matches."""
        if self._fullmatch is None:
            return self.text == name
        # A lone surrogate is not an error. It counts as one character, as in Python.
        return self._fullmatch(name.encode(errors="surrogatepass")) is not None

    def __str__(self) -> str:
        return self.text


def is_literal(text: str) -> bool:
    """Return whether a text is a plain name, without metacharacters of RE2."""
    return METACHARACTER.search(text) is None


def any_matches(patterns: Iterable[Pattern], name: str) -> bool:
    """Return whether the whole of ``name`` matches one of the patterns."""
    return any(pattern.matches(name) for pattern in patterns)


class ByName(Generic[T]):
    """Items with the patterns of their names, in order.

    Items with a plain name are found by it, since there can be thousands of them.
    """

    def __init__(self, items: Iterable[tuple[Pattern, T]]) -> None:
        self._plain: dict[str, list[tuple[int, T]]] = {}
        self._patterns: list[tuple[int, Pattern, T]] = []
        for number, (pattern, item) in enumerate(items):
            if pattern.literal:
                self._plain.setdefault(pattern.text, []).append((number, item))
            else:
                self._patterns.append((number, pattern, item))

    @property
    def plain_names(self) -> Collection[str]:
        """The plain names."""
        return self._plain.keys()

    @property
    def has_patterns(self) -> bool:
        """True if an item has a name that is not plain."""
        return bool(self._patterns)

    def matching(self, name: str) -> Iterator[T]:
        """Yield the items whose pattern matches a name, in their order."""
        plain = [*self._plain.get(name, ())]
        for number, pattern, item in self._patterns:
            while plain and plain[0][0] < number:
                yield plain.pop(0)[1]
            if pattern.matches(name):
                yield item
        for _, item in plain:
            yield item


def _compiled(text: str) -> Callable[[bytes], object]:
    import re2  # noqa: PLC0415 - the import takes 4 ms, and plain names do not need it

    options = re2.Options()
    options.log_errors = False  # RE2 would write them to stderr, between the lines of the log
    options.max_mem = _MAX_BYTES
    options.never_capture = True
    try:
        fullmatch: Callable[[bytes], object] = re2.compile(text, options).fullmatch
    except re2.error as error:
        reason = error.args[0].decode(errors="replace")
    else:
        _refuse_misread(text)
        return fullmatch
    remedy = next(
        (f"; {remedy}" for error, remedy in _REMEDIES.items() if error.search(reason)), ""
    )
    problem, _, part = reason.partition(": ")
    raise ValueError(f"not a regular expression of RE2: {problem}{_shown(part, text)}{remedy}")


def _refuse_misread(text: str) -> None:
    for found in _MISREAD.finditer(text):
        if found["reference"]:
            raise ValueError(
                f"not a reference to a group in RE2{_shown(found[0], text)}; write each case, as in"
                " (aa|bb)"
            )
        if found["repetition"]:
            raise ValueError(
                f"not a repetition in RE2{_shown(found[0], text)}; write {{0,n}} for at most n"
                r" times, numbers up to 1000 without zeros before them, and \{ for a brace"
            )


def _shown(part: str, text: str) -> str:
    """Return a part of a pattern for a message.

    If the pattern is from a variable, return the text in the file instead.
    """
    if not part:
        return ""
    return f": {quoted(text if isinstance(text, Expanded) else part)}"
