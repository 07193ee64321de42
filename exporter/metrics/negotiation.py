"""The choice of a format and a compression by the headers of a scrape (RFC 9110, section 12.5)."""

import re
from collections.abc import Iterator, Mapping

from msgspec import Struct

_WEIGHT = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")


class _Choice(Struct, frozen=True, kw_only=True):
    """One element of a header in lower case, with its parameters and its weight from 0 to 1."""

    value: str
    parameters: Mapping[str, str]
    weight: float


def prefers_openmetrics(accept: str) -> bool:
    """Return whether the preferred format of an Accept header is OpenMetrics instead of text.

    The first of several formats with the same weight counts. Wildcards mean text.
    """
    for choice in sorted(_choices(accept), key=lambda each: each.weight, reverse=True):
        if not choice.weight:
            return False
        if choice.value == "text/plain":
            return False
        if choice.value == "application/openmetrics-text":
            version = choice.parameters.get("version")
            if version is None or version.startswith("1."):
                return True
    return False


def accepts_gzip(accept_encoding: str) -> bool:
    """Return whether an Accept-Encoding header allows gzip; ``gzip;q=0`` forbids it."""
    weights = {choice.value: choice.weight for choice in _choices(accept_encoding)}
    named = [weights[name] for name in ("gzip", "x-gzip") if name in weights]
    return max(named or [weights.get("*", 0.0)]) > 0


def _choices(header: str) -> Iterator[_Choice]:
    for element in header.lower().split(","):
        value, *texts = (part.strip() for part in element.split(";"))
        pairs = [text.partition("=") for text in texts]
        parameters = {name.strip(): text.strip().strip('"') for name, _, text in pairs}
        weight = parameters.get("q", "")
        yield _Choice(
            value=value,
            parameters=parameters,
            weight=float(weight) if _WEIGHT.fullmatch(weight) else 1.0,
        )
