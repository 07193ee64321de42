"""HTML that is safe by construction: a text is escaped unless it was made here."""

from html import escape

from exporter.base.text import bounded

_LONGEST_TEXT = 1024
_VOID = frozenset({"input", "link", "meta"})


class Html(str):
    """A piece of HTML; any other str is text."""

    __slots__ = ()


def text(value: str) -> Html:
    """Return a piece of HTML as it is, and any other text bounded and escaped."""
    return value if isinstance(value, Html) else Html(escape(bounded(value, _LONGEST_TEXT)))


def join(*parts: str) -> Html:
    """Put pieces and texts one after the other."""
    return Html("".join(map(text, parts)))


def tag(name: str, /, *children: str, **attributes: str | bool | None) -> Html:
    """Build an element.

    In names of attributes ``_`` stands for ``-``, at the end for nothing. True is an attribute
    without a value; what is None or False is left out.
    """
    written = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{escape(value)}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in _VOID:
        return Html(f"<{name}{written}>")
    return Html(f"<{name}{written}>{join(*children)}</{name}>")
