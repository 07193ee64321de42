"""Shards, checkpoints and consumer groups as the service returns them, and the text of cursors."""

import base64
import binascii
from typing import NamedTuple

from msgspec import Struct

UNREADABLE = "unreadable"
"""Stands for the cursor of a checkpoint that the response contains in an unusable form."""

_MAX_CURSOR = 2**63 - 1
_MAX_DIGITS = 19


class Checkpoint(NamedTuple):
    """The saved progress of a consumer group in one shard, as SLS returns it.

    It is a tuple, since many are made together, column by column, and unpacked.
    """

    shard: int
    cursor: str
    """Position of the next log group to read, base64; empty if the shard was never consumed."""
    updated_at: float | None
    """Time of the last write in Unix seconds; None if the service does not return it."""
    consumer: str
    """The last owner; empty if the writer gave no name."""


class Shard(Struct, frozen=True, kw_only=True):
    """One shard of a logstore."""

    shard: int
    status: str
    """``readwrite`` or ``readonly``."""
    created_at: int | None = None
    """Unix seconds; None if the service does not return it."""
    begin_key: int | None = None
    """The first key of its range of hash keys; None if the service does not return it."""
    end_key: int | None = None
    """The key after its range, or the last of all keys."""


class ConsumerGroup(Struct, frozen=True, kw_only=True):
    """A consumer group as it is listed."""

    name: str
    timeout_seconds: int | None
    """None if the service does not return a usable one."""
    order: bool


def decode_cursor(text: str) -> int | None:
    """Return the number in a cursor (base64 of 64-bit decimal), or None if it is not valid."""
    try:
        digits = binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        return None
    if not digits.isdigit() or len(digits) > _MAX_DIGITS:
        return None
    value = int(digits)
    return value if value <= _MAX_CURSOR else None


def encode_cursor(value: int) -> str:
    """Write a cursor as the service does."""
    return base64.b64encode(str(value).encode()).decode()
