"""A check for words that this project does not use, with a better word for each.

It reads the comments, the strings and the names of tests in Python files, and every line of other
files. Words in backticks are code and are not checked. It finds words, not bad sentences.
"""

import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tools.paths import ROOT

CHECKED = ("exporter", "tests", "tools", "benchmarks", "helm", "config.example.yaml")
_LISTS = {"prose", "test_prose"}
_SUFFIXES = {".py", ".yaml", ".tpl", ".txt", ".md"}
_CODE = re.compile(r"(`+)[^`]+\1|\{[^{}]*\}")
_FSTRING = getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)
_WORDS = re.compile(r"[A-Za-z]{2,} [A-Za-z]{2,}")


class Rule(NamedTuple):
    """A pattern of words, the words to use instead, and the reason."""

    words: str
    better: str
    reason: str
    allowed: str = "(?!)"
    """A pattern of paths in which the words are allowed."""


_OLD = "an old or poetic word"
_VAGUE = "it does not name who acts"
_TWO = "it has two meanings"
_OWN = "only this project used it"

RULES = (
    Rule("anew", "again, from scratch", _OLD),
    Rule("beside", "next to, compared with, in addition to", _OLD),
    Rule("for ever", "forever, indefinitely", _OLD),
    Rule("haste|hasty|seldom|lest|whilst|hitherto|in vain", "the everyday word", _OLD),
    Rule("reckon(?:s|ed|ing)?", "calculate", _OLD),
    Rule("nobody|somebody|whoever", "no one, a client, anyone who", _VAGUE),
    Rule("(?:is|are|was|were|be) told(?! apart)", "is reported, is logged", _VAGUE),
    Rule("of ours|of theirs|of yours", "the exporter's, their own, your", _VAGUE),
    Rule("at once", "immediately, at the same time", _TWO),
    Rule("(?:may|can) not", "cannot, might not, is not allowed to", _TWO),
    Rule(
        "(?<!injected\\s)faults?",
        "error (in a file), failure (of a request)",
        _TWO,
        "fault|simulator|mutants",
    ),
    Rule("(?:stands?|stood|standing) still", "does not advance, is stalled", _OWN),
    Rule("answer(?:s|ed|ing)?", "response, respond, return, serve", "HTTP has responses"),
    Rule("rights", "permissions", "RAM and Kubernetes have permissions"),
    Rule("(?:the|no) right to", "permission", "RAM and Kubernetes have permissions"),
    Rule("verdicts?", "state, result", _OWN),
    Rule("good polls?", "successful poll", _OWN),
    Rule("well or (?:not)", "successfully or not", _OWN),
    Rule("unanswered", "without a response", _OWN),
    Rule("foreign (?:text|names?)", "untrusted input", _OWN),
    Rule("swallow(?:s|ed)?|drip(?:s|ping)?|spoil(?:s|ed)?", "drop, send slowly, corrupt", _OWN),
    Rule("silent peers?", "idle client, slow client", _OWN),
    Rule("withdrawn", "dropped, deleted", _OWN),
    Rule("stand-ins?", "fake, stub", _OWN),
    Rule("since when", "when it started, for how long", _OWN),
    Rule(
        "(?:mis)?behaviours?|colour\\w*|honour\\w*|neighbour\\w*|licences?|(?:re)?labell(?:ed|ing|er)\\w*|grey|"
        "modell\\w+|catalogues?|defence|artefacts?|favour\\w*|recognis\\w+|normalis\\w+|organis\\w+",
        "the American form",
        "spelling is American",
    ),
)


class Hit(NamedTuple):
    """A match of a rule in a line of a file."""

    path: Path
    line: int
    found: str
    rule: Rule

    def __str__(self) -> str:
        """Format the hit as a line that editors can follow."""
        better, reason = self.rule.better, self.rule.reason
        return f"{self.path}:{self.line}: {self.found!r}: use {better} ({reason})"


def hits(path: Path, text: str) -> Iterator[Hit]:
    """Yield the words in a file that the project does not use."""
    segments = list(_segments(path, text))
    for rule in RULES:
        if re.search(rule.allowed, str(path)):
            continue
        pattern = re.compile(rf"\b(?:{rule.words})\b".replace(" ", r"\s+(?:# )?"), re.IGNORECASE)
        for line, segment in segments:
            for match in pattern.finditer(segment):
                yield Hit(path, line + segment.count("\n", 0, match.start()), match[0], rule)


def _segments(path: Path, text: str) -> Iterator[tuple[int, str]]:
    """Yield the prose of a file without code, with the number of its first line."""
    if path.suffix != ".py":
        yield 1, _CODE.sub(_blank, text)
        return
    previous = ""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        is_text = token.type in {tokenize.STRING, _FSTRING} and _WORDS.search(token.string)
        if is_text or token.type == tokenize.COMMENT:
            yield token.start[0], _CODE.sub(_blank, token.string)
        elif previous == "def" and token.string.startswith("test_"):
            yield token.start[0], token.string.replace("_", " ")
        previous = token.string


def _blank(code: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", code[0])


def files(root: Path) -> Iterator[Path]:
    """Yield the files to check, without hidden ones and those that list the words."""
    for name in CHECKED:
        for path in (root / name, *sorted((root / name).rglob("*"))):
            is_hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
            if (
                not is_hidden
                and path.is_file()
                and path.suffix in _SUFFIXES
                and path.stem not in _LISTS
            ):
                yield path


def main(root: Path = ROOT) -> int:
    """Print the hits in all files and return 1 if there are any."""
    found = [
        hit
        for path in files(root)
        for hit in hits(path.relative_to(root), path.read_text(encoding="utf-8"))
    ]
    sys.stdout.writelines(f"{hit}\n" for hit in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
