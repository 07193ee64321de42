"""Expansion of ``${NAME}`` in values.

Variables are expanded after the YAML is parsed, so they cannot change the structure.
"""

import re
from collections.abc import Mapping

from exporter.base.text import Expanded, bounded, masked

_MOST_SHOWN = 64
_REFERENCE = re.compile(r"(\$)?\$\{(?:([A-Za-z_][A-Za-z0-9_]*)\})?")


def expand(text: str, environ: Mapping[str, str]) -> str:
    """Replace each ``${NAME}`` with the value of the variable, and ``$${`` with ``${``.

    Raises ValueError with a human-readable message, which names a variable but never its value.
    """
    if "${" not in text:
        return text

    def value(match: re.Match[str]) -> str:
        escaped, name = match.groups()
        if escaped:
            return match[0][1:]
        if name is None:
            raise ValueError("expected ${NAME} after a dollar sign; $${ stands for a literal ${")
        if name not in environ:
            shown = masked(bounded(name, _MOST_SHOWN))
            raise ValueError(
                f"the environment variable {shown} is not set; $${{ stands for a literal ${{"
            )
        return environ[name]

    return Expanded(_REFERENCE.sub(value, text), text)
