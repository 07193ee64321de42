"""The project's documents, and the contents of their fenced blocks."""

import re

from tools.paths import ROOT

PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")], key=lambda path: path.as_posix()
)


def read(name: str) -> str:
    """Return the text of a document, given its path from the project's root."""
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    """Return the contents of the fenced blocks of a language, in order."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    return [str(block) for block in found]
