"""Cases of TLS handshakes: keys of the web configuration, clients, and the results."""

import datetime as dt
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import trustme

from tests.support.web_tls import Place

TLS = "tls_server_config: {cert_file: server.crt, key_file: server.key"
CA = "client_ca_file: ca.pem"
VERIFIED = f"{TLS}, client_auth_type: RequireAndVerifyClientCert, {CA}"
ONE_SUITE = f"{TLS}, cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256], max_version: TLS12"
NAMED = "client.example"
ANY_NAME, NO_NAME, OTHER_NAME = f"[{NAMED}]", "[]", "[other.example]"
V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
DAY = dt.timedelta(days=1)
NOW = dt.datetime.now(dt.UTC)
ECDSA_128 = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
SUITES = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384"
ECDSA_256 = "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"

Client = Callable[[Place], ssl.SSLContext]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A handshake that fails: the client gets OpenSSL's ``alert``, and the operator ``reason``."""

    about: str
    config: str
    client: Client
    alert: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshake:
    """A handshake whose result shows whether the client is admitted."""

    config: str
    about: str
    client: Client


def with_certificate(
    place: Place,
    *,
    ca: trustme.CA | None = None,
    begins: dt.datetime = NOW - 2 * DAY,
    ends: dt.datetime = NOW + DAY,
) -> ssl.SSLContext:
    context = place.client()
    issued = (ca or place.client_ca).issue_cert("client", not_before=begins, not_after=ends)
    issued.configure_cert(context)
    return context


def limited(
    context: ssl.SSLContext, *, least: ssl.TLSVersion = V12, most: ssl.TLSVersion = V13
) -> ssl.SSLContext:
    context.minimum_version, context.maximum_version = least, most
    return context


def with_suites(context: ssl.SSLContext, names: str) -> ssl.SSLContext:
    context.set_ciphers(names)
    return limited(context, most=V12)


def with_curve(context: ssl.SSLContext, name: str) -> ssl.SSLContext:
    context.set_ecdh_curve(name)
    return context


ADMISSIONS: Sequence[tuple[str, str, bool, bool, bool]] = [
    ("", NO_NAME, True, True, True),
    ("", OTHER_NAME, True, True, True),
    ("client_auth_type: NoClientCert", OTHER_NAME, True, True, True),
    ("client_auth_type: RequestClientCert", NO_NAME, False, False, False),
    (f"client_auth_type: RequestClientCert, {CA}", NO_NAME, False, False, False),
    (f"client_auth_type: RequestClientCert, {CA}", ANY_NAME, False, True, False),
    (f"client_auth_type: RequestClientCert, {CA}", OTHER_NAME, False, False, False),
    (f"client_auth_type: VerifyClientCertIfGiven, {CA}", NO_NAME, False, False, False),
    (f"client_auth_type: VerifyClientCertIfGiven, {CA}", ANY_NAME, False, True, False),
    (f"client_auth_type: VerifyClientCertIfGiven, {CA}", OTHER_NAME, False, False, False),
    (f"client_auth_type: RequireAnyClientCert, {CA}", ANY_NAME, False, True, False),
    (f"client_auth_type: RequireAndVerifyClientCert, {CA}", NO_NAME, False, False, False),
]
"""``client_auth_type``, names; the admission without a certificate, with it, of strangers."""

POLICIES: Sequence[tuple[str, bool, bool, bool]] = [
    ("NoClientCert", True, True, True),
    ("RequestClientCert, client_ca_file: ca.pem", True, True, True),
    ("VerifyClientCertIfGiven, client_ca_file: ca.pem", True, True, False),
    ("RequireAndVerifyClientCert, client_ca_file: ca.pem", False, True, False),
    ("RequireAnyClientCert, client_ca_file: ca.pem", False, True, False),
]
"""``client_auth_type``; the admission without a certificate, with it, of strangers."""

ALLOWED_NAMES: Sequence[tuple[str, list[str], bool]] = [
    ("[one, client.example]", ["client.example"], True),
    ("[one, two]", ["client.example"], False),
    ("[client.exampl]", ["client.example"], False),
    ("[10.0.0.1]", ["10.0.0.1"], True),
    ("['2001:db8::1']", ["2001:db8::1"], True),
    ("[a@client.example]", ["a@client.example"], True),
    ("[]", ["client.example"], False),
]
"""``client_allowed_sans``, names in the certificate, and the admission."""

