"""Values out of JSON: of the type that is expected, bounded, or an error that names what is there.

The shape of an answer as a whole must be right, else ShapeError. One bad entry in a list is left
out and reported beside the good ones.
"""

import json
import re
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct

from exporter.base.text import bounded

MAX_ENTRIES = 10_000  # of one answer; the service allows 256 shards and 30 groups a logstore
_MAX_DIGITS = 20  # of a 64-bit number

T = TypeVar("T")


class ShapeError(ValueError):
    """The answer as a whole is not of the shape that the operation gives."""


class Parsed(Struct, Generic[T], frozen=True, kw_only=True):
    """The good entries of a list, and what was wrong with each of the others."""

    entries: tuple[T, ...]
    faults: tuple[str, ...] = ()


def load_json(body: bytes) -> Any:  # noqa: ANN401  JSON is any of its types
    """Decode a body; raises ShapeError for what is not JSON (NaN and Infinity are not)."""
    if not body:
        raise ShapeError("the answer is empty")
    try:
        # orjson ends the process if there is no memory for a large list.
        return msgspec.json.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        pass  # it may be fit for use all the same: with a mark of its encoding, or half a character
    try:
        return json.loads(body.decode("utf-8-sig", errors="replace"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        start = bounded(body[:64].decode("utf-8", errors="replace"))
        raise ShapeError(f"the answer is not JSON; it begins with {start!r}") from error


def of_json(parse: Callable[[object], T]) -> Callable[[bytes, float], T]:
    """Return a reader of a body, at any time, from one of decoded JSON."""
    return lambda body, _now: parse(load_json(body))


def entries_of(answer: object, parse: Callable[[object], T]) -> Parsed[T]:
    """Read each entry of an array; raises ShapeError where it is none, or too long."""
    if not isinstance(answer, list):
        raise ShapeError(f"expected an array, got {_kind(answer)}")
    if len(answer) > MAX_ENTRIES:
        raise ShapeError(f"the answer lists {len(answer)} entries, more than {MAX_ENTRIES}")
    good: list[T] = []
    faults: list[str] = []
    for entry in answer:
        try:
            good.append(parse(entry))
        except ShapeError as error:
            faults.append(str(error))
    return Parsed(entries=tuple(good), faults=tuple(faults))


def object_of(value: object) -> dict[str, object]:
    """Return an object; raises ShapeError for anything else."""
    if not isinstance(value, dict):
        raise ShapeError(f"expected an object, got {_kind(value)}")
    return value


def name_of(value: object) -> str:
    """Return a name; raises ShapeError for what is none, or could not be shown as it is."""
    # A name that had to be changed to be shown would not be the name any more.
    if not isinstance(value, str) or not value or bounded(value) != value:
        raise ShapeError(f"expected a name, got {_kind(value)}")
    return value


def text_of(fields: dict[str, object], key: str, *, limit: int) -> str:
    """Return a text of an object, bounded, empty where it is absent; raises ShapeError."""
    value = fields.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ShapeError(f"{key} is {_kind(value)}, expected a string")
    return bounded(value, limit)


def integer_of(fields: dict[str, object], key: str, *, low: int, high: int) -> int:
    """Return a whole number of an object; raises ShapeError where it is none or out of range."""
    value = fields.get(key)
    if type(value) is not int:  # and not a boolean, which is one
        value = from_digits(value)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise ShapeError(f"{key} is {_kind(value)}, expected a whole number")
    if not low <= value <= high:
        raise ShapeError(f"{key} is out of range")
    return value


def from_digits(value: object) -> object:
    """Turn a text of digits into its number: some documents show numbers as strings."""
    if isinstance(value, str) and len(value) <= _MAX_DIGITS and re.fullmatch("[0-9]+", value):
        return int(value)
    return value


def _kind(value: object) -> str:
    """Name a JSON type, with a little of what a text holds."""
    if isinstance(value, str):
        return f"the text {bounded(value, 32)!r}"
    names = {dict: "an object", list: "an array", bool: "a boolean", type(None): "nothing"}
    return names.get(type(value), "a number")


def _no_constant(name: str) -> None:
    raise ShapeError(f"{name} is not JSON")
