"""TLS for the web configuration, with Python's ssl: contexts, suites, client certificates.

The names are those of Go's crypto/tls, which exporter-toolkit uses.
"""

import contextlib
import ipaddress
import os
import re
import ssl
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from msgspec import Struct

from exporter.base.text import pem_text
from exporter.web.connection import Admits
from exporter.web.handshakes import ServerContext

VERSIONS: Final = {
    "TLS10": ssl.TLSVersion.TLSv1,
    "TLS11": ssl.TLSVersion.TLSv1_1,
    "TLS12": ssl.TLSVersion.TLSv1_2,
    "TLS13": ssl.TLSVersion.TLSv1_3,
}
# The names in OpenSSL. TLS 1.3 suites need no name, because they are always enabled, as in Go.
CIPHERS: Final[Mapping[str, str | None]] = {
    "TLS_AES_128_GCM_SHA256": None,
    "TLS_AES_256_GCM_SHA384": None,
    "TLS_CHACHA20_POLY1305_SHA256": None,
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_RSA_WITH_AES_128_CBC_SHA": "AES128-SHA",
    "TLS_RSA_WITH_AES_256_CBC_SHA": "AES256-SHA",
    "TLS_RSA_WITH_AES_128_GCM_SHA256": "AES128-GCM-SHA256",
    "TLS_RSA_WITH_AES_256_GCM_SHA384": "AES256-GCM-SHA384",
}
CURVES: Final = {
    "CurveP256": "prime256v1",
    "CurveP384": "secp384r1",
    "CurveP521": "secp521r1",
    "X25519": "X25519",
    "X25519MLKEM768": "X25519MLKEM768",
}
# Go can request a client certificate without verifying it, but ssl cannot. If a certificate is
# optional and need not be verified, none is requested, which admits the same clients. If one is
# required, it is always verified.
CLIENT_AUTH: Final = {
    "": ssl.CERT_NONE,
    "NoClientCert": ssl.CERT_NONE,
    "RequestClientCert": ssl.CERT_NONE,
    "RequireAnyClientCert": ssl.CERT_REQUIRED,
    "RequireClientCert": ssl.CERT_REQUIRED,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
UNAUTHENTICATED: Final = frozenset({"", "NoClientCert"})
"""The types with which no client needs or shows a certificate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSettings:
    """The settings of a TLS context, with Go's names. PEM texts are bytes."""

    certificate: bytes
    key: bytes = field(repr=False)
    client_ca: bytes | None
    client_auth_type: str
    client_allowed_sans: tuple[str, ...] | None
    min_version: str
    max_version: str
    cipher_suites: tuple[str, ...]
    prefer_server_cipher_suites: bool
    curve_preferences: tuple[str, ...]


class TlsError(Exception):
    """An error in the TLS settings; ``key`` is the invalid setting."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


class TlsPolicy(Struct, frozen=True, kw_only=True):
    """The TLS policy of new connections: the context and a test of client certificates."""

    context: ssl.SSLContext
    admits: Admits | None = None


def tls_policy(settings: TlsSettings) -> TlsPolicy:
    """Return the policy for the settings. Raises TlsError if a setting is invalid."""
    names = settings.client_allowed_sans
    if names is None or settings.client_auth_type in UNAUTHENTICATED:
        return TlsPolicy(context=server_context(settings))
    return TlsPolicy(context=server_context(settings), admits=allowed_sans(frozenset(names)))


def server_context(settings: TlsSettings) -> ssl.SSLContext:
    """Return the context for the settings. Raises TlsError if a setting is invalid."""
    context = ServerContext(ssl.PROTOCOL_TLS_SERVER)
    _set_versions(context, settings)
    _set_ciphers(context, settings)
    _set_curve(context, settings.curve_preferences)
    try:
        with _as_file(settings.certificate) as certificate, _as_file(settings.key) as key:
            context.load_cert_chain(certificate, key, password=_no_password)
    except (ssl.SSLError, ValueError) as exc:
        raise TlsError("cert", f"the certificate and its key do not load: {_why(exc)}") from exc
    context.verify_mode = _verify_mode(settings)
    # As in Go, every certificate in the file is trusted, not only self-signed ones.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if settings.client_ca is not None:
        try:
            context.load_verify_locations(cadata=pem_text(settings.client_ca))
        except (ssl.SSLError, ValueError) as exc:
            raise TlsError("client_ca", f"contains no certificate: {_why(exc)}") from exc
    elif context.verify_mode != ssl.CERT_NONE:
        context.load_default_certs(ssl.Purpose.CLIENT_AUTH)
    return context


def allowed_sans(names: frozenset[str]) -> Admits:
    """Return a test whether a verified certificate contains one of the names.

    Subject alternative names of the kinds DNS, e-mail, IP address and URI are compared exactly.
    """

    def admits(certificate: Mapping[str, object] | None) -> bool:
        found = (certificate or {}).get("subjectAltName")
        pairs = found if isinstance(found, tuple) else ()
        return any(_comparable(kind, value) in names for kind, value in pairs)

    return admits


def _comparable(kind: str, value: str) -> str | None:
    if kind == "IP Address":
        with contextlib.suppress(ValueError):
            return str(ipaddress.ip_address(value.strip()))
        return None
    return value if kind in {"DNS", "email", "URI"} else None


def _verify_mode(settings: TlsSettings) -> ssl.VerifyMode:
    names, auth = settings.client_allowed_sans, settings.client_auth_type
    if names is not None and auth == "RequestClientCert":
        return ssl.CERT_OPTIONAL  # The names of an unverified certificate prove nothing.
    return CLIENT_AUTH[auth]


def _set_versions(context: ssl.SSLContext, settings: TlsSettings) -> None:
    low, high = VERSIONS[settings.min_version], VERSIONS[settings.max_version]
    if low > high:
        raise TlsError("min_version", f"{settings.min_version} is above max_version")
    if low < ssl.TLSVersion.TLSv1_2:
        # OpenSSL 3 supports the old versions only at its lowest security level.
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # chosen by the operator
        context.minimum_version, context.maximum_version = low, high


def _set_ciphers(context: ssl.SSLContext, settings: TlsSettings) -> None:
    if not settings.prefer_server_cipher_suites:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    if not settings.cipher_suites:
        return
    names = [name for suite in settings.cipher_suites if (name := CIPHERS[suite]) is not None]
    if not names:
        # Only TLS 1.3 suites are configured, so older versions have no suite to negotiate.
        if VERSIONS[settings.max_version] < ssl.TLSVersion.TLSv1_3:
            raise TlsError("cipher_suites", "no suite is for max_version or below")
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        return
    if VERSIONS[settings.min_version] < ssl.TLSVersion.TLSv1_2:
        names.append("@SECLEVEL=0")
    try:
        context.set_ciphers(":".join(names))
    except ssl.SSLError as exc:
        raise TlsError("cipher_suites", "this OpenSSL supports none of them") from exc


def _set_curve(context: ssl.SSLContext, curves: tuple[str, ...]) -> None:
    if len(curves) != 1:
        return  # ssl accepts one curve, or uses its own list, which has them all
    try:
        context.set_ecdh_curve(CURVES[curves[0]])
    except (ssl.SSLError, ValueError) as exc:
        raise TlsError("curve_preferences", "this OpenSSL does not have it") from exc


@contextlib.contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    """Yield the path of a temporary file that only this process can read.

    The ssl module loads keys only from files.
    """
    with os.fdopen(os.memfd_create("pem", os.MFD_CLOEXEC), "wb") as file:
        file.write(content)
        file.flush()
        yield f"/proc/self/fd/{file.fileno()}"


def _no_password() -> str:
    raise ValueError("the key is encrypted")  # otherwise OpenSSL prompts on the terminal


def _why(exc: Exception) -> str:
    reason = exc.reason if isinstance(exc, ssl.SSLError) else None
    text = reason or re.sub(r"^\[\w+\] | \(_ssl\.c:\d+\)$", "", str(exc))
    return text.lower().replace("_", " ")[:200]
