"""Checks of shown text: bounded, on a single line, encodable, and without secrets."""

SECRET = "hunter2-hunter2-hunter2"


class FaultError(AssertionError):
    """An error that a target found. Python removes assert statements under ``python -O``."""


def require(holds: object, message: str) -> None:
    """Raise FaultError unless the condition is true."""
    if not holds:
        raise FaultError(message)


def require_showable(text: str, limit: int) -> None:
    """Raise FaultError unless a text can be shown unchanged on one line."""
    require(len(text) <= limit, f"{len(text)} characters, more than {limit}")
    require(text.isprintable(), f"not printable: {text[:500]!a}")
    require(SECRET not in text, "a secret shows")
