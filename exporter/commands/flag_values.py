"""The values of flags: conversions from text that raise ValueError with the expected form."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # help and the version must not need the modules of any command
    from exporter.config.patterns import Pattern
    from exporter.web.listen import ListenAddress

_ECHO_LIMIT = 64
_COUNT_DIGITS = 9
_LONGEST_PATH = 4096  # of Linux
_PLAIN_PATH = re.compile(r"/[A-Za-z0-9._~/-]*")
_OTHER_PATHS = {"/api/v1/groups", "/-/healthy", "/-/ready", "/-/reload"}
"""The paths of the server that metrics must not replace. A status page is not needed."""


def one_of(options: Sequence[str]) -> Callable[[str], str]:
    """Return a conversion that accepts only the given texts."""

    def convert(text: str) -> str:
        if text not in options:
            raise ValueError(f"expected {', '.join(options)}, not {text[:_ECHO_LIMIT]!r}")
        return text

    return convert


def addresses(text: str) -> "tuple[ListenAddress, ...]":
    """Return the addresses in a list that is separated by commas."""
    from exporter.web.listen import ListenAddress  # noqa: PLC0415  see above

    return tuple(ListenAddress.parse(each.strip()) for each in text.split(","))


def file(text: str) -> Path:
    """Return a path.

    The text of a file in place of its path can contain a secret, so its error does not quote it.
    """
    if not text:
        raise ValueError("expected the path of a file")
    if "\n" in text or text.lstrip().startswith("{") or len(text) > _LONGEST_PATH:
        raise ValueError("expected the path of a file, not its text")
    return Path(text)


def optional_file(text: str) -> Path | None:
    """Return a path, or None for an empty text."""
    return file(text) if text else None


def pattern(text: str) -> "Pattern":
    """Return an anchored pattern of names."""
    from exporter.config.patterns import Pattern  # noqa: PLC0415  see above

    return Pattern.parse(text)


def seconds(text: str) -> float:
    """Return a duration such as ``30s`` in seconds."""
    from exporter.base.durations import parse_duration  # noqa: PLC0415  see above

    return parse_duration(text)


def telemetry_path(text: str) -> str:
    """Return a path without characters that need escaping."""
    if not _PLAIN_PATH.fullmatch(text):
        raise ValueError(f"expected a plain path such as /metrics, not {text[:_ECHO_LIMIT]!r}")
    if text in _OTHER_PATHS:
        raise ValueError(f"the exporter needs {text} itself; choose another path")
    return text


def count(text: str) -> int:
    """Return a whole number from 0."""
    if not (text.isascii() and text.isdigit() and len(text) <= _COUNT_DIGITS):
        raise ValueError(f"expected a whole number, not {text[:_ECHO_LIMIT]!r}")
    return int(text)


def positive(text: str) -> int:
    """Return a whole number from 1."""
    number = count(text)
    if not number:
        raise ValueError("expected a whole number from 1, not '0'")
    return number


def ordinal(text: str) -> int:
    """Return a number, given as such or as the last part of the name of a StatefulSet's pod."""
    return count(text.rpartition("-")[2])


def boolean(text: str) -> bool:
    """Return whether the text is ``true``; the only other valid text is ``false``."""
    if text not in {"true", "false"}:
        raise ValueError(f"expected true or false, not {text[:_ECHO_LIMIT]!r}")
    return text == "true"