LIMITS: Sequence[tuple[str, Client, str | None]] = [
    ("min_version: TLS13", lambda place: limited(place.client(), most=V12), None),
    ("max_version: TLS12", Place.client, "TLSv1.2"),
    ("min_version: TLS12", Place.client, "TLSv1.3"),
    (
        f"cipher_suites: [{ECDSA_128}]",
        lambda place: with_suites(place.client(), "ECDHE-ECDSA-AES256-GCM-SHA384"),
        None,
    ),
    (
        f"cipher_suites: [{ECDSA_256}, {ECDSA_128}]",
        lambda place: with_suites(place.client(), SUITES),
        "ECDHE-ECDSA-AES256-GCM-SHA384",
    ),
    (
        f"cipher_suites: [{ECDSA_256}, {ECDSA_128}], prefer_server_cipher_suites: false",
        lambda place: with_suites(place.client(), SUITES),
        "ECDHE-ECDSA-AES128-GCM-SHA256",
    ),
    (
        "curve_preferences: [CurveP521]",
        lambda place: with_curve(place.client(), "secp521r1"),
        "TLSv1.3",
    ),
    ("curve_preferences: [CurveP521]", lambda place: with_curve(place.client(), "secp384r1"), None),
]
"""Keys, a client, and the version or suite that both agree on."""

FAILURES: Sequence[Failure] = [
    Failure(
        about="no certificate, TLS 1.3",
        config=VERIFIED,
        client=lambda place: limited(place.client(), least=V13),
        alert="TLSV13_ALERT_CERTIFICATE_REQUIRED",
        reason="no_certificate",
    ),
    Failure(
        about="no certificate, TLS 1.2",
        config=VERIFIED,
        client=lambda place: limited(place.client(), most=V12),
        alert="SSLV3_ALERT_HANDSHAKE_FAILURE",
        reason="no_certificate",
    ),
    Failure(
        about="unknown authority",
        config=VERIFIED,
        client=lambda place: with_certificate(place, ca=trustme.CA()),
        alert="TLSV1_ALERT_UNKNOWN_CA",
        reason="unknown_authority",
    ),
    Failure(
        about="expired",
        config=VERIFIED,
        client=lambda place: with_certificate(place, ends=NOW - DAY),
        alert="SSLV3_ALERT_CERTIFICATE_EXPIRED",
        reason="expired_certificate",
    ),
    Failure(
        about="not yet valid",
        config=VERIFIED,
        client=lambda place: with_certificate(place, begins=NOW + DAY, ends=NOW + 2 * DAY),
        alert="SSLV3_ALERT_BAD_CERTIFICATE",
        reason="bad_certificate",
    ),
    Failure(
        about="old version",
        config=f"{TLS}, min_version: TLS13",
        client=lambda place: limited(place.client(), most=V12),
        alert="TLSV1_ALERT_PROTOCOL_VERSION",
        reason="protocol_version",
    ),
    Failure(
        about="no common suite",
        config=ONE_SUITE,
        client=lambda place: with_suites(place.client(), "ECDHE-ECDSA-AES256-GCM-SHA384"),
        alert="SSLV3_ALERT_HANDSHAKE_FAILURE",
        reason="no_common_cipher",
    ),
    Failure(
        about="client does not trust the server",
        config=TLS,
        client=lambda _: ssl.create_default_context(),
        alert="CERTIFICATE_VERIFY_FAILED",
        reason="rejected_by_client",
    ),
]


def handshakes() -> Iterator[Handshake]:
    """Yield the handshakes of all cases."""
    for auth, names, *_ in ADMISSIONS:
        keys = ", ".join(filter(None, (TLS, auth, f"client_allowed_sans: {names}")))
        yield from _of_three_clients(keys)
    for policy, *_ in POLICIES:
        yield from _of_three_clients(f"{TLS}, client_auth_type: {policy}")
    for allowed, known, _ in ALLOWED_NAMES:
        yield Handshake(
            config=f"{VERIFIED}, client_allowed_sans: {allowed}",
            about=f"a certificate for {known}",
            client=_named(known),
        )
    for number, (setting, client, _) in enumerate(LIMITS):
        yield Handshake(config=f"{TLS}, {setting}", about=f"limit {number}", client=client)
    for each in FAILURES:
        yield Handshake(config=each.config, about=each.about, client=each.client)


def _of_three_clients(config: str) -> Iterator[Handshake]:
    for about, client in _CLIENTS.items():
        yield Handshake(config=config, about=about, client=client)


def _named(names: Sequence[str]) -> Client:
    return lambda place: place.client(*names)


_CLIENTS: Mapping[str, Client] = {
    "no certificate": Place.client,
    "a certificate": lambda place: place.client(NAMED),
    "a stranger's certificate": lambda place: place.client(NAMED, ca=trustme.CA()),
}
