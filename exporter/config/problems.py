"""Problems of a configuration file and their positions, with the text of both.

This module truncates texts from a file, a variable or the operating system and escapes their
control characters before they become part of a message.
"""

import re

from msgspec import Struct

from exporter.base.text import quoted

_TYPE_NAMES = {dict: "a mapping", list: "a list", type(None): "nothing"}

KeyPath = tuple[str | int, ...]

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Position(Struct, frozen=True, kw_only=True):
    """A position in a text. Line and column count from 1, the column in characters."""

    line: int
    column: int


START = Position(line=1, column=1)


class Problem(Struct, frozen=True, kw_only=True):
    """A problem in a file. Its text is ``file:line:column: path: message``.

    If the file could not be read, its text is ``file: message``.
    """

    path: KeyPath
    message: str
    position: Position = START
    """The start of the file until the problem is located."""
    repeats: KeyPath | None = None
    """The path of the first occurrence of the same value.

    The message contains its line after the problem is located.
    """
    file: str = ""
    """Empty until the problem is reported."""
    is_unread: bool = False
    """Whether the file could not be read, so that it has no positions and no keys."""

    def __str__(self) -> str:
        if self.is_unread:
            return f"{self.file}: {self.message}"
        place = f"{self.file}:{self.position.line}:{self.position.column}"
        return f"{place}: {path_text(self.path)}: {self.message}"


class ConfigError(Exception):
    """An error for an invalid configuration. ``problems`` are sorted by their positions."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))


def described(value: object) -> str:
    """Return a description of a value of the wrong type, for an error message."""
    return quoted(value) if isinstance(value, str) else _TYPE_NAMES.get(type(value), "no text")


def path_text(path: KeyPath) -> str:
    """Return a path as text such as ``projects[0].logstores``; ``(document)`` for the root."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _PLAIN_KEY.fullmatch(part):
            text += f".{part}" if text else part
        else:
            text += f"[{quoted(part)}]"
    return text or "(document)"
