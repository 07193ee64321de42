"""Foreign text made safe to show: bounded, on one line, and always encodable."""

import re
from typing import Self

LIMIT = 256
_ECHO_LIMIT = 64
# Longer than the words of a message and the parts of an ARN; tokens have hundreds of characters.
_OPAQUE = re.compile(r"[\w.+/=~%-]{64,}")


def bounded(text: str, limit: int = LIMIT) -> str:
    """Return the text without control characters and lone surrogates, at most limit characters.

    What cannot be shown becomes U+FFFD; what is cut ends with an ellipsis.
    """
    if len(text) <= limit and text.isascii() and text.isprintable():
        return text
    head = text[: limit + 1]
    if not (head.isascii() and head.isprintable()):
        head = "".join(char if _is_showable(char) else "\ufffd" for char in head)
    return head if len(head) <= limit else head[: limit - 1] + "…"


def without_tokens(text: str) -> str:
    """Return foreign text bounded, on one line, and without words that could be tokens."""
    return bounded(_OPAQUE.sub("…", text))


class Expanded(str):
    """A value that environment variables had a part in; ``written`` is what the file says.

    A variable often holds a secret, and may have been put in the wrong place.
    """

    __slots__ = ("written",)
    written: str

    def __new__(cls, value: str, written: str) -> Self:
        """Make a text of a value."""
        made = super().__new__(cls, value)
        made.written = written
        return made


def printable(text: str) -> str:
    """Escape whatever a terminal or a log could take for a command."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def quoted(text: str) -> str:
    """Quote foreign text, cut to 64 characters and without control characters.

    What came from a variable is named, not quoted.
    """
    if isinstance(text, Expanded):
        return f"the value of {quoted(text.written)}"
    cut = printable(text[:_ECHO_LIMIT])
    if len(text) > _ECHO_LIMIT or len(cut) > _ECHO_LIMIT:
        cut = f"{cut[: _ECHO_LIMIT - 1]}…"
    return f"'{cut}'"


def _is_showable(char: str) -> bool:
    # Format characters (bidirectional overrides, zero width) are not printable either: a name
    # must not be able to look like another one.
    return char.isprintable()
