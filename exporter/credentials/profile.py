"""Profiles in the files of the vendor's tools: INI files, and the JSON file of the command line.

Both notations of types and fields are read in both files. The names here are those of INI files.
"""

import configparser
import json
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from msgspec import Struct

from exporter.base.text import bounded
from exporter.credentials.key_files import read_text
from exporter.model.credentials import Credentials, is_key

KINDS = ("access_key", "sts", "ram_role_arn", "oidc_role_arn", "ecs_ram_role")
_KINDS_OF_CLI = MappingProxyType(
    {
        "AK": "access_key",
        "StsToken": "sts",
        "RamRoleArn": "ram_role_arn",
        "OIDC": "oidc_role_arn",
        "EcsRamRole": "ecs_ram_role",
    }
)
_FIELDS_OF_CLI = MappingProxyType(
    {
        "mode": "type",
        "sts_token": "security_token",
        "ram_role_arn": "role_arn",
        "ram_session_name": "role_session_name",
        "ram_role_name": "role_name",
        "oidc_token_file": "oidc_token_file_path",
        "expired_seconds": "role_session_expiration",
    }
)
# The names of the vendor's types match this. Any other text can be a secret in the wrong line.
_TYPE = re.compile(r"[A-Za-z_]{1,32}")


class NoProfileError(ValueError):
    """An error for a file without a profile of the given name."""


class Profile(Struct, frozen=True, kw_only=True):
    """A profile of a known type. Its fields can be missing, and can contain secrets."""

    path: Path
    name: str
    kind: str
    fields: Mapping[str, str]

    def __str__(self) -> str:
        return f"profile {bounded(self.name)!r} in {self.path}"

    def key(self, field: str) -> str:
        """Return a field that must contain a key, a name or an ARN. Raises ValueError."""
        value = self.fields.get(field, "")
        if not is_key(value):
            raise ValueError(f"{self}: {field} is missing or is not a key")
        return value

    def credentials(self) -> Credentials:
        """Return the access key in the profile. Raises ValueError."""
        # A profile of another type can contain a token from before its type was changed.
        return Credentials(
            access_key_id=self.key("access_key_id"),
            access_key_secret=self.key("access_key_secret"),
            security_token=self.key("security_token") if self.kind == "sts" else None,
        )


def read_profile(path: Path, name: str | None) -> Profile:
    """Return a profile. Without a name, return the current or default one.

    Raises OSError or ValueError, whose messages contain no secret.
    """
    text = read_text(path)
    default, profiles = _from_json(path, text) if path.suffix == ".json" else _from_ini(path, text)
    name = name or default
    if name not in profiles:
        raise NoProfileError(f"{path} has no profile {bounded(name)!r}")
    fields = {_FIELDS_OF_CLI.get(key, key): value for key, value in profiles[name].items()}
    given = fields.get("type", "")
    kind = _KINDS_OF_CLI.get(given, given)
    if kind not in KINDS:
        found = f"the type {given!r}" if _TYPE.fullmatch(given) else "no type or an invalid one"
        raise ValueError(
            f"profile {bounded(name)!r} in {path} has {found}; "
            f"{', '.join(KINDS[:-1])} and {KINDS[-1]} are supported"
        )
    return Profile(path=path, name=name, kind=kind, fields=fields)


_Found = tuple[str, Mapping[str, Mapping[str, str]]]


def _from_ini(path: Path, text: str) -> _Found:
    parser = configparser.ConfigParser(interpolation=None, inline_comment_prefixes=("#",))
    try:
        parser.read_string(text)
    except configparser.Error:
        # The message of configparser quotes the line, which can contain a secret.
        raise ValueError(f"{path} is not an INI file") from None
    return "default", {name: dict(parser[name]) for name in parser.sections()}


def _from_json(path: Path, text: str) -> _Found:
    try:
        document = json.loads(text)
        listed = document.get("profiles") or []
        profiles = {str(each["name"]): _texts(each) for each in listed}
        current = str(document.get("current") or "default")
    except (ValueError, RecursionError, AttributeError, TypeError, KeyError):
        raise ValueError(f"{path} is not a file of the vendor's command line") from None
    return current, profiles


def _texts(profile: Mapping[str, object]) -> Mapping[str, str]:
    """Return the fields of a profile as text, without those that are not set."""
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in profile.items()
        if isinstance(value, str | int) and value != ""
    }
