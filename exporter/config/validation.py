"""Validation of a YAML document against a model, with the positions of all problems."""

import difflib
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Generic, TypeVar

from msgspec import Struct
from msgspec.structs import replace
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import ErrorDetails

from exporter.base.files import MIB
from exporter.base.text import printable
from exporter.config.compose import compose, text_position
from exporter.config.document import BROKEN, Document
from exporter.config.misplaced import concealed, misplaced, secrets
from exporter.config.problems import (
    ConfigError,
    KeyPath,
    Problem,
    described,
    path_text,
)

_MOST_PROBLEMS = 1000
_OF_KEY = "[key]"  # pydantic's last part of the place of a problem in a key
_AT_KEY = {"missing", "null", "extra_forbidden"}
# The keys are pydantic's types of errors.
_MESSAGES = {
    "missing": "this key is required",
    "null": "this key needs a value",
    "model_type": "expected a mapping of keys to values, found {found}",
    "dict_type": "expected a mapping of keys to values, found {found}",
    "tuple_type": "expected a list, [a, b] or lines that start with '- ', found {found}",
    "string_type": "expected text, found {found}",
    "too_short": "the list must not be empty",
    "literal_error": "expected {expected}, found {found}",
}


class Section(BaseModel):
    """A mapping of the file. A key without a value counts as absent."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, data: object) -> object:
        if not isinstance(data, dict) or None not in data.values():
            return data
        fields = keys_of(cls)
        return {key: item for key, item in data.items() if item is not None or key not in fields}


M = TypeVar("M", bound=Section)


def keys_of(model: type[BaseModel]) -> list[str]:
    """Return the keys that a section may have."""
    return [field.alias or name for name, field in model.model_fields.items()]


class Reading(Struct, Generic[M], kw_only=True):
    """The result of reading a document: the model if it is valid, and all problems so far."""

    model: M | None = None
    document: Document
    problems: list[Problem]

    def add(self, problem: Problem) -> None:
        """Locate a problem in the document and add it."""
        message = problem.message
        if problem.repeats is not None:
            line = self.document.position(problem.repeats).line
            message += f" at line {line} ({path_text(problem.repeats)})"
        position = self.document.position(problem.path)
        self.problems.append(Problem(path=problem.path, message=message, position=position))


class Format(Struct, Generic[M], frozen=True, kw_only=True):
    """A file format: its model, its checks and its limits."""

    model: type[M]
    check: Callable[[Mapping[str, object]], Iterable[Problem]]
    """A function that yields problems between values. The data it gets can be invalid."""
    secret_keys: frozenset[str]
    """The keys whose values are not quoted in messages, and are not allowed in other places."""
    secret_variables: tuple[str, ...] = ()
    """The environment variables whose values are treated in the same way."""
    max_bytes: int
    max_values: int
    merge_keys: bool = False

    def read(
        self, text: str | bytes, *, environ: Mapping[str, str] | None, context: object
    ) -> Reading[M]:
        """Read a text. ``context`` is passed to the validators of the model.

        Variables are expanded in values if ``environ`` is given.
        """
        decoded = self._decode(text)
        if isinstance(decoded, Problem):
            nothing = Document(root=None, problems=(decoded,), complete=False)
            return Reading(document=nothing, problems=[decoded])
        document = compose(decoded, max_values=self.max_values, merge_keys=self.merge_keys)
        reading = Reading[M](document=document, problems=list(document.problems))
        if document.complete:
            data, unexpanded = document.plain(environ)
            reading.problems += unexpanded
            self._validate(data, context, reading)
            variables = [(environ or {}).get(name, "") for name in self.secret_variables]
            found = secrets(data, self.secret_keys, variables)
            reading.problems += misplaced(data, found, self.secret_keys, document)
            reading.problems[:] = [concealed(each, found) for each in reading.problems]
        return reading

    def error(self, name: str, problems: Iterable[Problem]) -> ConfigError:
        """Return the error for a file with the given problems."""
        # Aliases can repeat the same problem at the same position many times.
        unique = sorted(dict.fromkeys(problems), key=lambda p: (p.position.line, p.position.column))
        shown = unique[:_MOST_PROBLEMS]
        if len(unique) > len(shown):
            message = f"{len(unique) - len(shown)} more errors are not listed"
            last = shown[-1].position
            shown.append(Problem(path=(), message=message, position=last))
        file = printable(name)
        return ConfigError(
            tuple(replace(each, path=self._shown(each.path), file=file) for each in shown)
        )

    def _decode(self, text: str | bytes) -> str | Problem:
        if len(text) > self.max_bytes:
            return whole(f"larger than {self.max_bytes // MIB} MiB")
        if isinstance(text, str):
            return text.removeprefix("\ufeff")
        try:
            return text.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            good = text[: error.start].decode("utf-8-sig")
            return Problem(
                path=(),
                message=f"byte 0x{text[error.start]:02x} is not UTF-8; save the file as UTF-8",
                position=text_position(good, len(good)),
            )

    def _validate(self, data: object, context: object, reading: Reading[M]) -> None:
        required = [name for name, field in self.model.model_fields.items() if field.is_required()]
        if data is None and not required:
            data = {}
        if not isinstance(data, dict):
            if data is not BROKEN:
                reading.problems.append(whole(_not_a_mapping(data, " and ".join(required))))
            return
        # A value that could not be read is also invalid. Report only the first problem.
        reported = {(problem.path, problem.position) for problem in reading.problems}
        before = len(reading.problems)
        try:
            reading.model = self.model.model_validate(data, context=context)
        except ValidationError as error:
            reading.problems += self._problems_of(error, data, reading.document)
        for problem in self.check(data):
            reading.add(problem)
        reading.problems[before:] = [
            each for each in reading.problems[before:] if (each.path, each.position) not in reported
        ]

    def _problems_of(
        self, error: ValidationError, data: object, document: Document
    ) -> Iterator[Problem]:
        for detail in error.errors(include_url=False, include_input=False):
            kind = detail["type"]
            path, is_key = _place(detail["loc"])
            # pydantic does not count invalid items, so a list of only those seems empty.
            if kind == "too_short" and _value(path, data):
                continue
            if kind == "missing" and document.is_null(path):
                kind = "null"
            yield Problem(
                path=path,
                message=self._message(kind, detail, data),
                position=document.position(path, key=is_key or kind in _AT_KEY),
            )

    def _message(self, kind: str, detail: ErrorDetails, data: object) -> str:
        path = detail["loc"]
        if kind == "value_error":
            return str(detail["ctx"]["error"])
        if kind == "extra_forbidden":
            return self._unknown(path)
        value = _value(path, data)
        is_secret = isinstance(value, str) and not self.secret_keys.isdisjoint(path)
        return _MESSAGES.get(kind, "this value cannot be used").format(
            found="text" if is_secret else described(value),
            expected=detail.get("ctx", {}).get("expected", "").replace("'", ""),
        )

    def _unknown(self, path: KeyPath) -> str:
        keys = _keys_in(_annotation_at(self.model, path[:-1]))
        near = _near(path[-1], keys)
        hint = f"did you mean {near}?" if near else f"there are {', '.join(keys)}"
        return f"unknown key; {hint}"

    def _shown(self, path: KeyPath) -> KeyPath:
        """Truncate a path before a part that can be a secret in the position of a key."""
        for index, part in enumerate(path[:-1], 1):
            if part in self.secret_keys:
                annotation = _annotation_at(self.model, path[:index])
                if typing.get_origin(annotation) is dict:
                    return path[: index + 1]
                keys = _keys_in(annotation)
                if path[index] not in keys:
                    return path if _near(path[index], keys) else path[:index]
        return path


def whole(message: str) -> Problem:
    """Return a problem of the whole file."""
    return Problem(path=(), message=message)


def unread(error: OSError) -> Problem:
    """Return the problem of a file that cannot be read."""
    return Problem(path=(), message=f"cannot be read: {error.strerror}", is_unread=True)


def _not_a_mapping(data: object, required: str) -> str:
    if data is None:
        return f"the document is empty; at least the key {required} is required"
    expected = f"a mapping with the key {required}" if required else "a mapping of keys to values"
    return f"expected {expected}, found {'text' if isinstance(data, str) else 'a list'}"


def _place(path: KeyPath) -> tuple[KeyPath, bool]:
    """Return a place as a path, and whether it is that of a key."""
    return (path[:-1], True) if path[-1:] == (_OF_KEY,) else (path, False)


def _value(path: KeyPath, data: object) -> object:
    for part in path:
        if isinstance(data, dict):
            data = data.get(part)
        elif isinstance(data, list) and isinstance(part, int):
            data = data[part]
    return data


def _near(key: str | int, keys: list[str]) -> str | None:
    return next(iter(difflib.get_close_matches(str(key)[:64], keys, n=1)), None)


def _annotation_at(model: type[BaseModel], path: KeyPath) -> object:
    """Return the type of a value; None if no model describes it."""
    annotation: object = model
    for part in path:
        if isinstance(part, str):
            section = _section_in(annotation)
            field = section.model_fields.get(part) if section else None
            annotation = field.annotation if field else None
    return annotation


def _keys_in(annotation: object) -> list[str]:
    section = _section_in(annotation)
    return keys_of(section) if section else []


def _section_in(annotation: object) -> type[BaseModel] | None:
    """Return the section in a type: the type itself, its optional type or that of its items."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = typing.get_args(annotation)
    return next((found for each in inner if (found := _section_in(each))), None)
