"""The text of cursors, which is base64 of a decimal integer."""

import base64
import binascii

_MAX_TEXT = 64


def encode_cursor(cursor: int) -> str:
    """Return the text of a cursor as the API shows it."""
    return base64.b64encode(str(cursor).encode()).decode()


def decode_cursor(text: str) -> int | None:
    """Return the cursor in a text, or None if the text is not a cursor."""
    try:
        digits = base64.b64decode(text, validate=True).decode("ascii") if text else ""
    except (binascii.Error, ValueError):
        return None
    return int(digits) if len(text) <= _MAX_TEXT and digits.isdecimal() else None
