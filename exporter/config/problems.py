"""What is wrong with a configuration file, and where: the types and the wording of places.

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
    """A place in the text, both numbers from 1, the column in characters."""

    line: int
    column: int


class Problem(Struct, frozen=True, kw_only=True):
    """A fault whose file is not named yet."""

    path: KeyPath
    message: str
    position: Position


class Finding(Struct, frozen=True, kw_only=True):
    """A fault at ``path``; ``first`` is the place that it repeats."""

    path: KeyPath
    message: str
    first: KeyPath | None = None


class Fault(Struct, frozen=True, kw_only=True):
    """One fault of a configuration file; as text it is ``file:line:column: path: message``."""

    file: str
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.path}: {self.message}"


class ConfigError(Exception):
    """The configuration cannot be used; ``faults`` holds every reason, in the file's order."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__(faults)
        self.faults = faults

    def __str__(self) -> str:
        return "\n".join(map(str, self.faults))


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
