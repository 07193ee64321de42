"""Shards, checkpoints and consumer groups as the service returns them, and the text of cursors."""

import base64
import binascii
from typing import NamedTuple

from msgspec import Struct

_MAX_CURSOR = 2**63 - 1
_MAX_DIGITS = 19


class Checkpoint(NamedTuple):
    """The saved progress of a consumer group in one shard, as the service tells it.

    A tuple, as many are made at once, column by column, and taken apart.
    """

    shard: int
    cursor: str
    """Position of the next log group to read, base64; empty if the shard was never consumed."""
    updated_at: float | None
    """When the checkpoint was last written, unix seconds; None if the service does not say."""
    consumer: str
    """The last owner; empty where the writer gave no name."""


class Shard(Struct, frozen=True, kw_only=True):
    """One shard of a logstore."""

    shard: int
    status: str
    """``readwrite`` or ``readonly``."""
    created_at: int | None = None
    """Unix seconds; None if the service does not say."""


class ConsumerGroup(Struct, frozen=True, kw_only=True):
    """A consumer group as it is listed."""

    name: str
    timeout_seconds: int
    order: bool


def decode_cursor(text: str) -> int | None:
    """Read a cursor, base64 of a decimal 64-bit number; None if it is none."""
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
