"""Whether matching a regular expression may take very long: Python's ``re`` has no time limit.

``re`` tries every way to divide a name among the parts of a pattern. Here a pattern becomes its
position automaton (Glushkov, 1961), in which those ways are seen: two overlapping successors of
one position are a choice, and a choice within a repetition can be made anew for each character.
"""

import math
import re
import sys
from collections.abc import Iterator, Sequence
from re import _parser  # type: ignore[attr-defined]  # it has no public name
from typing import Any

from msgspec import Struct

# Of the number of ways. With 2**24 a name of 256 characters takes half a second at worst.
_MOST_BITS = 24
_BITS_OF_A_LOOP = 7  # three loops side by side have 256**3 / 3! ways

_CATEGORIES = {
    "CATEGORY_DIGIT": re.compile(r"\d"),
    "CATEGORY_NOT_DIGIT": re.compile(r"\D"),
    "CATEGORY_SPACE": re.compile(r"\s"),
    "CATEGORY_NOT_SPACE": re.compile(r"\S"),
    "CATEGORY_WORD": re.compile(r"\w"),
    "CATEGORY_NOT_WORD": re.compile(r"\W"),
}
# One character of each kind that a category tells apart.
_KINDS = "aA0_- .é主٣²\u2003\n"

_LOOPED_GROUP = re.compile(r"\)[*+{]")

_Node = tuple[Any, Any]


def takes_long(text: str) -> bool:
    """Tell whether there may be a name whose match takes long; ``text`` is one that compiles.

    It errs on the side of True.
    """
    # Most patterns are simple, and there may be thousands.
    if (
        not _LOOPED_GROUP.search(text)
        and sum(map(text.count, "*+{")) * _BITS_OF_A_LOOP + sum(map(text.count, "?|")) <= _MOST_BITS
    ):
        return False
    parsed = _parser.parse(text)
    return _bits(parsed, parsed.state.flags) > _MOST_BITS


class _Part(Struct, frozen=True, kw_only=True):
    """A part of a pattern by its positions: those that it may begin and end with."""

    first: Sequence[int] = ()
    last: Sequence[int] = ()
    nullable: bool = True
    """Whether it matches the empty text."""


def _bits(nodes: Sequence[_Node], flags: int) -> float:
    automaton = _Automaton(nodes)
    whole = automaton.sequence(nodes, flags)
    automaton.follow.append([*whole.first])
    automaton.loops.append(None)  # of the start
    return automaton.choices()


