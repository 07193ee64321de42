"""Durations as Prometheus writes them (``500ms``, ``60s``, ``1h30m``), in seconds as floats."""

import re

from exporter.base.text import Expanded, quoted

# The units in Prometheus' own order, each at most once; whole numbers only.
_UNITS = {"y": 31_536_000, "w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1, "ms": 0.001}
DURATION_REGEX = "".join(f"(?:([0-9]{{1,15}}){unit})?" for unit in _UNITS)
_DURATION = re.compile(DURATION_REGEX)
_LONGEST = 31_536_000.0


def parse_duration(text: str) -> float:
    """Return the seconds that ``text`` stands for: more than 0, at most a year.

    Raises ValueError with a message for people.
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
    """Write seconds in the form that ``parse_duration`` reads, to the millisecond."""
    rest = round(seconds * 1000)
    text = ""
    for unit in ("d", "h", "m", "s", "ms"):
        amount, rest = divmod(rest, round(_UNITS[unit] * 1000))
        text += f"{amount}{unit}" if amount else ""
    return text or "0s"
