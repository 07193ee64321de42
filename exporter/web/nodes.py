"""Strict reading of a small YAML file: every fault names the file, the line and the key.

Works on YAML's nodes, so that a text stays the text that was written (``no`` or ``1:30`` too), keys
are not taken twice, and aliases expand to nothing.
"""

import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from exporter.base.text import bounded

_MAX_BYTES: Final = 1024 * 1024
# YAML that is not libyaml's is slow: some 80 µs for each value, keys too.
_MAX_VALUES: Final = 20_000
_MAX_DEPTH: Final = 32
_ECHOED: Final = 64
_TAG: Final = "tag:yaml.org,2002:"
# In a message of the parser: the name of an alias or a tag, which may be a password in the wrong
# place. What it calls a token, such as '<scalar>', and single characters may stay.
_QUOTED: Final = re.compile(r"""(['"])(?!<).{2,}\1""", re.DOTALL)
_TRUTHS: Final = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


class WebConfigError(Exception):
    """The web configuration is not valid; the text names file, line and key, and no secret.

    ``files`` are those that the configuration names, as far as it was read.
    """

    def __init__(self, message: str, files: tuple[Path, ...] = ()) -> None:
        super().__init__(message)
        self.files = files


class _TooMuchError(Exception):
    """The file holds more than it may: what, and in which line, from 0."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


class _Loader(yaml.SafeLoader):
    """Bounds what it composes.

    Not libyaml's, which overruns its stack on deep nesting instead of raising.
    """

    def __init__(self, stream: bytes) -> None:
        super().__init__(stream)
        self._values = self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:  # noqa: ANN401 - yaml's own
        self._values += 1
        self._depth += 1
        line = self.peek_event().start_mark.line  # type: ignore[no-untyped-call]  # yaml's own
        if self._values > _MAX_VALUES:
            raise _TooMuchError(f"more than {_MAX_VALUES} values", line)
        if self._depth > _MAX_DEPTH:
            raise _TooMuchError(f"nested more than {_MAX_DEPTH} levels deep", line)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


class Section:
    """A mapping of the file; each key is taken out by its kind, and what is left is unknown."""

    def __init__(self, path: Path, name: str, node: yaml.Node | None) -> None:
        self.path = path
        self._name = name
        self._node = node
        self._values: dict[str, yaml.Node] = {}
        if node is None or _is_null(node):
            return
        if not isinstance(node, yaml.MappingNode):
            raise self._error(node, "expected keys and values")
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self._error(key, "a key must be a text")
            if key.value in self._values:
                raise self._error(key, f"key {_short(key.value)} is there twice")
            self._values[key.value] = value

    @classmethod
    def read(cls, path: Path) -> "Section":
        """Read the file; raises WebConfigError for what cannot be read or is no YAML."""
        try:
            # To open a pipe would block until somebody writes into it, and again at each change.
            if stat.S_ISFIFO(path.stat().st_mode):
                raise WebConfigError(f"{path}: a pipe, which cannot be read again")
            with path.open("rb") as file:
                content = file.read(_MAX_BYTES + 1)
        except OSError as exc:
            raise WebConfigError(f"{path}: {exc.strerror}") from exc
        if len(content) > _MAX_BYTES:
            raise WebConfigError(f"{path}: larger than {_MAX_BYTES} bytes")
        try:
            return cls(path, "", yaml.compose(content, Loader=_Loader))
        except _TooMuchError as exc:
            raise WebConfigError(f"{path}:{exc.line + 1}: {exc}") from None
        except yaml.MarkedYAMLError as exc:
            line = 0 if exc.problem_mark is None else exc.problem_mark.line
            problem = bounded(_QUOTED.sub("…", exc.problem or "unreadable"))
            raise WebConfigError(f"{path}:{line + 1}: not YAML: {problem}") from None
        except (yaml.YAMLError, ValueError):  # ValueError of codecs and of chr
            raise WebConfigError(f"{path}: not YAML") from None

    @property
    def is_empty(self) -> bool:
        """Whether there is no key, taken or not."""
        return not self._values and not isinstance(self._node, yaml.MappingNode)

    def section(self, key: str) -> "Section":
        """Return the mapping under a key, an empty one if there is none."""
        return Section(self.path, self._full(key), self._values.pop(key, None))

    def text(self, key: str) -> str:
        """Return the text under a key; empty if there is none."""
        node = self._values.pop(key, None)
        return "" if node is None else self._text(node, key)

    def texts(self, key: str) -> tuple[str, ...] | None:
        """Return the list of texts under a key; None if there is none."""
        node = self._values.pop(key, None)
        if node is None or _is_null(node):
            return None
        if not isinstance(node, yaml.SequenceNode):
            raise self._error(node, "expected a list", key)
        return tuple(self._text(item, key) for item in node.value)

    def flag(self, key: str, *, default: bool) -> bool:
        """Return true or false."""
        node = self._values.pop(key, None)
        if node is None or _is_null(node):
            return default
        truth = _TRUTHS.get(self._text(node, key).lower())
        if truth is None or node.tag != _TAG + "bool":
            raise self._error(node, "expected true or false", key)
        return truth

    def items(self) -> Iterator[tuple[str, str]]:
        """Take out all keys, each with its text."""
        values, self._values = self._values, {}
        for key, node in values.items():
            yield key, self._text(node, key)

    def refuse_the_rest(self) -> None:
        """Raise for the first key that nobody took."""
        for key, node in self._values.items():
            raise self._error(node, f"unknown key {_short(self._full(key))}")

    def error(self, key: str, message: str) -> WebConfigError:
        """Return the error of a value that is of the right kind but not acceptable."""
        return WebConfigError(f"{self.path}: {_bounded(self._full(key))}: {message}")

    def _full(self, key: str) -> str:
        return f"{self._name}.{key}" if self._name else key

    def _text(self, node: yaml.Node, key: str) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise self._error(node, "expected a text", key)
        return "" if _is_null(node) else str(node.value)

    def _error(self, node: yaml.Node, message: str, key: str = "") -> WebConfigError:
        place = f"{self.path}:{node.start_mark.line + 1}"
        name = self._full(key) if key else self._name
        return WebConfigError(": ".join(part for part in (place, _bounded(name), message) if part))


def _is_null(node: yaml.Node) -> bool:
    return bool(node.tag == _TAG + "null")


def _bounded(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text[:_ECHOED])


def _short(text: str) -> str:
    return repr(_bounded(text))
