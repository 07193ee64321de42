"""TLS for the web configuration, with Python's ssl: contexts, suites, client certificates.

``tls_names`` has the names of settings, which are those of Go's crypto/tls.
"""

import contextlib
import ipaddress
import os
import re
import ssl
import warnings
from collections.abc import Iterator, Mapping

from msgspec import Struct

from exporter.base.text import pem_text
from exporter.web.config_schema import TlsConfig
from exporter.web.connection import Admits
from exporter.web.handshakes import ServerContext
from exporter.web.tls_names import CIPHERS, CLIENT_AUTH, CURVES, UNAUTHENTICATED, VERSIONS


class TlsError(Exception):
    """An error in the TLS settings; ``key`` is the invalid setting."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


class TlsPolicy(Struct, frozen=True, kw_only=True):
    """The TLS policy of new connections: the context and a test of client certificates."""

    context: ssl.SSLContext
    admits: Admits | None = None


def tls_policy(config: TlsConfig) -> TlsPolicy | None:
    """Return the policy, or None without TLS. Raises TlsError if a setting is invalid."""
    certificate, key = config.pem("cert"), config.pem("key")
    if certificate is None or key is None:
        return None
    context = _server_context(config, certificate, key)
    names = config.client_allowed_sans
    if names is None or config.client_auth_type in UNAUTHENTICATED:
        return TlsPolicy(context=context)
    return TlsPolicy(context=context, admits=allowed_sans(frozenset(names)))


def _server_context(config: TlsConfig, certificate: bytes, key: bytes) -> ssl.SSLContext:
    context = ServerContext(ssl.PROTOCOL_TLS_SERVER)
    _set_versions(context, config)
    _set_ciphers(context, config)
    _set_curve(context, config.curve_preferences)
    try:
        with _as_file(certificate) as certificate_file, _as_file(key) as key_file:
            context.load_cert_chain(certificate_file, key_file, password=_no_password)
    except (ssl.SSLError, ValueError) as exc:
        raise _not_loaded(certificate, exc) from exc
    context.verify_mode = _verify_mode(config)
    # As in Go, every certificate in the file is trusted, not only self-signed ones.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    client_ca = config.pem("client_ca")
    if client_ca is not None:
        try:
            context.load_verify_locations(cadata=pem_text(client_ca))
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


def _verify_mode(config: TlsConfig) -> ssl.VerifyMode:
    names, auth = config.client_allowed_sans, config.client_auth_type
    if names is not None and auth == "RequestClientCert":
        return ssl.CERT_OPTIONAL  # The names of an unverified certificate prove nothing.
    return CLIENT_AUTH[auth]


def _set_versions(context: ssl.SSLContext, config: TlsConfig) -> None:
    low, high = VERSIONS[config.min_version], VERSIONS[config.max_version]
    if low > high:
        raise TlsError("min_version", f"{config.min_version} is above max_version")
    if low < ssl.TLSVersion.TLSv1_2:
        # OpenSSL 3 supports the old versions only at its lowest security level.
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # chosen by the operator
        context.minimum_version, context.maximum_version = low, high


def _set_ciphers(context: ssl.SSLContext, config: TlsConfig) -> None:
    if not config.prefer_server_cipher_suites:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    if not config.cipher_suites:
        return
    names = [name for suite in config.cipher_suites if (name := CIPHERS[suite]) is not None]
    if not names:
        # Only TLS 1.3 suites are configured, so older versions have no suite to negotiate.
        if VERSIONS[config.max_version] < ssl.TLSVersion.TLSv1_3:
            raise TlsError("cipher_suites", "no suite is for max_version or below")
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        return
    if VERSIONS[config.min_version] < ssl.TLSVersion.TLSv1_2:
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


def _not_loaded(certificate: bytes, exc: Exception) -> TlsError:
    """Return the error for a pair that does not load, with the invalid one of the two if known."""
    try:
        ServerContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(cadata=pem_text(certificate))
    except (ssl.SSLError, ValueError):
        return TlsError("cert", "contains no valid certificate in PEM format")
    if isinstance(exc, ssl.SSLError) and exc.reason in {None, "PEM_LIB"}:
        return TlsError("key", "contains no valid private key in PEM format")
    return TlsError("cert", f"the certificate and its key do not load: {_why(exc)}")


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
