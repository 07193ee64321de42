"""HTML that is safe by construction: all text is escaped unless this module created it."""

from html import escape

from exporter.base.text import bounded

_LONGEST_TEXT = 1024
_VOID = frozenset({"input", "link", "meta"})


class Html(str):
    """A piece of HTML. Any other str is text that must be escaped."""

    __slots__ = ()


def text(value: str) -> Html:
    """Return a piece of HTML unchanged, and any other text truncated and escaped."""
    return value if isinstance(value, Html) else Html(escape(bounded(value, _LONGEST_TEXT)))


def join(*parts: str) -> Html:
    """Concatenate pieces of HTML and texts."""
    return Html("".join(map(text, parts)))


def tag(name: str, /, *children: str, **attributes: str | bool | None) -> Html:
    """Build an element.

    In attribute names, ``_`` becomes ``-``, and a ``_`` at the end is removed. An attribute that is
    True is written without a value. An attribute that is None or False is omitted.
    """
    written = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{escape(value)}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in _VOID:
        return Html(f"<{name}{written}>")
    return Html(f"<{name}{written}>{join(*children)}</{name}>")
