"""The types of the web configuration, and the checks that involve more than one value.

The types hold the content of the file and of the files that it names. ``config_file`` prepares
them for use.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

from msgspec import Struct, field
from pydantic import AfterValidator, Field, PlainValidator, ValidationInfo

from exporter.base.durations import parse_go_duration
from exporter.base.files import MIB, read
from exporter.base.text import quoted
from exporter.config.problems import Problem
from exporter.config.validation import Section
from exporter.config.values import Boolean, expect_text
from exporter.web.auth import is_bcrypt_hash
from exporter.web.tls_names import CIPHERS, CLIENT_AUTH, CURVES, UNAUTHENTICATED, VERSIONS

MAX_FILE_BYTES = MIB

_TLS: Final = "tls_server_config"
# All control characters except the tab, which is allowed in a header.
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")
_UNVERIFIED_TYPES: Final = {"RequireAnyClientCert", "RequireClientCert"}


class NamedFiles(Struct, kw_only=True):
    """The files that a web configuration names, with paths relative to its directory."""

    directory: Path
    found: list[Path] = field(default_factory=list)


def _pem_file(value: object, info: ValidationInfo) -> bytes | None:
    text = expect_text(value, "the path of a file")
    if not text:
        return None
    if not text.isprintable():  # not quoted, because it could be the key itself
        raise ValueError("expected the path of a file")
    named = info.context if isinstance(info.context, NamedFiles) else NamedFiles(directory=Path())
    path = named.directory / text
    named.found.append(path)
    try:
        return read(path, MAX_FILE_BYTES)
    except OSError as error:
        raise ValueError(f"{quoted(text)} cannot be read: {error.strerror}") from None


def _one_of(names: Collection[str]) -> Callable[[str], str]:
    expected = ", ".join(filter(None, names))

    def check_name(text: str) -> str:
        if text not in names:
            raise ValueError(f"expected one of {expected}, found {quoted(text)}")
        return text

    return check_name


def _suite(text: str) -> str:
    if text not in CIPHERS:
        raise ValueError(f"unknown name {quoted(text)}")
    return text


def _header(text: str) -> str:
    line = re.sub(r"[\r\n]", " ", text).strip(" \t")
    if _CONTROL.search(line):
        raise ValueError("expected text without control characters")
    return line


def _hash(value: object) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if not is_bcrypt_hash(text):
        raise ValueError("the password is not a bcrypt hash")
    return text


def _interval(value: object) -> float:
    return parse_go_duration(expect_text(value, "a duration such as 500ms or 1s") or "0")


def _burst(value: object) -> int:
    text = expect_text(value, "a whole number from 0") or "0"
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise ValueError(f"expected a whole number from 0, found {quoted(text)}")
    return int(text)


PemText = Annotated[str, Field(repr=False)]
PemFile = Annotated[bytes | None, PlainValidator(_pem_file), Field(repr=False)]
ClientAuth = Annotated[str, AfterValidator(_one_of(CLIENT_AUTH))]
Version = Annotated[str, AfterValidator(_one_of(["", *VERSIONS]))]
Suite = Annotated[str, AfterValidator(_suite)]
Curve = Annotated[str, AfterValidator(_one_of(CURVES))]
Header = Annotated[str, AfterValidator(_header)]
BcryptHash = Annotated[str, PlainValidator(_hash)]
Interval = Annotated[float, PlainValidator(_interval)]
Burst = Annotated[int, PlainValidator(_burst)]


class TlsConfig(Section):
    """The TLS settings, with the names of Go's crypto/tls.

    Each PEM text is given directly or in a file. If both are given, the file is used.
    """

    cert: PemText = ""
    cert_file: PemFile = None
    key: PemText = ""
    key_file: PemFile = None
    client_ca: PemText = ""
    client_ca_file: PemFile = None
    client_auth_type: ClientAuth = ""
    client_allowed_sans: tuple[str, ...] | None = None
    min_version: Annotated[Version, AfterValidator(lambda name: name or "TLS12")] = "TLS12"
    max_version: Annotated[Version, AfterValidator(lambda name: name or "TLS13")] = "TLS13"
    cipher_suites: tuple[Suite, ...] = ()
    prefer_server_cipher_suites: Boolean = True
    curve_preferences: tuple[Curve, ...] = ()

    def pem(self, key: Literal["cert", "key", "client_ca"]) -> bytes | None:
        """Return the PEM text of a key or of its file; None if there is none."""
        content: bytes | None = getattr(self, f"{key}_file")
        text: str = getattr(self, key)
        return text.encode(errors="replace") or None if content is None else content


class HeadersConfig(Section):
    """The headers that can be added to responses. Empty ones are not added."""

    strict_transport_security: Header = Field("", alias="Strict-Transport-Security")
    x_content_type_options: Literal["nosniff"] | None = Field(None, alias="X-Content-Type-Options")
    x_frame_options: Literal["deny", "sameorigin"] | None = Field(None, alias="X-Frame-Options")
    x_xss_protection: Header = Field("", alias="X-XSS-Protection")
    content_security_policy: Header = Field("", alias="Content-Security-Policy")


class HttpServerConfig(Section):
    """The settings of the HTTP server."""

    http2: Boolean = True
    headers: HeadersConfig = Field(default_factory=HeadersConfig)


class RateLimitConfig(Section):
    """A limit of one request per interval (seconds), with bursts of up to ``burst`` requests.

    There is no limit if the interval is not positive.
    """

    interval: Interval = 0.0
    burst: Burst = 0


class WebFile(Section):
    """The complete web configuration file."""

    tls_server_config: TlsConfig = Field(default_factory=TlsConfig)
    http_server_config: HttpServerConfig = Field(default_factory=HttpServerConfig)
    basic_auth_users: dict[str, BcryptHash] = Field(default_factory=dict, repr=False)
    rate_limit: RateLimitConfig = Field(default_factory=RateLimitConfig)


def check(data: Mapping[str, object]) -> Iterator[Problem]:
    """Yield conflicts between values, in plain data that can be invalid."""
    tls = data.get(_TLS)
    if not isinstance(tls, dict):
        return
    auth = tls.get("client_auth_type") or ""
    given = {key for key in ("cert", "key", "client_ca") if tls.get(key) or tls.get(f"{key}_file")}
    if not (given or auth):
        return
    for key in ("cert", "key"):
        if key not in given:
            yield _problem(key, f"missing one of {key} or {key}_file")
    if isinstance(auth, str) and auth in CLIENT_AUTH:
        yield from _check_client_auth(tls, auth, has_ca="client_ca" in given)


def _check_client_auth(tls: Mapping[str, object], auth: str, *, has_ca: bool) -> Iterator[Problem]:
    if has_ca and auth in UNAUTHENTICATED:
        key = "client_ca_file" if tls.get("client_ca_file") else "client_ca"
        yield _problem(key, "client CAs are configured without a client_auth_type")
    if not has_ca and auth in _UNVERIFIED_TYPES:
        yield _problem(
            "client_auth_type",
            "certificates can only be required and verified here: set client_ca or client_ca_file",
        )


def _problem(key: str, message: str) -> Problem:
    return Problem(path=(_TLS, key), message=message)


def warnings(config: TlsConfig) -> Iterator[str]:
    """Yield a warning for each setting that has less effect than it seems to have."""
    if len(config.curve_preferences) > 1:
        yield "curve_preferences with several curves allows every curve of this OpenSSL"
    if config.client_allowed_sans and config.client_auth_type in UNAUTHENTICATED:
        yield "client_allowed_sans has no effect without a client_auth_type"
