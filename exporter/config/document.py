"""A parsed YAML document: its plain data, and the position of every value for messages."""

from collections.abc import Mapping

import yaml
from msgspec import Struct, field

from exporter.config.problems import START, KeyPath, Position, Problem
from exporter.config.variables import expand

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


class Broken:
    """A placeholder for a value that cannot be read. Its problem is already recorded."""


BROKEN = Broken()


class ListNode(Struct, eq=False):
    """A list.

    ``size`` is the number of its values at all depths, including the list itself. ``height`` is the
    number of its levels. Both are 1 if the list is empty.
    """

    start: yaml.Event
    items: list["Node"] = field(default_factory=list)
    size: int = 1
    height: int = 1


class MapNode(Struct, eq=False):
    """A mapping of each key to the event of the key and its value.

    ``size`` and ``height`` are defined as for a list.
    """

    start: yaml.Event
    items: dict[str, tuple[yaml.Event, "Node"]] = field(default_factory=dict)
    size: int = 1
    height: int = 1


# A scalar, or an alias without a valid target, is represented by the event of the parser.
Node = yaml.ScalarEvent | yaml.AliasEvent | ListNode | MapNode


class Document(Struct, frozen=True, kw_only=True):
    """A root node and the structural problems.

    ``complete`` is true if the text was read to its end.
    """

    root: Node | None
    problems: tuple[Problem, ...]
    complete: bool

    @property
    def is_empty(self) -> bool:
        """True if the document has no value."""
        return self.root is None or _is_null(self.root)

    def plain(self, environ: Mapping[str, str] | None) -> tuple[object, list[Problem]]:
        """Return the data as dictionaries, lists, text and None, and the problems of variables.

        Variables in values are expanded if ``environ`` is given. A value that cannot be expanded
        is ``BROKEN`` in the data and causes a problem.
        """
        problems: list[Problem] = []

        # Recursion is safe, because the composer limits the depth and rejects recursive aliases.
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
        """Return the position of a value, or of its key if ``key`` is true.

        If the value is missing, return the position of the innermost existing value around it.
        """
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
        """Return the root, then each key on ``path`` with its value, as far as they exist."""
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
    """Return the position at which a node or an event of the parser starts."""
    mark = (node.start if isinstance(node, ListNode | MapNode) else node).start_mark
    if mark is None:
        return START
    return Position(line=mark.line + 1, column=mark.column + 1)


def _is_null(node: Node) -> bool:
    # Only a plain scalar can be null. A quoted or expanded text cannot.
    return isinstance(node, yaml.ScalarEvent) and node.implicit[0] and node.value in _NULLS
