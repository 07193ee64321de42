"""What pydantic found, in our own words, at the place in the file where it is."""

import difflib
import typing
from collections.abc import Iterator

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from exporter.config.document import Document
from exporter.config.problems import KeyPath, Problem, described
from exporter.config.schema import Config, CredentialsConfig

_SECRETIVE = "credentials"
_AT_KEY = {"missing", "null", "extra_forbidden"}
# By pydantic's type of error.
_MESSAGES = {
    "missing": "this key is required",
    "null": "this key needs a value",
    "model_type": "expected a mapping of keys to values, found {found}",
    "tuple_type": "expected a list, [a, b] or lines that start with '- ', found {found}",
    "too_short": "the list must not be empty",
    "literal_error": "expected {expected}, found {found}",
}


def problems_of(error: ValidationError, data: object, document: Document) -> Iterator[Problem]:
    """Translate every error that pydantic reports for ``data``."""
    for detail in error.errors(include_url=False, include_input=False):
        path, kind = detail["loc"], detail["type"]
        # Items that are at fault themselves do not count, so a list of them seems empty.
        if kind == "too_short" and _value(path, data):
            continue
        if kind == "missing" and document.is_null(path):
            kind = "null"
        yield Problem(
            path=path,
            message=_message(kind, detail, data),
            position=document.position(path, key=kind in _AT_KEY),
        )


def shown_path(path: KeyPath) -> KeyPath:
    """Cut a path before what may be a secret that was written where a key belongs."""
    for index, part in enumerate(path[:-1]):
        if part == _SECRETIVE and path[index + 1] not in CredentialsConfig.model_fields:
            return path if _near(path[index + 1], CredentialsConfig) else path[: index + 1]
    return path


def _message(kind: str, detail: ErrorDetails, data: object) -> str:
    if kind == "value_error":
        return str(detail["ctx"]["error"])
    if kind == "extra_forbidden":
        return _unknown(detail["loc"])
    value = _value(detail["loc"], data)
    secretive = isinstance(value, str) and _SECRETIVE in detail["loc"]
    return _MESSAGES.get(kind, "this value cannot be used").format(
        found="text" if secretive else described(value),
        expected=detail.get("ctx", {}).get("expected", "").replace("'", ""),
    )


def _value(path: KeyPath, data: object) -> object:
    for part in path:
        if isinstance(data, dict):
            data = data.get(part)
        elif isinstance(data, list) and isinstance(part, int):
            data = data[part]
    return data


def _unknown(path: KeyPath) -> str:
    model = _model_at(path[:-1])
    near = _near(path[-1], model)
    if near:
        return f"unknown key; did you mean {near}?"
    return f"unknown key; there are {', '.join(model.model_fields)}"


def _near(key: str | int, model: type[BaseModel]) -> str | None:
    return next(iter(difflib.get_close_matches(str(key)[:64], model.model_fields, n=1)), None)


def _model_at(path: KeyPath) -> type[BaseModel]:
    model: type[BaseModel] = Config
    for part in path:
        if isinstance(part, str):
            model = _model_in(model.model_fields[part].annotation)
    return model


def _model_in(annotation: object) -> type[BaseModel]:
    """Return the model of a field that is one, may be one, or lists some."""
    for candidate in (annotation, *typing.get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    raise TypeError(f"no section in {annotation!r}")
