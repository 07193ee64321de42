"""Texts for people, and untrusted input in them: truncated, on one line, always encodable."""

import re
from collections.abc import Iterable
from typing import Self
from urllib.parse import quote

LIMIT = 256
_ECHO_LIMIT = 64
# The words of messages and the parts of ARNs are shorter. Tokens have hundreds of characters.
_OPAQUE = re.compile(r"[\w.+/=~%-]{64,}")
# The formats of a secret of an access key, of a token of STS, and of signatures: HMAC-SHA1 in
# base64, and HMAC-SHA256 in hexadecimal digits.
_SECRET = re.compile(
    r"""(?<![A-Za-z0-9+/])(?:
        (?=[0-9a-z]*[A-Z])(?=[0-9A-Z]*[a-z])(?=[A-Za-z]*[0-9])[A-Za-z0-9]{30}
        | CA[EI]S[\w+/=%-]{16,}
        | (?:[A-Za-z0-9+/]|%2[BFbf]){27}(?:=|%3[Dd])
        | [0-9A-Fa-f]{64}
    )(?![A-Za-z0-9+/=])""",
    re.VERBOSE,
)
SHORTEST_SECRET = 6
_SHORTEST_PART = 8


def bounded(text: str, limit: int = LIMIT) -> str:
    """Return the text without control characters and lone surrogates, at most limit characters.

    Characters that cannot be shown are replaced with U+FFFD. A truncated text ends with an
    ellipsis.
    """
    if len(text) <= limit and text.isascii() and text.isprintable():
        return text
    head = text[: limit + 1]
    if not (head.isascii() and head.isprintable()):
        # Format characters (bidirectional overrides, zero width) are not printable either, so a
        # name cannot be made to look like another one.
        head = "".join(char if char.isprintable() else "\ufffd" for char in head)
    return head if len(head) <= limit else head[: limit - 1] + "…"


def without_tokens(text: str) -> str:
    """Return untrusted input truncated, on one line, and without words that could be tokens."""
    return bounded(_OPAQUE.sub("…", text))


def masked(text: str, secrets: Iterable[str] = ()) -> str:
    """Return the text without the given secrets, and without words in the format of a secret.

    A secret can be percent-encoded, or truncated to at least 8 characters. Secrets that have fewer
    than 6 characters are not masked, because they can be a part of any word.
    """
    known = [secret for secret in secrets if len(secret) >= SHORTEST_SECRET]
    forms = {form for secret in known for form in (secret, quote(secret, safe=""))}
    # A secret can begin like another one, so replace complete secrets first.
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, "…")
    for form in forms:
        text = _without(form, text)
    return _SECRET.sub("…", text)


def pem_text(content: bytes) -> str:
    """Return the content of a PEM file without the non-ASCII characters of its comments.

    The ssl module rejects them, although they can only be outside the PEM blocks.
    """
    return content.decode("ascii", errors="ignore")


def looks_secret(text: str) -> bool:
    """Return whether a text has the format of a secret, a token or a signature."""
    return _SECRET.fullmatch(text) is not None


def _without(secret: str, text: str) -> str:
    head = secret[:_SHORTEST_PART]
    while (start := text.find(head)) >= 0:
        length = next(n for n in range(len(secret), 0, -1) if text.startswith(secret[:n], start))
        text = f"{text[:start]}…{text[start + length :]}"
    return text


class Expanded(str):
    """A value into which environment variables were expanded.

    ``written`` is the text in the file. Error messages show only this text, because a variable
    often contains a secret and can be used for the wrong key.
    """

    __slots__ = ("written",)
    written: str

    def __new__(cls, value: str, written: str) -> Self:
        """Create the text from the expanded value and the text in the file."""
        made = super().__new__(cls, value)
        made.written = written
        return made


def printable(text: str) -> str:
    """Escape characters that a terminal or a log viewer could interpret as commands."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def quoted(text: str) -> str:
    """Quote untrusted input, truncated to 64 characters and without control characters.

    A value from a variable is not quoted. The result refers to the text in the file instead. A text
    in the format of a secret is not quoted either.
    """
    if isinstance(text, Expanded):
        return f"the value of {quoted(text.written)}"
    if looks_secret(text):
        return "text that looks like a secret"
    cut = printable(text[:_ECHO_LIMIT])
    if len(text) > _ECHO_LIMIT or len(cut) > _ECHO_LIMIT:
        cut = f"{cut[: _ECHO_LIMIT - 1]}…"
    return f"'{cut}'"


def counted(count: int, noun: str) -> str:
    """Return a count with its noun, which is plural unless the count is 1."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
