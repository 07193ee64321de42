"""A comparison of translated pages with their English twins.

The first line of a translated page names its twin and the digest of the text that was translated:
``<!-- twin: ../metrics.md sha256:0123456789abcdef -->``. ``python -m tools.translations`` prints
all differences. ``python -m tools.translations PAGE…`` writes the digests of the present twins into
the named pages. The translator does that after each update of a page.

Headings, code, tables, numbers and links are compared. Sentences are not.
"""

import hashlib
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

from tools.markdown import Block, Section, codes, numbers, sections
from tools.paths import ROOT

LANGUAGE = "zh-CN"
FOLDER = Path("docs") / LANGUAGE
README = Path(f"README.{LANGUAGE}.md")
GLOSSARY = FOLDER / "glossary.md"
"""The only page of the folder without an English twin."""

_FIRST = re.compile(r"<!-- twin: (\S+) sha256:([0-9a-f]+) -->\n")
_COMMENTED = {"sh", "yaml", "promql", "dockerfile", "toml", "ini"}
_COMMENT = re.compile(r"(?:^|\s+)#(?:\s.*)?$")


class Translation(NamedTuple):
    """A translated page and its English twin, with their paths from the project's root."""

    path: Path
    text: str
    twin: Path
    english: str
    digest: str
    """The digest of the English text that was translated."""


def translations(root: Path = ROOT) -> list[Translation]:
    """Return all translated pages."""
    found = [*sorted((root / FOLDER).glob("*.md")), *root.glob(str(README))]
    return [read(path.relative_to(root), root) for path in found if path != root / GLOSSARY]


def read(path: Path, root: Path) -> Translation:
    """Read a translated page and its twin. Raises ValueError if the page does not name one."""
    text = (root / path).read_text(encoding="utf-8")
    first = _FIRST.match(text)
    if first is None:
        raise ValueError(f"{path}: the first line must be <!-- twin: PATH sha256:DIGEST -->")
    twin = _normal(path.parent / first[1])
    return Translation(path, text, twin, (root / twin).read_text(encoding="utf-8"), first[2])


def digest(text: str) -> str:
    """Return a digest of the words of a page. Line breaks and indentation do not change it."""
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()[:16]


def recorded(translation: Translation) -> str:
    """Return a translated page with the digest of its present twin."""
    return translation.text.replace(translation.digest, digest(translation.english), 1)


def differences(translation: Translation, twins: Mapping[Path, Path]) -> Iterator[str]:
    """Yield the differences of a page from its twin, given the translated page of each twin."""
    path, twin = translation.path, translation.twin
    if translation.digest != digest(translation.english):
        yield f"{twin} has changed; update the page, then run python -m tools.translations {path}"
    here, there = sections(translation.english), sections(translation.text)
    yield from _link_below_title(here, twin, path, "简体中文")
    yield from _link_below_title(there, path, twin, "English")
    left, right = [each.level for each in here], [each.level for each in there]
    if left != right:
        yield f"levels of headings: {right}, in {twin}: {left}"
        return
    for section, other in zip(here, there, strict=True):
        found = [*_sections(section, other), *_links(section, other, translation, twins)]
        yield from (f"{other.title}: {difference}" for difference in found)


def _link_below_title(found: list[Section], path: Path, target: Path, text: str) -> Iterator[str]:
    link = f"[{text}]({os.path.relpath(target, path.parent)})"
    if not found or link not in found[0].lines[:2]:
        yield f"{path} needs the line {link} below its title"


def _sections(section: Section, other: Section) -> Iterator[str]:
    # No link leads to the title of a page.
    for anchor in sorted(section.anchors - other.anchors) if section.level > 1 else ():
        yield f'needs <a id="{anchor}"></a> on a line before the heading'
    for number, (block, its) in enumerate(zip_longest(section.blocks, other.blocks), start=1):
        if block is None or its is None or _without_comments(block) != _without_comments(its):
            yield f"block {number} has other code"
    if section.items() != other.items():
        yield f"{other.items()} items of lists instead of {section.items()}"
    yield from _texts(section.text(), other.text())
    yield from _tables(section, other)


def _without_comments(block: Block) -> Block:
    """Return a block without its comments, and without lines that have nothing else."""
    if block.language not in _COMMENTED:
        return block
    lines = ((line, _COMMENT.sub("", line)) for line in block.text.splitlines())
    return Block(block.language, "\n".join(code for line, code in lines if code or not line))


def _texts(text: str, other: str) -> Iterator[str]:
    """Yield the code and the numbers that differ. A translation may have more numbers."""
    yield from (f"lacks `{code}`" for code in sorted(codes(text) - codes(other)))
    yield from (f"has `{code}`, unlike the twin" for code in sorted(codes(other) - codes(text)))
    yield from (f"lacks the number {number}" for number in sorted(numbers(text) - numbers(other)))


def _tables(section: Section, other: Section) -> Iterator[str]:
    tables, others = section.tables(), other.tables()
    if [[len(row) for row in each] for each in tables] != [
        [len(row) for row in each] for each in others
    ]:
        yield "tables have other rows or columns"
        return
    for table, its in zip(tables, others, strict=True):
        for number, (row, own) in enumerate(zip(table, its, strict=True), start=1):
            for cell, translated in zip(row, own, strict=True):
                found = _texts(cell, translated)
                yield from (f"row {number} of a table {difference}" for difference in found)


def _links(
    section: Section, other: Section, translation: Translation, twins: Mapping[Path, Path]
) -> Iterator[str]:
    """Yield the links that differ, except for links to the glossary and to the other language."""
    path, twin = translation.path, translation.twin
    wanted = {_target(link, twin, twins) for link in section.links()}
    found = {_target(link, path, {}) for link in other.links()}
    free = {str(path), str(twin)} | {link for link in found if link.startswith(str(GLOSSARY))}
    yield from (f"lacks a link to {link}" for link in sorted(wanted - found - free))
    yield from (f"links to {link}, unlike the twin" for link in sorted(found - wanted - free))


def _target(link: str, page: Path, twins: Mapping[Path, Path]) -> str:
    """Return the target of a link in a page, from the root and in the translation if it exists."""
    if re.match(r"https?:", link):
        return link
    name, mark, anchor = link.partition("#")
    target = _normal(page.parent / name) if name else page
    return f"{twins.get(target, target)}{mark}{anchor}"


def _normal(path: Path) -> Path:
    return Path(os.path.normpath(path))


def main(names: Sequence[str], root: Path = ROOT) -> int:
    """Record the twins of the named pages, or print the differences of all pages."""
    if names:
        for name in names:
            (root / name).write_text(recorded(read(Path(name), root)), encoding="utf-8")
        return 0
    pages = translations(root)
    twins = {page.twin: page.path for page in pages}
    found = [f"{page.path}: {each}" for page in pages for each in differences(page, twins)]
    sys.stdout.writelines(f"{line}\n" for line in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
