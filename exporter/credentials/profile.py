"""The credentials file of the vendor's tools, with profiles in INI format.

Only profiles that contain an access key are supported (types ``access_key`` and ``sts``). Profiles
that describe how to obtain one are not.
"""

import configparser
import re
from pathlib import Path

from exporter.base.text import bounded
from exporter.credentials.key_files import read_text
from exporter.model.credentials import Credentials, is_key

_FIELDS = {
    "access_key": ("access_key_id", "access_key_secret"),
    "sts": ("access_key_id", "access_key_secret", "security_token"),
}


# The names of the vendor's types match this. Any other text can be a secret in the wrong line.
_TYPE = re.compile(r"[a-z_]{1,32}")


class NoProfileError(ValueError):
    """An error for a file without a profile of the given name."""


def read_profile(path: Path, name: str) -> Credentials:
    """Return the access key of a profile.

    Raises OSError or ValueError, whose messages contain no secret.
    """
    parser = configparser.ConfigParser(interpolation=None, inline_comment_prefixes=("#",))
    try:
        parser.read_string(read_text(path))
    except configparser.Error:
        # The message of configparser quotes the line, which can contain a secret.
        raise ValueError(f"{path} is not an INI file") from None
    if not parser.has_section(name):
        raise NoProfileError(f"{path} has no profile {bounded(name)!r}")
    profile = parser[name]
    kind = profile.get("type", "")
    if kind not in _FIELDS:
        found = f"the type {kind!r}" if _TYPE.fullmatch(kind) else "no type, or one that is none"
        raise ValueError(
            f"profile {bounded(name)!r} in {path} has {found}; "
            f"{' and '.join(_FIELDS)} are supported"
        )
    values = {field: profile.get(field, "") for field in _FIELDS[kind]}
    for field, value in values.items():
        if not is_key(value):
            raise ValueError(f"profile {bounded(name)!r} in {path}: {field} is missing or no key")
    return Credentials(**values)
