"""A typed, reading-only client of the SLS API: it polls, and it never lets a library error out."""

from exporter.model.shards import Checkpoint, ConsumerGroup, Shard
from exporter.sls.client import ClientSettings, Observer, SlsClient
from exporter.sls.errors import (
    AccessDenied,
    ApiError,
    BadRequest,
    Cancelled,
    InvalidCursor,
    InvalidResponse,
    NoCredentials,
    NotFound,
    ServerFault,
    SlsError,
    Throttled,
    TimedOut,
    Unreachable,
)
from exporter.sls.shapes import Parsed
from exporter.sls.throttle import Throttle
from exporter.sls.transport import Transport
from exporter.sls.unanswered import Unanswered

__all__ = [
    "AccessDenied",
    "ApiError",
    "BadRequest",
    "Cancelled",
    "Checkpoint",
    "ClientSettings",
    "ConsumerGroup",
    "InvalidCursor",
    "InvalidResponse",
    "NoCredentials",
    "NotFound",
    "Observer",
    "Parsed",
    "ServerFault",
    "Shard",
    "SlsClient",
    "SlsError",
    "Throttle",
    "Throttled",
    "TimedOut",
    "Transport",
    "Unanswered",
    "Unreachable",
]
