"""The text of cursors, which is base64 of a decimal integer."""

import base64
import binascii

_MAX_TEXT = 64


def encode_cursor(cursor: int) -> str:
    """Return the text of a cursor as the API shows it."""
    return base64.b64encode(str(cursor).encode()).decode()


def decode_cursor(text: str) -> int | None:
    """Return the cursor in a text, or None if the text is not a cursor."""
    if len(text) > _MAX_TEXT or not is_base64(text):
        return None
    digits = base64.b64decode(text)
    return int(digits) if digits.isdigit() else None


def is_base64(text: str) -> bool:
    """Return whether a text is valid base64."""
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True
