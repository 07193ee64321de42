"""An access key as a value, and the errors of its absence. Its sources are in ``credentials``."""

import re
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

_PRINTABLE = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """An access key, with the security token of STS if it is a temporary one."""

    access_key_id: str
    access_key_secret: str = field(repr=False)
    security_token: str | None = field(default=None, repr=False)


class CredentialsError(Exception):
    """No credentials are configured, or not rightly; the message says where to look."""


class CredentialsUnavailableError(Exception):
    """There are no valid credentials at this moment; later there may be.

    Its text holds no secret and is fit for a log.
    """


@runtime_checkable
class Refreshable(Protocol):
    """What gives temporary credentials, and can be told that the service finds them expired."""

    def refresh(self) -> bool:
        """Fetch newer credentials; tell whether there are some now."""
        ...


def is_key(text: str) -> bool:
    """Tell whether a text can be a key, a secret or a token: they travel in headers."""
    return _PRINTABLE.fullmatch(text) is not None
