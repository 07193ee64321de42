"""The example files of exporter-toolkit in the words of this project, with the toolkit's results.

The results are those of version 0.20.0. It accepts a file if it starts to serve with it.
"""

import re
import tempfile
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from exporter.config.problems import ConfigError
from tests.support.web_config import load_web_config
from tests.support.web_tls import Place, new_place
from tools.marks import replaced
from tools.paths import ROOT

DOCUMENT = ROOT / "docs" / "web-configuration.md"

_TLS = "cert_file: server.crt, key_file: server.key"
_OPTIONAL = f"{_TLS}, client_auth_type: VerifyClientCertIfGiven"
_VERIFIED = f"{_TLS}, client_auth_type: RequireAndVerifyClientCert"
_HASH = "$2y$10$" + "abcdefghijklmnopqrstuO" + "." * 31
_STRONG_ONLY = "cipher_suites: [TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384], max_version: TLS12"
_SOME_SUITES = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"
_ALL_SUITES = ", ".join(
    (
        *(
            f"TLS_ECDHE_{kind}_WITH_{suite}"
            for kind in ("ECDSA", "RSA")
            for suite in (
                *("AES_128_GCM_SHA256", "AES_256_GCM_SHA384", "CHACHA20_POLY1305_SHA256"),
                *("AES_128_CBC_SHA", "AES_256_CBC_SHA"),
            )
        ),
        *("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """An example: its file in the repository of the toolkit, what it tests, and a text like it.

    Next to the text are the files ``server.crt``, ``server.key`` and ``ca.pem``. Lines that begin
    with ``+`` stand for the content of the file that follows.
    """

    file: str
    about: str
    text: str
    is_accepted: bool
    """Whether the toolkit accepts it."""

    def write(self, place: Place) -> Path:
        """Write it as the web configuration."""
        return place.write(_with_files(self.text, place.path))

    def is_accepted_in(self, place: Place) -> bool:
        """Return whether the exporter accepts it."""
        try:
            load_web_config(self.write(place))
        except ConfigError:
            return False
        return True


def _with_files(text: str, directory: Path) -> str:
    def content(line: re.Match[str]) -> str:
        return textwrap.indent((directory / line["file"]).read_text(), line["indent"])

    return re.sub(r"^(?P<indent> *)\+(?P<file>\S+)$", content, text, flags=re.MULTILINE)


def _good(file: str, about: str, text: str) -> Example:
    return Example(file=file, about=about, text=text, is_accepted=True)


def _bad(file: str, about: str, text: str) -> Example:
    return Example(file=file, about=about, text=text, is_accepted=False)


def _tls(content: str) -> str:
    return f"tls_server_config: {{{content}}}\n"


def _inline(*keys: str, rest: str) -> str:
    files = {"cert": "server.crt", "key": "server.key"}
    lines = ["tls_server_config:", *(f"  {key}: |\n    +{files[key]}" for key in keys)]
    return "\n".join([*lines, *(f"  {each}" for each in rest.split(", ") if each)]) + "\n"


EXAMPLES: Sequence[Example] = (
    _good("web_config_empty.yml", "nothing", ""),
    _bad("web_config_junk.yml", "lines of random text", "Wq3vTz\nmR7yLb\nXk2pNd\n"),
    _bad("web_config_junk_key.yml", "a misspelled key", _tls("cert_fiel: server.crt")),
    _good("web_config_noAuth.good.yml", "an optional client certificate", _tls(_OPTIONAL)),
    _good(
        "web_config_noAuth.good.blocking.yml",
        "a required client certificate, without a CA",
        _tls(_VERIFIED),
    ),
    _good(
        "web_config_auth_clientCAs_missing.bad.yml",
        "a required client certificate, without a CA",
        _tls(_VERIFIED),
    ),
    _bad(
        "web_config_noAuth.bad.yml",
        "a client CA without a `client_auth_type`",
        _tls(f"{_TLS}, client_ca_file: ca.pem"),
    ),
    _bad(
        "web_config_auth_clientCAs_invalid.bad.yml",
        "a client CA file that does not exist",
        _tls(f"{_VERIFIED}, client_ca_file: nowhere.pem"),
    ),
    _good(
        "tls_config_noAuth.requireandverifyclientcert.good.yml",
        "a required and verified client certificate",
        _tls(f"{_VERIFIED}, client_ca_file: ca.pem"),
    ),
    _good(
        "tls_config_noAuth.requireanyclientcert.good.yml",
        "any client certificate, unverified",
        _tls(f"{_TLS}, client_auth_type: RequireAnyClientCert"),
    ),
    _good(
        "tls_config_noAuth.requireanyclientcertkeyinline.good.yml",
        "any client certificate, unverified; the key as text",
        _inline("key", rest="cert_file: server.crt, client_auth_type: RequireAnyClientCert"),
    ),
    _good(
        "web_config_auth_client_san.good.yaml",
        "three names of clients",
        _tls(f"{_VERIFIED}, client_ca_file: ca.pem, client_allowed_sans: [a, b, c]"),
    ),
    _good(
        "web_config_auth_client_san.bad.yaml",
        "a name that no client has",
        _tls(f"{_VERIFIED}, client_ca_file: ca.pem, client_allowed_sans: [z]"),
    ),
    _bad(
        "web_config_noAuth_certPath_empty.bad.yml",
        "an empty `cert_file`",
        _tls('cert_file: "", key_file: server.key'),
    ),
    _bad(
        "web_config_noAuth_cert_empty.bad.yml",
        "an empty `cert`",
        _tls('cert: "", key_file: server.key'),
    ),
    _bad(
        "web_config_noAuth_keyPath_empty.bad.yml",
        "an empty `key_file`",
        _tls('cert_file: server.crt, key_file: ""'),
    ),
    _bad(
        "web_config_noAuth_key_empty.bad.yml",
        "an empty `key`",
        _tls('cert_file: server.crt, key: ""'),
    ),
    _bad(
        "web_config_noAuth_certPath_keyPath_empty.bad.yml",
        "empty files and an unknown `client_auth_type`",
        _tls('cert_file: "", key_file: "", client_auth_type: y'),
    ),
    _bad(
        "web_config_noAuth_certPath_invalid.bad.yml",
        "a certificate file that does not exist",
        _tls("cert_file: nowhere.crt, key_file: server.key"),
    ),
    _bad(
        "web_config_noAuth_keyPath_invalid.bad.yml",
        "a key file that does not exist",
        _tls("cert_file: server.crt, key_file: nowhere.key"),
    ),
    _bad(
        "web_config_noAuth_certPath_keyPath_invalid.bad.yml",
        "files that do not exist",
        _tls("cert_file: nowhere.crt, key_file: nowhere.key"),
    ),
    _good(
        "web_config_noAuth_tlsInline.good.yml",
        "certificate and key as text",
        _inline("cert", "key", rest=""),
    ),
    _good(
        "web_config_noAuth_allCiphers.good.yml",
        "all cipher suites",
        _tls(f"{_OPTIONAL}, cipher_suites: [{_ALL_SUITES}]"),
    ),
    _good(
        "web_config_noAuth_someCiphers.good.yml",
        "two cipher suites of TLS 1.2",
        _tls(f"{_OPTIONAL}, cipher_suites: [{_SOME_SUITES}], max_version: TLS12"),
    ),
    _good(
        "web_config_noAuth_someCiphers_noOrder.good.yml",
        "two cipher suites in the client's order",
        _tls(
            f"{_OPTIONAL}, cipher_suites: [{_SOME_SUITES}], max_version: TLS12, "
            "prefer_server_cipher_suites: false"
        ),
    ),
    _bad(
        "web_config_noAuth_inventedCiphers.bad.yml",
        "an unknown cipher suite",
        _tls(f"{_OPTIONAL}, cipher_suites: [TLS_ECDHE_RSA_WITH_AES_512_GCM_SHA512]"),
    ),
    _good(
        "web_config_noAuth_noHTTP2.good.yml",
        "no cipher suite of HTTP/2, and no HTTP/2",
        f"{_tls(f'{_OPTIONAL}, {_STRONG_ONLY}')}http_server_config: {{http2: false}}\n",
    ),
    _bad(
        "web_config_noAuth_noHTTP2Cipher.bad.yml",
        "no cipher suite of HTTP/2",
        _tls(f"{_OPTIONAL}, {_STRONG_ONLY}"),
    ),
    _good(
        "web_config_noAuth_allCurves.good.yml",
        "four curves",
        _tls(f"{_OPTIONAL}, curve_preferences: [X25519, CurveP256, CurveP384, CurveP521]"),
    ),
    _good(
        "web_config_noAuth_someCurves.good.yml",
        "one curve with TLS 1.3",
        _tls(f"{_OPTIONAL}, min_version: TLS13, curve_preferences: [CurveP521]"),
    ),
    _bad(
        "web_config_noAuth_inventedCurves.bad.yml",
        "an unknown curve",
        _tls(f"{_OPTIONAL}, curve_preferences: [CurveP255]"),
    ),
    _bad(
        "web_config_noAuth_wrongTLSVersion.bad.yml",
        "an unknown version of TLS",
        _tls(f"{_OPTIONAL}, min_version: TLS112"),
    ),
    _good(
        "web_config_headers.good.yml",
        "all headers",
        "http_server_config:\n  headers:\n    X-Frame-Options: sameorigin\n"
        "    Strict-Transport-Security: max-age=86400\n    X-Content-Type-Options: nosniff\n"
        "    X-XSS-Protection: 0\n    Content-Security-Policy: default-src 'none'\n",
    ),
    _bad(
        "web_config_headers_content_type_options.bad.yml",
        "an unknown value of `X-Content-Type-Options`",
        "http_server_config: {headers: {X-Content-Type-Options: guess}}\n",
    ),
    _bad(
        "web_config_headers_frame_options.bad.yml",
        "an unknown value of `X-Frame-Options`",
        "http_server_config: {headers: {X-Frame-Options: allow}}\n",
    ),
    _bad(
        "web_config_headers_extra_header.bad.yml",
        "another header",
        "http_server_config: {headers: {Cache-Control: no-store}}\n",
    ),
    _good(
        "web_config_users.good.yml",
        "users with TLS",
        f"{_tls(_TLS)}basic_auth_users: {{anna: {_HASH}, ben: {_HASH}}}\n",
    ),
    _good(
        "web_config_users_noTLS.good.yml",
        "users without TLS",
        f"basic_auth_users: {{anna: {_HASH}, ben: {_HASH}}}\n",
    ),
    _bad(
        "web_config_auth_user_list_invalid.bad.yml",
        "a password that is not hashed",
        f"{_tls(_TLS)}basic_auth_users: {{anna: secret}}\n",
    ),
    _good(
        "web_config_rate_limiter_nonblocking.yaml",
        "an interval of 0",
        "rate_limit: {interval: 0, burst: 0}\n",
    ),
    _good(
        "web_config_rate_limiter_one_second.yaml",
        "a burst of 0",
        "rate_limit: {interval: 1s, burst: 0}\n",
    ),
)

DIFFERENCES: Sequence[Example] = (
    _bad("-", "a quoted boolean", 'http_server_config: {http2: "true"}\n'),
    _bad("-", "an empty version", _tls(f'{_TLS}, min_version: ""')),
    _bad(
        "-", "a frame option without a value", "http_server_config: {headers: {X-Frame-Options: }}"
    ),
    _bad("-", "whitespace before a hash", f"basic_auth_users: {{anna: ' {_HASH}'}}\n"),
    _bad("-", "an old suite", _tls(f"{_TLS}, cipher_suites: [TLS_RSA_WITH_AES_128_CBC_SHA]")),
    _good("-", "no CA", _tls(f"{_VERIFIED}, client_ca_file: junk.pem")),
    _good("-", "reversed versions", _tls(f"{_TLS}, min_version: TLS13, max_version: TLS12")),
    _good("-", "an escape", 'http_server_config: {headers: {X-XSS-Protection: "a\\e"}}\n'),
    _good("-", "text after a hash", f"basic_auth_users: {{anna: {_HASH}x}}\n"),
    _good("-", "an old hash", f"basic_auth_users: {{anna: {_HASH.replace('2y', '2')}}}\n"),
    _good("-", "a short boolean", "http_server_config: {http2: y}\n"),
    _good("-", "a negative burst", "rate_limit: {interval: 1s, burst: -1}\n"),
    _good("-", "a burst with a point", "rate_limit: {interval: 1s, burst: 1.0}\n"),
    _good("-", "a burst with a separator", "rate_limit: {interval: 1s, burst: 1_0}\n"),
    _good("-", "a tag", "http_server_config: {http2: !!bool true}\n"),
    _good("-", "a second document", "rate_limit: {burst: 1}\n---\nrate_limit: {burst: 2}\n"),
)
"""Other texts whose results differ."""


def render() -> str:
    """Load the examples and return the table of results."""
    lines = ["| file | content | toolkit | exporter |", "|---|---|---|---|"]
    with tempfile.TemporaryDirectory() as folder:
        place = new_place(Path(folder))
        for each in EXAMPLES:
            toolkit, exporter = _word(each.is_accepted), _word(each.is_accepted_in(place))
            shown = exporter if exporter == toolkit else f"**{exporter}**"
            lines.append(f"| `{each.file}` | {each.about} | {toolkit} | {shown} |")
    return "\n".join(lines) + "\n"


def page() -> str:
    """Return the document with an updated table."""
    return replaced(DOCUMENT.read_text(encoding="utf-8"), "examples", render())


def _word(is_accepted: bool) -> str:  # noqa: FBT001  the only parameter
    return "accepted" if is_accepted else "refused"
