"""A composer that turns YAML text into a document and collects all structural problems.

It uses the events of the parser instead of its node graph. The composer in C recurses without a
limit, so deep nesting would crash the process, and it accepts duplicate keys silently.
"""

import re
from typing import NoReturn

import yaml
from msgspec import Struct

from exporter.base.text import printable
from exporter.config.document import Document, ListNode, MapNode, Node, position_of
from exporter.config.problems import START, Position, Problem

# Quoted, because a PyYAML built without libyaml has no CSafeLoader.
_LOADER: "type[yaml.CSafeLoader | yaml.SafeLoader]" = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DEEPEST = 32
_TOO_DEEP = f"nested more than {_DEEPEST} levels deep"
# The limit stops small files that expand to huge ones through aliases of aliases. It still allows
# an alias to repeat a list of groups many times.
_MOST_REPEATED = 200_000

# Characters such as NUL that no YAML document can contain (YAML 1.1, section 5.1).
_NOT_YAML = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_HINTS = {
    "\t": "a tab cannot indent or start a value; use spaces",
    "@": "a value cannot start with @; put it in quotes",
    "`": "a value cannot start with `; put it in quotes",
    "%": "a value cannot start with %; put it in quotes",
    "*": "* starts an alias; put a value that starts with * in quotes",
    "&": "& starts an anchor; put a value that starts with & in quotes",
    "!": "! starts a tag; put a value that starts with ! in quotes",
}
# The parser quotes single characters, its own <words>, and names. A name can be a secret in the
# wrong position.
_QUOTED = re.compile(r"""'[^']*'|"[^"]*\"""")
_LONGEST_QUOTED_CHARACTER = 4


def compose(text: str, *, max_values: int, merge_keys: bool) -> Document:
    """Read one document of at most ``max_values`` values.

    ``merge_keys`` decides whether ``<<`` adds the keys of other mappings or is an error. Invalid
    text does not raise an exception. Its problems are part of the document.
    """
    composer = _Composer(max_values=max_values, merge_keys=merge_keys)
    try:
        _read(text, composer)
    except _StopError:
        complete = False
    else:
        complete = True
    return Document(root=composer.root, problems=tuple(composer.problems), complete=complete)


def text_position(text: str, offset: int) -> Position:
    """Return the position of the character at an offset, which is counted from 0."""
    start = text.rfind("\n", 0, offset) + 1
    return Position(line=text.count("\n", 0, offset) + 1, column=offset - start + 1)


class _StopError(Exception):
    """The end of reading after a problem, which has already been recorded."""


class _Level(Struct, kw_only=True):
    """A list or mapping that is still open.

    ``part`` is the step from the enclosing collection to this one, empty at the root. In a mapping,
    ``key`` is the key whose value comes next, and ``merges`` is true if it is ``<<``. ``merged`` is
    the value of ``<<`` after it has been read.
    """

    node: ListNode | MapNode
    part: tuple[str | int, ...]
    key: str | None = None
    key_event: yaml.Event | None = None
    dropped: bool = False
    merges: bool = False
    merged: Node | None = None


