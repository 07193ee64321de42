"""Durations in the notations of Prometheus (``500ms``, ``1h30m``) and Go, as float seconds."""

import re

from exporter.base.text import Expanded, quoted

# The order of the units is that of Prometheus. Each unit occurs at most once, with a whole number.
_UNITS = {"y": 31_536_000, "w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1, "ms": 0.001}
DURATION_REGEX = "".join(f"(?:([0-9]{{1,15}}){unit})?" for unit in _UNITS)
_DURATION = re.compile(DURATION_REGEX)
_LONGEST = 31_536_000.0

_GO_UNITS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,  # the micro sign
    "μs": 1e-6,  # the Greek letter, which Go accepts as well
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}
_GO_NUMBER = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_GO_PART = rf"({_GO_NUMBER})({'|'.join(_GO_UNITS)})"
_GO_LONGEST = 64


def parse_duration(text: str) -> float:
    """Return the duration ``text`` in seconds, which is more than 0 and at most a year.

    Raises ValueError with a human-readable message.
    """
    if re.fullmatch(r"[0-9]{1,15}", text) and not isinstance(text, Expanded):
        raise ValueError(f"a duration needs a unit: write {text}s, or {text}m for minutes")
    match = _DURATION.fullmatch(text) if text else None
    if match is None:
        raise ValueError(f"expected a duration such as 90s, 3m or 1h30m, found {quoted(text)}")
    amounts = zip(match.groups("0"), _UNITS.values(), strict=True)
    seconds = float(sum(int(amount) * unit for amount, unit in amounts))
    if not 0 < seconds <= _LONGEST:
        raise ValueError(f"must be longer than 0s and at most 365d, found {quoted(text)}")
    return seconds


def format_duration(seconds: float) -> str:
    """Return seconds in the notation that ``parse_duration`` reads, rounded to milliseconds."""
    rest = round(seconds * 1000)
    text = ""
    for unit in ("d", "h", "m", "s", "ms"):
        amount, rest = divmod(rest, round(_UNITS[unit] * 1000))
        text += f"{amount}{unit}" if amount else ""
    return text or "0s"


def parse_go_duration(text: str) -> float:
    """Return the seconds of a Go duration such as ``1m30s`` or ``100ms``.

    A plain integer is a number of nanoseconds, as in Go. Raises ValueError if the text is not a
    valid duration.
    """
    if re.fullmatch(r"[+-]?[0-9]{1,18}", text):
        return int(text) * 1e-9
    digits = text[1:] if text[:1] in {"+", "-"} else text
    parts = re.findall(_GO_PART, digits)
    if not parts or len(text) > _GO_LONGEST or "".join(n + unit for n, unit in parts) != digits:
        raise ValueError("expected a duration such as 500ms, 1s or 1m30s")
    seconds = sum(float(number) * _GO_UNITS[unit] for number, unit in parts)
    return -seconds if text.startswith("-") else seconds
