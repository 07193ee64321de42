"""The web configuration file, in exporter-toolkit's format; docs/web-configuration.md has its keys.

Loading reads every file that it names and makes the TLS context, so what loads also works.
"""

import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from msgspec import Struct

from exporter.base.durations import parse_go_duration
from exporter.base.text import bounded
from exporter.web.auth import is_bcrypt_hash
from exporter.web.nodes import Section, WebConfigError
from exporter.web.tls import (
    CIPHERS,
    CLIENT_AUTH,
    CURVES,
    VERSIONS,
    TlsError,
    TlsPolicy,
    TlsSettings,
    allowed_sans,
    server_context,
)

__all__ = ["WebConfig", "WebConfigError", "load_web_config"]

# None means any value.
_HEADERS: Final[Mapping[str, tuple[str, ...] | None]] = {
    "Strict-Transport-Security": None,
    "X-Content-Type-Options": ("nosniff",),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-XSS-Protection": None,
    "Content-Security-Policy": None,
}
_HEADER_VALUE: Final = re.compile(r"[\x20-\x7e]*")
_REQUIRED_TYPES: Final = {
    "RequireAnyClientCert",
    "RequireClientCert",
    "RequireAndVerifyClientCert",
}
_UNVERIFIED_TYPES: Final = {"RequireAnyClientCert", "RequireClientCert"}
_HTTP2_SUITES: Final = {
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
}
_MAX_PEM: Final = 1024 * 1024
_ECHOED: Final = 500


class RateLimit(Struct, frozen=True, kw_only=True):
    """A token every ``interval`` seconds, ``burst`` of them kept at most."""

    interval: float
    burst: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WebConfig:
    """A loaded configuration: ready to use, and the files that it was made from."""

    tls: TlsPolicy | None
    headers: Mapping[str, str]
    users: Mapping[str, str] = field(repr=False)
    rate_limit: RateLimit | None
    files: tuple[Path, ...]
    is_empty: bool


def load_web_config(path: Path) -> WebConfig:
    """Read, check and prepare a web configuration file; raises WebConfigError."""
    files: list[Path] = [path]
    try:
        return _load(path, files)
    except WebConfigError as exc:
        raise WebConfigError(str(exc), tuple(files)) from exc.__cause__


def _load(path: Path, files: list[Path]) -> WebConfig:
    whole = Section.read(path)
    tls, http = whole.section("tls_server_config"), whole.section("http_server_config")
    users, rate = whole.section("basic_auth_users"), whole.section("rate_limit")
    whole.refuse_the_rest()
    http2 = http.flag("http2", default=True)
    return WebConfig(
        tls=_tls(tls, files, http2=http2),
        headers=_headers(http),
        users=_users(users),
        rate_limit=_rate_limit(rate),
        files=tuple(files),
        is_empty=whole.is_empty,
    )


def _headers(http: Section) -> Mapping[str, str]:
    headers = http.section("headers")
    http.refuse_the_rest()
    chosen: dict[str, str] = {}
    for name, value in headers.items():
        if name not in _HEADERS:
            raise headers.error(name, "this header cannot be configured")
        allowed = _HEADERS[name]
        if allowed is not None and value not in allowed:
            raise headers.error(name, f"expected {' or '.join(allowed)}")
        if not _HEADER_VALUE.fullmatch(value):
            raise headers.error(name, "expected printable ASCII characters in one line")
        if value:
            chosen[name] = value
    return chosen


def _users(section: Section) -> Mapping[str, str]:
    users = dict(section.items())
    for name, hashed in users.items():
        if not is_bcrypt_hash(hashed):
            raise section.error(name, "the password is not a bcrypt hash")
    return users


def _rate_limit(section: Section) -> RateLimit | None:
    interval, burst = section.text("interval") or "0", section.text("burst") or "0"
    section.refuse_the_rest()
    if not re.fullmatch(r"[0-9]{1,9}", burst):
        raise section.error("burst", "expected a whole number from 0")
    try:
        seconds = parse_go_duration(interval)
    except ValueError as exc:
        raise section.error("interval", str(exc)) from None
    return RateLimit(interval=seconds, burst=int(burst)) if seconds > 0 else None


