"""Cursors on the wire: base64 of a decimal integer, nothing more."""

import base64
import binascii

_MAX_TEXT = 64


def encode_cursor(cursor: int) -> str:
    """Return the text of a cursor as the API shows it."""
    return base64.b64encode(str(cursor).encode()).decode()


def decode_cursor(text: str) -> int | None:
    """Read the text of a cursor, or return None where it is not one."""
    try:
        digits = base64.b64decode(text, validate=True).decode("ascii") if text else ""
    except (binascii.Error, ValueError):
        return None
    return int(digits) if len(text) <= _MAX_TEXT and digits.isdecimal() else None
