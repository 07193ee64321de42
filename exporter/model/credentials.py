"""An access key as a value, and the errors of its absence. Its sources are in ``credentials``."""

import re
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

SECRET_VARIABLES = ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALIBABA_CLOUD_SECURITY_TOKEN")
"""The environment variables with the secret of an access key, and with the security token."""
_PRINTABLE = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """An access key, with the security token of STS if it is a temporary one."""

    access_key_id: str
    access_key_secret: str = field(repr=False)
    security_token: str | None = field(default=None, repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values that must not be shown."""
        return tuple(filter(None, (self.access_key_secret, self.security_token)))


class CredentialsError(Exception):
    """Missing or wrongly configured credentials. The message says where to look."""


class CredentialsUnavailableError(Exception):
    """A temporary lack of valid credentials.

    The text contains no secret and is safe in a log.
    """


@runtime_checkable
class Refreshable(Protocol):
    """A source of temporary credentials that can be renewed when SLS rejects them."""

    def refresh(self, rejected: Credentials) -> bool:
        """Fetch other credentials than the rejected ones. Return whether there are some now."""
        ...


def is_key(text: str) -> bool:
    """Return whether a text can be a key, a secret or a token, which are sent in headers."""
    return _PRINTABLE.fullmatch(text) is not None
