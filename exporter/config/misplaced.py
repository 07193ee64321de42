"""Secrets of a configuration file that are in the place of another value.

A secret is known if it is also a value of a section for secrets. Messages about other values do
not repeat it. A value or a name of a label that contains it is an error, because names, endpoints
and labels are shown everywhere.
"""

from collections.abc import Collection, Iterable, Iterator

from msgspec.structs import replace

from exporter.base.text import SHORTEST_SECRET, masked
from exporter.config.document import Document
from exporter.config.problems import KeyPath, Problem

_MESSAGE = "contains a secret, which would be shown; remove it here"
_SHOWN_KEYS = {"access_key_id", "profile", "role_arn", "role_session_name", "sts_endpoint"}
_SHOWN_ENDING = "_file"
"""The keys, and the end of further ones, whose values are not secret."""
_NAMES_IN = "labels"
"""The key of the mappings whose keys are names that a user chooses."""


def secrets(data: object, secret_keys: Collection[str], others: Iterable[str]) -> Collection[str]:
    """Return the secrets in the sections under ``secret_keys``, and the others, without short ones.

    The data can be invalid.
    """
    found = [text for path, text in _texts(data, ()) if _is_secret(path, secret_keys)]
    return {text for text in (*found, *others) if len(text) >= SHORTEST_SECRET}


def misplaced(
    data: object, found: Collection[str], secret_keys: Collection[str], document: Document
) -> Iterator[Problem]:
    """Yield a problem for each other value, or name of a label, that contains a secret."""
    for path, text in _texts(data, ()) if found else ():
        is_named = path[-2:-1] == (_NAMES_IN,)
        if is_named and any(secret in str(path[-1]) for secret in found):
            yield Problem(path=path, message=_MESSAGE, position=document.position(path, key=True))
        if not _is_secret(path, secret_keys) and any(secret in text for secret in found):
            yield Problem(path=path, message=_MESSAGE, position=document.position(path))


def concealed(problem: Problem, found: Collection[str]) -> Problem:
    """Return the problem without the secrets, which can also be keys of the file."""
    path = tuple(masked(part, found) if isinstance(part, str) else part for part in problem.path)
    return replace(problem, path=path, message=masked(problem.message, found))


def _is_secret(path: KeyPath, secret_keys: Collection[str]) -> bool:
    """Return whether the value at a path is in a section for secrets, and is not shown."""
    if set(path[:-1]).isdisjoint(secret_keys):
        return False
    return path[-1] not in _SHOWN_KEYS and not str(path[-1]).endswith(_SHOWN_ENDING)


def _texts(value: object, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, (*path, index))