def _tls(section: Section, files: list[Path], *, http2: bool) -> TlsPolicy | None:
    certificate = _Pem(section, "cert", files)
    key = _Pem(section, "key", files)
    client_ca = _Pem(section, "client_ca", files)
    auth = section.text("client_auth_type")
    sans = section.texts("client_allowed_sans")
    suites = _known(section, "cipher_suites", CIPHERS)
    curves = _known(section, "curve_preferences", CURVES)
    low = _version(section, "min_version", "TLS12")
    high = _version(section, "max_version", "TLS13")
    prefer = section.flag("prefer_server_cipher_suites", default=True)
    section.refuse_the_rest()
    if not (certificate or key or client_ca or auth):
        return None
    if not certificate:
        raise section.error("cert", "missing one of cert or cert_file")
    if not key:
        raise section.error("key", "missing one of key or key_file")
    _check_client_auth(section, auth, client_ca, sans)
    if http2 and low != "TLS13" and suites and not _HTTP2_SUITES.intersection(suites):
        raise section.error(
            "cipher_suites", f"HTTP/2 requires one of {', '.join(sorted(_HTTP2_SUITES))}"
        )
    settings = TlsSettings(
        certificate=certificate.read(),
        key=key.read(),
        client_ca=client_ca.read() if client_ca else None,
        client_auth_type=auth,
        min_version=low,
        max_version=high,
        cipher_suites=suites,
        prefer_server_cipher_suites=prefer,
        curve_preferences=curves,
    )
    try:
        context = server_context(settings)
    except TlsError as exc:
        raise section.error(exc.key, str(exc)) from exc
    return TlsPolicy(
        context=context, admits=None if sans is None else allowed_sans(frozenset(sans))
    )


def _check_client_auth(
    section: Section, auth: str, client_ca: "_Pem", sans: tuple[str, ...] | None
) -> None:
    if auth not in CLIENT_AUTH:
        raise section.error("client_auth_type", f"expected one of {', '.join(CLIENT_AUTH)[2:]}")
    if client_ca and auth in {"", "NoClientCert"}:
        raise section.error("client_ca", "client CAs are configured without a client_auth_type")
    if not client_ca and auth in _UNVERIFIED_TYPES:
        raise section.error(
            "client_auth_type",
            "certificates can only be required and verified here: set client_ca or client_ca_file",
        )
    if sans is not None and auth not in _REQUIRED_TYPES:
        raise section.error(
            "client_allowed_sans",
            "requires client_auth_type RequireAnyClientCert or RequireAndVerifyClientCert",
        )


def _known(section: Section, key: str, names: Mapping[str, object]) -> tuple[str, ...]:
    chosen = section.texts(key) or ()
    for name in chosen:
        if name not in names:
            raise section.error(key, f"unknown name {name[:64]!r}")
    return chosen


def _version(section: Section, key: str, default: str) -> str:
    version = section.text(key) or default
    if version not in VERSIONS:
        raise section.error(key, f"unknown TLS version, expected one of {', '.join(VERSIONS)}")
    return version


class _Pem:
    """A PEM text that is in the file or in one beside it; as in the toolkit, the latter wins."""

    def __init__(self, section: Section, key: str, files: list[Path]) -> None:
        self._section = section
        self._key = key
        self._inline = section.text(key)
        name = section.text(f"{key}_file")
        # A NUL or half a surrogate pair is in no name, and ends a look at the file in ValueError.
        if not name.isprintable():
            raise section.error(f"{key}_file", "not the name of a file")
        self._path = section.path.parent / name if name else None
        if self._path is not None:
            files.append(self._path)

    def __bool__(self) -> bool:
        return bool(self._inline) or self._path is not None

    def read(self) -> bytes:
        if self._path is None:
            return self._inline.encode(errors="replace")
        try:
            content = self._read_file(self._path)
        except OSError as exc:
            raise self._refused((exc.strerror or "unreadable").lower()) from exc
        if len(content) > _MAX_PEM:
            raise self._refused(f"larger than {_MAX_PEM} bytes")
        return content

    def _read_file(self, path: Path) -> bytes:
        # To open a pipe would block the whole server until somebody writes into it.
        if not stat.S_ISREG(path.stat().st_mode):
            raise self._refused("not a regular file")
        with path.open("rb") as file:
            return file.read(_MAX_PEM + 1)

    def _refused(self, reason: str) -> WebConfigError:
        shown = bounded(str(self._path), _ECHOED)
        return self._section.error(f"{self._key}_file", f"{shown}: {reason}")
