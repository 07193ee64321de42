"""Foreign text made safe to show: bounded, on one line, and always encodable."""

LIMIT = 256


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


def _is_showable(char: str) -> bool:
    # Format characters (bidirectional overrides, zero width) are not printable either: a name
    # must not be able to look like another one.
    return char.isprintable()
