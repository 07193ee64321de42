"""A YAML document that was read: its plain data, and the place of every value for messages."""

from collections.abc import Mapping

import yaml
from msgspec import Struct, field

from exporter.config.problems import START, KeyPath, Position, Problem
from exporter.config.variables import expand

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


class Broken:
    """Stands where a value could not be read; the problem is recorded already."""


BROKEN = Broken()


class ListNode(Struct, eq=False):
    """A list; ``size`` and ``height`` measure it with all beneath, 1 when it is empty."""

    start: yaml.Event
    items: list["Node"] = field(default_factory=list)
    size: int = 1
    height: int = 1


class MapNode(Struct, eq=False):
    """A mapping: each key with the place of the key, and its value; measured as a list is."""

    start: yaml.Event
    items: dict[str, tuple[yaml.Event, "Node"]] = field(default_factory=dict)
    size: int = 1
    height: int = 1


# The parser's own event is the node of a scalar, and that of an alias to nothing.
Node = yaml.ScalarEvent | yaml.AliasEvent | ListNode | MapNode


class Document(Struct, frozen=True, kw_only=True):
    """The root, and the problems of the structure; ``complete`` if it was read to its end."""

    root: Node | None
    problems: tuple[Problem, ...]
    complete: bool

    @property
    def is_empty(self) -> bool:
        """Whether there is no value at all."""
        return self.root is None or _is_null(self.root)

    def plain(self, environ: Mapping[str, str] | None) -> tuple[object, list[Problem]]:
        """Return dictionaries, lists, text and None, with variables expanded in values.

        Without ``environ``, no variable is expanded.
        A value that cannot be expanded is ``BROKEN`` in the data, and a problem.
        """
        problems: list[Problem] = []

        # Recursion is safe: the composer bounds the depth and refuses recursive aliases.
        def convert(node: Node, path: KeyPath) -> object:
            if isinstance(node, yaml.ScalarEvent):
                if _is_null(node):
                    return None
                if environ is None or "$" not in node.value:
                    return node.value
                try:
                    return expand(node.value, environ)
                except ValueError as error:
                    place = position_of(node)
                    problems.append(Problem(path=path, message=str(error), position=place))
            elif isinstance(node, MapNode):
                return {key: convert(item, (*path, key)) for key, (_, item) in node.items.items()}
            elif isinstance(node, ListNode):
                return [convert(item, (*path, index)) for index, item in enumerate(node.items)]
            return BROKEN

        return (None if self.root is None else convert(self.root, ())), problems

    def position(self, path: KeyPath, *, key: bool = False) -> Position:
        """Find the place of a value, or of its key; of what encloses it where it is missing."""
        trail = self._trail(path)
        if not trail:
            return START
        name, node = trail[-1]
        at_key = len(trail) == len(path) + 1 and (key or _is_null(node))
        return position_of(name if at_key and name is not None else node)

    def is_null(self, path: KeyPath) -> bool:
        """Return whether the key at ``path`` has no value."""
        trail = self._trail(path)
        return len(trail) == len(path) + 1 and _is_null(trail[-1][1])

    def _trail(self, path: KeyPath) -> list[tuple[yaml.Event | None, Node]]:
        """Follow ``path`` as far as it goes: the root, then each key and its value."""
        if self.root is None:
            return []
        trail: list[tuple[yaml.Event | None, Node]] = [(None, self.root)]
        for part in path:
            node = trail[-1][1]
            if isinstance(node, MapNode) and isinstance(part, str) and part in node.items:
                trail.append(node.items[part])
            elif isinstance(node, ListNode) and isinstance(part, int) and part < len(node.items):
                trail.append((None, node.items[part]))
            else:
                break
        return trail


def position_of(node: Node | yaml.Event) -> Position:
    """Return where a node, or an event of the parser, starts."""
    mark = (node.start if isinstance(node, ListNode | MapNode) else node).start_mark
    if mark is None:
        return START
    return Position(line=mark.line + 1, column=mark.column + 1)


def _is_null(node: Node) -> bool:
    # A quoted or expanded text is never null: only what was written plainly.
    return isinstance(node, yaml.ScalarEvent) and node.implicit[0] and node.value in _NULLS
