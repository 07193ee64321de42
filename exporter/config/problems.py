"""Problems of a configuration file and their positions, with the text of both.

Everything that a file, a variable or an operating system said is bounded and stripped of
control characters here, before it gets into a message.
"""

import re

from msgspec import Struct

from exporter.base.text import quoted

_TYPE_NAMES = {dict: "a mapping", list: "a list", type(None): "nothing"}

KeyPath = tuple[str | int, ...]

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Position(Struct, frozen=True, kw_only=True):
    """A position in a text, both numbers from 1, the column in characters."""

    line: int
    column: int


START = Position(line=1, column=1)


class Problem(Struct, frozen=True, kw_only=True):
    """A problem in a file; as text it is ``file:line:column: path: message``."""

    path: KeyPath
    message: str
    position: Position = START
    """The start of the file until the problem is located."""
    repeats: KeyPath | None = None
    """Where the same value was given first. The message names it once the problem is located."""
    file: str = ""
    """Empty until the problem is reported."""

    def __str__(self) -> str:
        place = f"{self.file}:{self.position.line}:{self.position.column}"
        return f"{place}: {path_text(self.path)}: {self.message}"


class ConfigError(Exception):
    """An invalid configuration; ``problems`` are all reasons, in the order of the file."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))


def described(value: object) -> str:
    """Name what was found where something else was expected."""
    return quoted(value) if isinstance(value, str) else _TYPE_NAMES.get(type(value), "no text")


def path_text(path: KeyPath) -> str:
    """Write a path as ``projects[0].logstores``; the whole document is ``(document)``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _PLAIN_KEY.fullmatch(part):
            text += f".{part}" if text else part
        else:
            text += f"[{quoted(part)}]"
    return text or "(document)"
