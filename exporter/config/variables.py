"""``${NAME}`` in values: replaced after the YAML was read, so a variable cannot bring structure."""

import re
from collections.abc import Mapping

from exporter.base.text import Expanded, quoted

_REFERENCE = re.compile(r"(\$)?\$\{(?:([A-Za-z_][A-Za-z0-9_]*)\})?")


def expand(text: str, environ: Mapping[str, str]) -> str:
    """Replace each ``${NAME}`` by the variable's value; ``$${`` stands for a literal ``${``.

    Raises ValueError with a message for people, which names a variable but never the value.
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
            raise ValueError(
                f"the environment variable {quoted(name)[1:-1]} is not set;"
                " $${ stands for a literal ${"
            )
        return environ[name]

    return Expanded(_REFERENCE.sub(value, text), text)
