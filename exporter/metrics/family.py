"""The description of a metric family, without its values."""

from typing import Literal

from msgspec import Struct


class Family(Struct, frozen=True, kw_only=True, eq=False):
    """One metric family. The name of a counter ends with ``_total``."""

    name: str
    kind: Literal["gauge", "counter", "histogram"]
    labels: tuple[str, ...] = ()
    help: str
