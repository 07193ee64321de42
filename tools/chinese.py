"""A check of terms and typography in Chinese texts.

Sentences have full-width punctuation, and a space between Chinese and other words. A paragraph is
one line, because browsers show a line break between Chinese characters as a space. The glossary
lists the words that are not used.
"""

import re
from collections.abc import Iterator, Mapping

from tools.markdown import codeless, sections

_HAN = r"[\u4e00-\u9fff]"
_WIDE = r"[\uff0c\u3002\uff1b\uff1a\uff1f\uff01\u3001\uff08\uff09]"
_BLOCK = re.compile(r"^ *(`{3,}).*?^ *\1$|<!--.*?-->|<a id=[^>]*></a>", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"!?\[|\]\([^)\s]*\)")
_BOLD = re.compile(r"\*\*([^*\n]+)\*\*")
_PUNCTUATION = re.compile(rf"{_WIDE}|[`()\u201c\u201d]")
_FAULTS = (
    (re.compile(rf"{_HAN}[A-Za-z0-9`<$]|[A-Za-z0-9`>%]{_HAN}"), "needs a space"),
    (re.compile(rf"{_HAN}[,;:!?().]|[,;:!?()]{_HAN}"), "needs full-width punctuation"),
    (re.compile(rf"{_WIDE} +(?=[^\s|])|(?<=[^\s|#.*-]) +{_WIDE}"), "has a needless space"),
    (re.compile(rf"(?:{_HAN}|{_WIDE})\n *{_HAN}"), "is broken within a paragraph"),
)


def words_not_used(glossary: str) -> dict[str, str]:
    """Return the words in the last column of the glossary, each with the term to use."""
    tables = [table for section in sections(glossary) for table in section.tables()]
    rows = [row for table in tables for row in table[1:]]
    return {word: row[0] for row in rows for word in row[-1].split("\u3001") if word}


def problems(text: str, not_used: Mapping[str, str]) -> Iterator[str]:
    """Yield the words that are not used, and wrong spaces and punctuation, with their lines."""
    marked = codeless(_LINK.sub("", _BLOCK.sub(_lines, text)))
    prose = marked.replace("**", "")
    faults = [
        *(
            (re.compile(re.escape(word)), f"is not used; write {not_used[word]}")
            for word in not_used
        ),
        *_FAULTS,
    ]
    for pattern, reason in faults:
        for match in pattern.finditer(prose):
            yield f"line {_line(match)}: {match[0]!r} {reason}"
    for match in _BOLD.finditer(marked):
        if not _is_bold(match):
            yield f"line {_line(match)}: {match[0]!r} is not bold; move the punctuation out of it"


def _line(match: re.Match[str]) -> int:
    return match.string.count("\n", 0, match.start()) + 1


def _is_bold(match: re.Match[str]) -> bool:
    """Return whether CommonMark sees bold text, which needs other text than punctuation inside."""
    before, after = match.string[: match.start()][-1:], match.string[match.end() :][:1]
    opens = not (re.match(_HAN, before) and _PUNCTUATION.match(match[1]))
    closes = not (re.match(_HAN, after) and _PUNCTUATION.match(match[1][-1]))
    return opens and closes


def _lines(block: re.Match[str]) -> str:
    return "\n" * block[0].count("\n")