class _Composer:
    def __init__(self, *, max_values: int, merge_keys: bool) -> None:
        self.problems: list[Problem] = []
        self.root: Node | None = None
        self._open: list[_Level] = []
        self._anchors: dict[str, Node] = {}
        self._max_values = max_values
        self._merge_keys = merge_keys
        self._values = 0
        self._repeated = 0

    def stop(self, message: str, position: Position) -> NoReturn:
        self.problems.append(Problem(path=(), message=message, position=position))
        raise _StopError

    def take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.ScalarEvent):
            self._add(event, event, event.tag)
        elif isinstance(event, yaml.MappingStartEvent):
            self._enter(event, MapNode(start=event))
        elif isinstance(event, yaml.SequenceStartEvent):
            self._enter(event, ListNode(start=event))
        elif isinstance(event, yaml.CollectionEndEvent):
            self._leave()
        elif isinstance(event, yaml.AliasEvent):
            self._follow(event)
        elif isinstance(event, yaml.DocumentStartEvent) and self.root is not None:
            self.stop("a second document starts here; only one is read", position_of(event))

    def _enter(self, event: yaml.CollectionStartEvent, node: ListNode | MapNode) -> None:
        if len(self._open) == _DEEPEST:
            self.stop(_TOO_DEEP, position_of(event))
        part = self._next_part()
        self._add(event, node, event.tag)
        self._open.append(_Level(node=node, part=part))

    def _leave(self) -> None:
        level = self._open[-1]
        if level.merged is not None and isinstance(level.node, MapNode):
            self._merge(level.node, level.merged)
        node = self._open.pop().node
        if self._open:
            outer = self._open[-1].node
            outer.size += node.size - 1
            outer.height = max(outer.height, node.height + 1)

    def _merge(self, node: MapNode, merged: Node) -> None:
        """Add keys that the mapping lacks, each from the first mapping that has it."""
        for each in merged.items if isinstance(merged, ListNode) else [merged]:
            if isinstance(each, MapNode):
                for key, item in each.items.items():
                    node.items.setdefault(key, item)
            elif not isinstance(each, yaml.AliasEvent):  # an unknown alias is already reported
                event = each.start if isinstance(each, ListNode) else each
                self._fault(event, "<< needs a mapping or a list of mappings")

    def _follow(self, event: yaml.AliasEvent) -> None:
        target = self._anchors.get(event.anchor or "")
        if target is None:
            self._fault(
                event, "no anchor above has this alias's name; quote text that starts with *"
            )
        elif any(level.node is target for level in self._open):
            self._fault(event, "this alias refers to a value that contains it")
            target = None
        elif isinstance(target, ListNode | MapNode):
            self._repeat(event, target)
        self._add(event, target or event, None)

    def _repeat(self, event: yaml.AliasEvent, target: ListNode | MapNode) -> None:
        self._repeated += target.size
        if self._repeated > _MOST_REPEATED:
            self.stop(f"aliases repeat more than {_MOST_REPEATED} values", position_of(event))
        if len(self._open) + target.height > _DEEPEST:
            self.stop(_TOO_DEEP, position_of(event))
        if self._open:
            outer = self._open[-1].node
            outer.height = max(outer.height, target.height + 1)

    def _add(self, event: yaml.NodeEvent, node: Node, tag: str | None) -> None:
        if tag is not None:
            self._fault(event, "tags (!…) are not supported; write the value without its tag")
        size = node.size if isinstance(node, ListNode | MapNode) else 1
        self._values += size
        if self._values > self._max_values:
            self.stop(f"holds more than {self._max_values} values", position_of(event))
        if event.anchor is not None and not isinstance(event, yaml.AliasEvent):
            self._anchors[event.anchor] = node
        if not self._open:
            self.root = node
            return
        level = self._open[-1]
        level.node.size += size
        if isinstance(level.node, ListNode):
            level.node.items.append(node)
        elif level.key is None:
            self._add_key(level, level.node, event, node)
        else:
            if level.merges:
                level.merged = node
            elif not level.dropped and level.key_event is not None:
                level.node.items[level.key] = (level.key_event, node)
            level.key = None

    def _add_key(self, level: _Level, node: MapNode, event: yaml.Event, key: Node) -> None:
        level.key_event, level.dropped, level.merges = event, True, False
        if not isinstance(key, yaml.ScalarEvent):
            if key is not event:
                self._fault(event, "a key must be text")
            level.key = ""
            return
        level.key = key.value
        first = node.items.get(key.value)
        if key.value == "<<" and key.implicit[0]:
            self._add_merge_key(level, event)
        elif first is not None:
            line = position_of(first[0]).line
            self._fault(event, f"this key is already in the mapping, at line {line}")
        else:
            level.dropped = False

    def _add_merge_key(self, level: _Level, event: yaml.Event) -> None:
        if not self._merge_keys:
            self._fault(event, "merge keys are not supported; repeat the keys, or use an alias")
        elif level.merged is not None:
            self._fault(event, "this key is already in the mapping; give it a list of mappings")
        else:
            level.merges = True

    def _next_part(self) -> tuple[str | int, ...]:
        level = self._open[-1] if self._open else None
        if level is None:
            return ()
        if isinstance(level.node, ListNode):
            return (len(level.node.items),)
        return () if level.key is None else (level.key,)

    def _fault(self, event: yaml.Event, message: str) -> None:
        path = [part for level in self._open for part in level.part]
        path += self._next_part()
        self.problems.append(
            Problem(path=tuple(path), message=message, position=position_of(event))
        )


def _read(text: str, composer: _Composer) -> None:
    found = _NOT_YAML.search(text)
    if found:
        place = text_position(text, found.start())
        composer.stop(f"character U+{ord(found[0]):04X} is not allowed in YAML", place)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            composer.take(event)
    except yaml.MarkedYAMLError as error:
        composer.stop(*_syntax_fault(error, text))
    except (yaml.YAMLError, ValueError, OverflowError):
        composer.stop("not valid YAML", START)


def _syntax_fault(error: yaml.MarkedYAMLError, text: str) -> tuple[str, Position]:
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return "not valid YAML", START
    position = Position(line=mark.line + 1, column=mark.column + 1)
    if error.problem == "exceeded maximum nesting depth":
        # libyaml has its own limit since 0.2.6. It parses ahead, so it can report this first.
        return _TOO_DEEP, position
    context = error.context_mark
    hint = None
    if context is not None and (error.context or "").startswith("while scanning"):
        hint = _HINTS.get(_character(text, context.line, context.column))
    if _character(text, mark.line, mark.column - 1) == "$":
        hint = "put ${NAME} in quotes inside [ ] and { }"
    if hint is None:
        hint = printable(_QUOTED.sub(_without_name, error.problem or "unreadable"))
        if context is not None and context.line != mark.line:
            hint = f"{hint} ({error.context} that starts at line {context.line + 1})"
    return f"not valid YAML: {hint}", position


def _without_name(quoted: re.Match[str]) -> str:
    is_name = len(quoted[0]) > _LONGEST_QUOTED_CHARACTER and quoted[0][1] != "<"
    return "…" if is_name else quoted[0]


def _character(text: str, line: int, column: int) -> str:
    lines = text.split("\n", line + 1)
    return lines[line][column : column + 1] if line < len(lines) and column >= 0 else ""
