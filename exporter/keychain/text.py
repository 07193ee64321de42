"""What keys may look like, and foreign text made safe to show where keys are about."""

import re

from exporter.text import bounded

_PRINTABLE = re.compile(r"[!-~]+")
# Longer than the words of a message and the parts of an ARN; tokens have hundreds of characters.
_OPAQUE = re.compile(r"[\w.+/=~%-]{64,}")


def is_key(text: str) -> bool:
    """Tell whether a text can be a key, a secret or a token: they travel in headers."""
    return _PRINTABLE.fullmatch(text) is not None


def shown(text: str) -> str:
    """Return foreign text bounded, on one line, and without words that could be tokens."""
    return bounded(_OPAQUE.sub("…", text))
