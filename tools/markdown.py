"""Sections of a Markdown page, with their code, tables, links and anchors.

It reads the Markdown of this project: headings that start with ``#``, fences of backticks, tables
with a pipe at the start of each row, and links within parentheses.
"""

import re
import textwrap
from collections.abc import Iterator
from typing import NamedTuple

Table = list[list[str]]

_HEADING = re.compile(r"(#{1,6}) +(.*)")
_FENCE = re.compile(r"( *)(`{3,})(\w*)")
_ANCHOR = re.compile(r'<a id="([^"]+)"></a>')
_ITEM = re.compile(r" *(?:[-*]|\d+\.) ")
_CODE = re.compile(r"(`+)(.+?)\1(?!`)", re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)|<(https?://[^>\s]+)>")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_CELLS = re.compile(r"(?<!\\)\|")


class Block(NamedTuple):
    """A fenced block."""

    language: str
    text: str


class Section(NamedTuple):
    """A heading and the lines up to the next one."""

    level: int
    title: str
    anchors: frozenset[str]
    lines: list[str]
    """The lines of text, with an empty one in the place of each fenced block."""
    blocks: list[Block]

    def text(self) -> str:
        """Return the heading and the text without blocks, tables and comments."""
        return _COMMENT.sub("", "\n".join([self.title, *filter(_is_no_row, self.lines)]))

    def tables(self) -> list[Table]:
        """Return the cells of each table by rows, without the row that separates the head."""
        found: list[Table] = []
        previous = ""
        for line in self.lines:
            if line.startswith("|"):
                if not previous.startswith("|"):
                    found.append([])
                if line.strip("|-: "):
                    found[-1].append([cell.strip() for cell in _CELLS.split(line.strip())[1:-1]])
            previous = line
        return found

    def items(self) -> int:
        """Return the number of items of lists."""
        return sum(1 for line in self.lines if _ITEM.match(line))

    def links(self) -> set[str]:
        """Return the targets of links, also of those in tables."""
        text = codeless("\n".join([self.title, *self.lines]))
        return {first or second for first, second in _LINK.findall(text)}


def _is_no_row(line: str) -> bool:
    return not line.startswith("|")


def codes(text: str) -> set[str]:
    """Return the contents of the code spans in a text."""
    return {" ".join(content.split()) for _, content in _CODE.findall(text)}


def codeless(text: str) -> str:
    """Return a text with empty code spans."""
    return _CODE.sub("``", text)


def numbers(text: str) -> set[str]:
    """Return the numbers in a text outside of code spans and targets of links."""
    return set(_NUMBER.findall(_LINK.sub("]", codeless(text))))


def sections(text: str) -> list[Section]:
    """Return the sections of a page. Text before the first heading belongs to none."""
    found: list[Section] = []
    seen: dict[str, int] = {}
    explicit: set[str] = set()
    for part in _parts(text):
        if isinstance(part, Block):
            if found:
                found[-1].blocks.append(part)
                found[-1].lines.append("")
        elif (heading := _HEADING.fullmatch(part)) is not None:
            title = heading[2].strip()
            anchors = frozenset({_slug(title, seen), *explicit})
            found.append(Section(len(heading[1]), title, anchors, [], []))
            explicit = set()
        elif (anchor := _ANCHOR.fullmatch(part.strip())) is not None:
            explicit.add(anchor[1])
        else:
            explicit = explicit if not part.strip() else set()
            if found:
                found[-1].lines.append(part)
    return found


def anchors(text: str) -> set[str]:
    """Return the targets within a page that links can name."""
    return {anchor for section in sections(text) for anchor in section.anchors}


def _parts(text: str) -> Iterator[str | Block]:
    """Yield the lines of a page, and each fenced block in the place of its lines."""
    lines = iter(text.splitlines())
    for line in lines:
        fence = _FENCE.fullmatch(line.rstrip())
        if fence is None:
            yield line
            continue
        inner: list[str] = []
        for content in lines:
            if content.strip() == fence[2]:
                break
            inner.append(content)
        yield Block(fence[3], textwrap.dedent("\n".join(inner)))


def _slug(title: str, seen: dict[str, int]) -> str:
    """Return the anchor that GitHub gives to a heading, given those of the headings before."""
    slug = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
    seen[slug] = count = seen.get(slug, -1) + 1
    return f"{slug}-{count}" if count else slug
