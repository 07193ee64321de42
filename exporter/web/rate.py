"""A token bucket for requests, as ``rate_limit`` of a web configuration describes it."""

import re
from collections.abc import Callable
from typing import Final

from msgspec import Struct

_UNITS: Final = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,  # the micro sign
    "μs": 1e-6,  # the Greek letter, which Go takes as well
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}
_NUMBER: Final = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_PART: Final = re.compile(rf"({_NUMBER})({'|'.join(_UNITS)})")
_MAX_TEXT: Final = 64


class RateLimit(Struct, frozen=True, kw_only=True):
    """A token every ``interval`` seconds, ``burst`` of them kept at most."""

    interval: float
    burst: int


class TokenBucket:
    """Full at first. Not thread-safe: it belongs to the event loop."""

    def __init__(self, limit: RateLimit, now: Callable[[], float]) -> None:
        self.limit = limit
        self._now = now
        self._tokens = float(limit.burst)
        self._at = now()

    def take(self) -> bool:
        """Take a token if there is one."""
        now = self._now()
        gained = (now - self._at) / self.limit.interval
        self._tokens = min(self._tokens + gained, float(self.limit.burst))
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def parse_duration(text: str) -> float:
    """Return the seconds of a Go duration such as ``1m30s`` or ``100ms``; ValueError if it is none.

    A plain integer counts nanoseconds, as in Go.
    """
    if re.fullmatch(r"[+-]?[0-9]{1,18}", text):
        return int(text) * 1e-9
    digits = text[1:] if text[:1] in {"+", "-"} else text
    parts = _PART.findall(digits)
    if not parts or len(text) > _MAX_TEXT or "".join(n + unit for n, unit in parts) != digits:
        raise ValueError("expected a duration such as 500ms, 1s or 1m30s")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    return -seconds if text.startswith("-") else seconds
