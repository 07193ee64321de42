"""Targets: sources of access keys, which are responses, files and environment variables."""

import tempfile
from collections.abc import Mapping
from itertools import product
from pathlib import Path

from exporter.credentials import chain, temporary, variables
from exporter.credentials.key_files import read_key, unreadable
from exporter.credentials.profile import read_profile
from exporter.credentials.temporary import FetchError, Temporary
from exporter.http.response import Response
from exporter.model.credentials import Credentials, CredentialsError
from tests.fuzz.checks import SECRET, require, require_showable
from tests.fuzz.reader import Reader

_LONGEST = 1500
_KEYS = (
    *("AccessKeyId", "AccessKeySecret", "SecurityToken", "Expiration", "Code", "Message"),
    *("RequestId", "Credentials", "LastUpdated"),
)
_STATUSES = (200, 200, 200, 100, 204, 302, 400, 401, 403, 404, 429, 500, 599, 999)


def key_answers(data: bytes) -> None:
    """Read any response of a source of temporary credentials."""
    reader = Reader(data)
    status, is_sts = reader.pick(_STATUSES), reader.below(2) == 1
    answer = Response(status=status, headers={}, body=reader.body(_KEYS))
    try:
        fields = temporary.document(answer, with_message=is_sts)
        if not is_sts:
            temporary.require_success(fields)
        found = temporary.temporary(fields.get("Credentials") if is_sts else fields)
    except FetchError as error:
        require_showable(str(error), _LONGEST)
    else:
        require_temporary(found)


def require_temporary(found: Temporary) -> None:
    """Raise unless credentials can travel in headers and expire at some time."""
    _require_keys(found.credentials)
    require(abs(found.expires_at) < 1e12, "an absurd expiry")


def _require_keys(found: Credentials) -> None:
    for key in (found.access_key_id, found.access_key_secret, found.security_token or "x"):
        require(key.isascii() and key.isprintable() and " " not in key, "not a key")
    secrets = {found.access_key_secret, found.security_token} - {found.access_key_id, None}
    require(not any(f"'{secret}'" in repr(found) for secret in secrets), "a secret shows")


def key_files(data: bytes) -> None:
    """Read any bytes as a file of profiles and as a file with one key."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "credentials")
        path.write_bytes(data)
        json_path = Path(directory, "config.json")
        json_path.write_bytes(data)
        for file, name in product((path, json_path), (None, "default", "a\nb")):
            try:
                _require_keys(read_profile(file, name).credentials())
            except ValueError as error:
                require_showable(unreadable(error), _LONGEST)
        try:
            key = read_key(path)
        except ValueError as error:
            require_showable(unreadable(error), _LONGEST)
        else:
            require(key.isascii() and key.isprintable(), "not a key")


_VARIABLES = (
    *sorted(
        value
        for value in vars(variables).values()
        if isinstance(value, str) and value.startswith("ALIBABA_CLOUD_")
    ),
    "HOME",
)
_VALUES = (
    *("x", "", "true", "\x01", "/dev/null", "/nowhere", "a" * 10_000, "https://h:99999/", "//"),
    *(
        "cn-shanghai",
        "\udcff",
        "http://[",
        "https://\u2100/",
        "http://example.org/",
        "/",
        "default",
    ),
)
_ADDRESSES = (
    *(f"http://{SECRET}@h/", f"http://127.0.0.1/?{SECRET}", f"https://h/{SECRET}"),
    *(f"//{SECRET}", SECRET, f"https://h:{SECRET}/", f"https://[{SECRET}", f"https://h{SECRET}\n"),
)
_SECRETS = (SECRET, f"{SECRET}\n", f" {SECRET}", f"{SECRET}é")


def key_environment(data: bytes) -> None:
    """Choose a source of credentials from any environment."""
    reader = Reader(data)
    environ: dict[str, str] = {}
    for _ in range(reader.below(8)):
        name = reader.pick(_VARIABLES)
        if name in {variables.KEY_SECRET, variables.TOKEN}:
            environ[name] = reader.pick(_SECRETS)
        elif name == variables.CREDENTIALS_URI and reader.below(2):
            environ[name] = reader.pick(_ADDRESSES)
        else:
            environ[name] = reader.text() if reader.below(4) == 1 else reader.pick(_VALUES)
    _choose(environ)


def _choose(environ: Mapping[str, str]) -> None:
    # The system does not allow NUL in an environment variable.
    if any("\0" in value for value in environ.values()):
        return
    try:
        found = chain.choose(None, environ)
    except CredentialsError as error:
        require_showable(str(error), _LONGEST)
    else:
        require_showable(found.description, _LONGEST)
        require(SECRET not in repr(found), "a secret shows")
