"""Web configurations that other exporters accept, and their effect on real clients."""

import http.client
from pathlib import Path

import pytest
import trustme

from exporter.config.problems import ConfigError
from tests.support.tls_cases import ADMISSIONS, NAMED, TLS
from tests.support.toolkit_examples import DIFFERENCES, EXAMPLES, Example
from tests.support.web_config import load_web_config
from tests.support.web_server import fetch, serving
from tests.support.web_tls import Place, hashed, new_place


@pytest.fixture(name="place", scope="module")
def _place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return new_place(tmp_path_factory.mktemp("web"))


def admitted(port: int, place: Place, *names: str, ca: trustme.CA | None = None) -> bool:
    """Return whether a client gets a response. It has a certificate if names are given."""
    try:
        return fetch(port, "/metrics", tls=place.client(*names, ca=ca)).status == 200
    except (OSError, http.client.HTTPException):
        return False


@pytest.mark.parametrize(
    ("auth", "names", "without", "named", "stranger"),
    ADMISSIONS,
)
def test_allowed_names_admit_clients_as_the_toolkit_does(
    place: Place, auth: str, names: str, *, without: bool, named: bool, stranger: bool
) -> None:
    keys = ", ".join(filter(None, (TLS, auth, f"client_allowed_sans: {names}")))
    with serving(web_config_file=place.write(f"{keys}}}")) as port:
        assert admitted(port, place) is without
        assert admitted(port, place, NAMED) is named
        assert admitted(port, place, NAMED, ca=trustme.CA()) is stranger


def test_file_with_every_key_at_its_default_is_accepted(place: Place) -> None:
    text = """\
tls_server_config:
  cert: ""
  key: ""
  client_ca: ""
  cert_file: server.crt
  key_file: server.key
  client_auth_type: ""
  client_ca_file: ""
  cipher_suites: []
  curve_preferences: []
  min_version: TLS12
  max_version: TLS13
  prefer_server_cipher_suites: true
  client_allowed_sans: []
http_server_config:
  http2: true
rate_limit:
  burst: 0
  interval: 0s
basic_auth_users: {}
"""
    with serving(web_config_file=place.write(text)) as port:
        assert admitted(port, place)


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (">\n      default-src\n      'none'\n", b"default-src 'none'"),
        ("|\n      default-src\n      'none'\n", b"default-src 'none'"),
        ("|+\n      default-src\n\n\n", b"default-src"),
        (r'"a\r\nb"', b"a  b"),
        (r'"a\r\nSet-Cookie: b"', b"a  Set-Cookie: b"),
        (r'"\ta\tb \t"', b"a\tb"),
        ("é€", "é€".encode()),
        ("'\U0001f512'", "\U0001f512".encode()),
    ],
)
def test_header_value_is_sent_in_one_line(tmp_path: Path, value: str, sent: bytes) -> None:
    file = tmp_path / "web.yml"
    file.write_text(f"http_server_config:\n  headers:\n    X-XSS-Protection: {value}\n")
    with serving(web_config_file=file) as port:
        headers = fetch(port, "/metrics").headers
    assert headers["X-XSS-Protection"].encode("latin-1") == sent
    assert headers["Set-Cookie"] is None


@pytest.mark.parametrize(
    "character", ["\\0", "\\x01", "\\x08", "\\x0b", "\\x0c", "\\e", "\\x7f", "\\x85", "\\x9f"]
)
def test_control_character_inside_header_is_refused(tmp_path: Path, character: str) -> None:
    file = tmp_path / "web.yml"
    file.write_text(f'http_server_config: {{headers: {{X-XSS-Protection: "a{character}b"}}}}')
    with pytest.raises(ConfigError, match="expected text without control characters"):
        load_web_config(file)


@pytest.mark.parametrize("comment", ["# für Clients\n".encode(), b"\xff\xfe\0 Clients\n"])
def test_client_ca_file_can_have_comments_in_any_encoding(place: Place, comment: bytes) -> None:
    pem = (place.path / "ca.pem").read_bytes()
    (place.path / "commented.pem").write_bytes(comment + pem + comment)
    keys = "client_auth_type: RequireAndVerifyClientCert, client_ca_file: commented.pem"
    with serving(web_config_file=place.write(f"{TLS}, {keys}}}")) as port:
        assert admitted(port, place, NAMED)
        assert not admitted(port, place)


@pytest.mark.parametrize("form", ["'{}'", "' {} '", '"\\t{}\\n"', "|\n    {}\n", ">\n    {}\n\n"])
def test_hash_can_have_whitespace_around_it(tmp_path: Path, form: str) -> None:
    file = tmp_path / "web.yml"
    file.write_text(f"basic_auth_users:\n  anna: {form.format(hashed('right'))}\n")
    with serving(web_config_file=file) as port:
        right, wrong = ({"Authorization": f"Basic {each}"} for each in ("YW5uYTpyaWdodA==", "YQ=="))
        assert fetch(port, "/metrics", headers=right).status == 200
        assert fetch(port, "/metrics", headers=wrong).status == 401


@pytest.mark.parametrize(
    ("keys", "warned"),
    [
        ("curve_preferences: []", ()),
        ("curve_preferences: [X25519]", ()),
        ("curve_preferences: [X25519, CurveP256]", ("curve_preferences",)),
        ("client_allowed_sans: []", ()),
        ("client_allowed_sans: [a]", ("client_allowed_sans",)),
        ("client_allowed_sans: [a], client_auth_type: NoClientCert", ("client_allowed_sans",)),
        ("client_allowed_sans: [a], client_auth_type: VerifyClientCertIfGiven", ()),
        (
            "client_allowed_sans: [a], curve_preferences: [X25519, CurveP256]",
            ("curve_preferences", "client_allowed_sans"),
        ),
    ],
)
def test_setting_with_less_effect_than_it_seems_causes_warning(
    place: Place, keys: str, warned: tuple[str, ...]
) -> None:
    config = load_web_config(place.write(f"{TLS}, {keys}}}"))
    assert tuple(each.partition(" ")[0] for each in config.warnings) == warned


# The reasons are in the list of differences in docs/web-configuration.md.
DIFFERENT = {
    "tls_config_noAuth.requireanyclientcert.good.yml",
    "tls_config_noAuth.requireanyclientcertkeyinline.good.yml",
    "web_config_noAuth_noHTTP2Cipher.bad.yml",
}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.file)
def test_example_of_toolkit_has_its_result_unless_listed_as_different(
    place: Place, example: Example
) -> None:
    differs = example.file in DIFFERENT
    assert (example.is_accepted_in(place) is not example.is_accepted) is differs


@pytest.mark.parametrize("example", DIFFERENCES, ids=lambda example: example.about)
def test_listed_difference_from_toolkit_exists(place: Place, example: Example) -> None:
    assert example.is_accepted_in(place) is not example.is_accepted
