"""Values from JSON, with checks of their types and sizes.

A response whose overall shape is wrong raises ShapeError. A list is returned without its invalid
entries, together with an error for each of them.
"""

import json
import re
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct

from exporter.base.text import bounded

MAX_ENTRIES = 10_000  # in one response; the service allows 256 shards and 30 groups per logstore
_MAX_DIGITS = 20  # of a 64-bit number

T = TypeVar("T")


class ShapeError(ValueError):
    """A response whose overall shape is not the one that the operation returns."""


class Parsed(Struct, Generic[T], frozen=True, kw_only=True):
    """The valid entries of a list, and the errors of the others."""

    entries: tuple[T, ...]
    faults: tuple[str, ...] = ()


def load_json(body: bytes) -> Any:  # noqa: ANN401  JSON is any of its types
    """Decode a body. Raises ShapeError if it is not JSON (NaN and Infinity are not)."""
    if not body:
        raise ShapeError("the response is empty")
    try:
        # orjson ends the process if there is no memory for a large list.
        return msgspec.json.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        pass  # The slower parser below also accepts a byte order mark and invalid UTF-8.
    try:
        return json.loads(body.decode("utf-8-sig", errors="replace"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        start = bounded(body[:64].decode("utf-8", errors="replace"))
        raise ShapeError(f"the response is not JSON; it begins with {start!r}") from error


def of_json(parse: Callable[[object], T]) -> Callable[[bytes, float], T]:
    """Return a function that reads a body, from one that reads decoded JSON."""
    return lambda body, _now: parse(load_json(body))


def entries_of(answer: object, parse: Callable[[object], T]) -> Parsed[T]:
    """Read each entry of an array. Raises ShapeError if it is not an array or too long."""
    if not isinstance(answer, list):
        raise ShapeError(f"expected an array, got {_kind(answer)}")
    if len(answer) > MAX_ENTRIES:
        raise ShapeError(f"the response lists {len(answer)} entries, more than {MAX_ENTRIES}")
    good: list[T] = []
    faults: list[str] = []
    for entry in answer:
        try:
            good.append(parse(entry))
        except ShapeError as error:
            faults.append(str(error))
    return Parsed(entries=tuple(good), faults=tuple(faults))


def object_of(value: object) -> dict[str, object]:
    """Return an object. Raises ShapeError for other types."""
    if not isinstance(value, dict):
        raise ShapeError(f"expected an object, got {_kind(value)}")
    return value


def name_of(value: object) -> str:
    """Return a name. Raises ShapeError if it is not a name or cannot be shown unchanged."""
    # A sanitized name would be a different name.
    if not isinstance(value, str) or not value or bounded(value) != value:
        raise ShapeError(f"expected a name, got {_kind(value)}")
    return value


def text_of(fields: dict[str, object], key: str, *, limit: int) -> str:
    """Return a truncated text of an object, empty if it is absent. Raises ShapeError."""
    value = fields.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ShapeError(f"{key} is {_kind(value)}, expected a string")
    return bounded(value, limit)


def integer_of(fields: dict[str, object], key: str, *, low: int, high: int) -> int:
    """Return an integer of an object. Raises ShapeError if it is not one or out of range."""
    value = fields.get(key)
    if type(value) is not int:  # A boolean is an instance of int.
        value = from_digits(value)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise ShapeError(f"{key} is {_kind(value)}, expected a whole number")
    if not low <= value <= high:
        raise ShapeError(f"{key} is out of range")
    return value


def from_digits(value: object) -> object:
    """Convert a string of digits to a number, since some documents show numbers as strings."""
    if isinstance(value, str) and len(value) <= _MAX_DIGITS and re.fullmatch("[0-9]+", value):
        return int(value)
    return value


def _kind(value: object) -> str:
    """Return the name of a JSON type, with the beginning of a text."""
    if isinstance(value, str):
        return f"the text {bounded(value, 32)!r}"
    names = {dict: "an object", list: "an array", bool: "a boolean", type(None): "nothing"}
    return names.get(type(value), "a number")


def _no_constant(name: str) -> None:
    raise ShapeError(f"{name} is not JSON")
