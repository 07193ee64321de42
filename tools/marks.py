"""The text between two marks in a document, which a program writes."""

import re


def between(text: str, name: str) -> str:
    """Return the text between the marks of a name."""
    found = _marked(name).search(text)
    if found is None:
        raise ValueError(f"no marks of {name}")
    return found[2]


def replaced(text: str, name: str, inner: str) -> str:
    """Return a document with other text between the marks of a name."""
    return _marked(name).sub(lambda found: found[1] + inner + found[3], text)


def _marked(name: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- {name} -->\n)(.*?)(<!-- end of {name} -->)", re.DOTALL)