class _Automaton:
    """Positions of a pattern: what stands there, what may follow, and the outermost loop around.

    What stands at a position is a set of characters, as a mask over a sample of all characters.
    """

    def __init__(self, nodes: Sequence[_Node]) -> None:
        self.follow: list[list[int]] = []
        self.loops: list[int | None] = []
        self._bits = 0.0
        """Of choices that no position shows: ways to match nothing, and what looks around."""
        self._masks: list[int] = []
        self._sample = sorted({*_KINDS, *_notable(nodes)})

    def choices(self) -> float:
        """Return the bits of all choices; infinity where there is one within a repetition."""
        bits = self._bits
        chosen: set[int] = set()
        for at, loop in enumerate(self.loops):
            overlapping = self._overlapping(self.follow[at])
            if not overlapping:
                continue
            if loop is not None and self._overlapping(
                [each for each in self.follow[at] if self.loops[each] == loop]
            ):
                return math.inf
            loops = {each for each_at in overlapping if (each := self.loops[each_at]) is not None}
            if loop is not None:
                loops.add(loop)
            chosen |= loops
            if not loops:
                bits += math.log2(len(overlapping))
        return bits + _BITS_OF_A_LOOP * len(chosen)

    def sequence(self, nodes: Sequence[_Node], flags: int) -> _Part:
        """Add nodes that follow each other."""
        whole = _Part()
        for node in nodes:
            part = self._node(node, flags)
            self._connect(whole.last, part.first)
            whole = _Part(
                first=[*whole.first, *(part.first if whole.nullable else ())],
                last=[*part.last, *(whole.last if part.nullable else ())],
                nullable=whole.nullable and part.nullable,
            )
        return whole

    def _node(self, node: _Node, flags: int) -> _Part:
        value = node[1]
        match str(node[0]):
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                part = self._repetition(value, flags)
            case "BRANCH":
                part = self._either(value[1], flags)
            case "SUBPATTERN":
                _, added, removed, inner = value
                part = self.sequence(inner, (flags | added) & ~removed)
            case "ATOMIC_GROUP":
                part = self.sequence(value, flags)
            case "GROUPREF_EXISTS":
                part = self._either((value[1], value[2] or ()), flags)
            case "ASSERT" | "ASSERT_NOT":
                self._bits += _bits(value[1], flags)
                part = _Part()
            case "AT":
                part = _Part()
            case _:
                part = self._position(node, flags)
        return part

    def _position(self, node: _Node, flags: int) -> _Part:
        at = len(self.follow)
        self.follow.append([])
        self.loops.append(None)
        fits = (_fits(node, char, flags) for char in self._sample)
        self._masks.append(sum(fit << number for number, fit in enumerate(fits)))
        # A reference to a group may stand for anything.
        return _Part(first=[at], last=[at], nullable=str(node[0]) == "GROUPREF")

    def _repetition(self, repetition: tuple[int, int, Sequence[_Node]], flags: int) -> _Part:
        least, most, inner = repetition
        start, bits = len(self.follow), self._bits
        part = self.sequence(inner, flags)
        end = len(self.follow)
        if part.nullable and least == 0:
            self._bits += 1
        if most > 1 and self._bits > bits:
            self._bits = math.inf
        is_fixed = least == most and not any(
            self.loops[at] is not None or self._overlapping(self.follow[at])
            for at in range(start, end)
        )
        if most > 1 and not is_fixed:
            self._connect(part.last, part.first)
            self.loops[start:end] = [start] * (end - start)
        return _Part(first=part.first, last=part.last, nullable=part.nullable or least == 0)

    def _either(self, branches: Sequence[Sequence[_Node]], flags: int) -> _Part:
        parts = [self.sequence(branch, flags) for branch in branches]
        self._bits += math.log2(max(1, sum(part.nullable for part in parts)))
        return _Part(
            first=[at for part in parts for at in part.first],
            last=[at for part in parts for at in part.last],
            nullable=any(part.nullable for part in parts),
        )

    def _overlapping(self, positions: Sequence[int]) -> list[int]:
        """Return those positions at which a character may stand that another takes too."""
        seen = twice = 0
        for at in positions:
            twice |= seen & self._masks[at]
            seen |= self._masks[at]
        return [at for at in positions if self._masks[at] & twice]

    def _connect(self, last: Sequence[int], first: Sequence[int]) -> None:
        for at in last:
            self.follow[at] += first


def _fits(node: _Node, char: str, flags: int) -> bool:
    """Tell whether a character may stand where a node is."""
    if flags & re.IGNORECASE:
        cases = {char, char.lower(), char.upper()}
        return any(_is(node, each) for each in cases if len(each) == 1)
    return _is(node, char)


def _is(node: _Node, char: str) -> bool:
    kind, value = str(node[0]), node[1]
    if kind == "LITERAL":
        return bool(ord(char) == value)
    if kind == "NOT_LITERAL":
        return bool(ord(char) != value)
    if kind == "RANGE":
        return bool(value[0] <= ord(char) <= value[1])
    if kind == "CATEGORY":
        return _CATEGORIES[str(value)].match(char) is not None
    if kind == "IN":
        negated = str(value[0][0]) == "NEGATE"
        return negated != any(_is(each, char) for each in value[negated:])
    return True  # ANY, and what is not known


def _notable(node: object) -> Iterator[str]:
    """Name the characters at which the sets in a pattern begin and end, with their neighbours."""
    if type(node) is int:  # not one of the parser's own constants
        for code in (node - 1, node, node + 1):
            if 0 <= code <= sys.maxunicode:
                yield from {chr(code), *chr(code).lower(), *chr(code).upper()}
    elif isinstance(node, Sequence | _parser.SubPattern):
        for each in node:
            yield from _notable(each)
