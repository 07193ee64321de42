import os
import textwrap
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from exporter.config.problems import ConfigError
from exporter.web.config_schema import RateLimitConfig
from tests.support.web_config import load_web_config
from tests.support.web_tls import Place, hashed, new_place

TLS = "tls_server_config: {cert_file: server.crt, key_file: server.key"
VALID = {
    "an empty file": "",
    "comments only": "# nothing\n",
    "empty sections": "tls_server_config:\nhttp_server_config:\nbasic_auth_users:\nrate_limit:\n",
    "certificate and key": f"{TLS}}}",
    "certificates if given, without a CA": f"{TLS}, client_auth_type: VerifyClientCertIfGiven}}",
    "a request only": f"{TLS}, client_auth_type: RequestClientCert, client_ca_file: ca.pem}}",
    "any certificate": f"{TLS}, client_auth_type: RequireAnyClientCert, client_ca_file: ca.pem}}",
    "its old name": f"{TLS}, client_auth_type: RequireClientCert, client_ca_file: ca.pem}}",
    "verified": f"{TLS}, client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.pem}}",
    "no client certificate": f"{TLS}, client_auth_type: NoClientCert}}",
    "names of clients": (
        f"{TLS}, client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.pem, "
        "client_allowed_sans: [one, two]}"
    ),
    "all suites": f"""
        {TLS},
          client_auth_type: VerifyClientCertIfGiven,
          cipher_suites: [
            TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
            TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
            TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
            TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
            TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384, TLS_CHACHA20_POLY1305_SHA256,
            TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA,
            TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
            TLS_RSA_WITH_AES_128_CBC_SHA, TLS_RSA_WITH_AES_256_CBC_SHA,
            TLS_RSA_WITH_AES_128_GCM_SHA256, TLS_RSA_WITH_AES_256_GCM_SHA384]}}
        """,
    "some suites in the client's order": (
        f"{TLS}, cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256], "
        "prefer_server_cipher_suites: false}"
    ),
    "suites without HTTP/2's": (
        f"{TLS}, cipher_suites: [TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384], max_version: TLS12}}\n"
        "http_server_config: {http2: false}"
    ),
    "a suite without HTTP/2's": f"{TLS}, cipher_suites: [TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384]}}",
    "suites that TLS 1.3 ignores": (
        f"{TLS}, cipher_suites: [TLS_AES_256_GCM_SHA384], min_version: TLS13}}"
    ),
    "all curves": (
        f"{TLS}, curve_preferences: [CurveP256, CurveP384, CurveP521, X25519, X25519MLKEM768]}}"
    ),
    "one curve": f"{TLS}, curve_preferences: [CurveP521]}}",
    "old versions": f"{TLS}, min_version: TLS10, max_version: TLS12}}",
    "versions alone do not switch TLS on": "tls_server_config: {min_version: TLS13}",
    "headers": """
        http_server_config:
          headers:
            X-Frame-Options: deny
            Strict-Transport-Security: max-age=31536000; includeSubDomains
            X-Content-Type-Options: nosniff
            X-XSS-Protection: 1
            Content-Security-Policy: "default-src 'self' *.test.example.net"
        """,
    "users": f"basic_auth_users: {{alice: '{hashed('a')}', bob: '{hashed('b')}'}}",
    "a quoted truth": 'http_server_config: {http2: "true"}',
    "no rate limit": "rate_limit: {interval: 0, burst: 0}",
    "a rate limit": 'rate_limit: {interval: "1s", burst: 5}',
}
INVALID = {
    "no keys": (
        "junk\n",
        "web.yml:1:1: (document): expected a mapping of keys to values, found text",
    ),
    "not YAML": (
        "a: [1\n",
        "web.yml:2:1: (document): not valid YAML: did not find expected ',' or ']'",
    ),
    "unknown section": (
        "basic_auth: {}",
        "web.yml:1:1: basic_auth: unknown key; did you mean basic_auth_users?",
    ),
    "unknown key": (
        "tls_server_config:\n  cert_filse: server.crt",
        "web.yml:2:3: tls_server_config.cert_filse: unknown key; did you mean cert_file?",
    ),
    "a key twice": (
        f"{TLS}, key_file: b}}",
        "web.yml:1:66: tls_server_config.key_file: this key is already in the mapping, at line 1",
    ),
    "a list for a text": (
        "tls_server_config: {cert_file: [a]}",
        "web.yml:1:32: tls_server_config.cert_file: expected the path of a file, found a list",
    ),
    "a text for a list": (
        f"{TLS}, cipher_suites: a}}",
        "tls_server_config.cipher_suites: expected a list",
    ),
    "no truth": (
        "http_server_config: {http2: maybe}",
        "web.yml:1:29: http_server_config.http2: expected true or false, found 'maybe'",
    ),
    "merge key without a mapping": (
        "rate_limit: {<<: [{burst: 1}, 2]}",
        "web.yml:1:31: rate_limit: << needs a mapping or a list of mappings",
    ),
    "null as a merge key's value": (
        "rate_limit: {<<: ~}",
        "web.yml:1:18: rate_limit: << needs a mapping or a list of mappings",
    ),
    "a merge key twice": (
        "rate_limit: {<<: {burst: 1}, <<: {burst: 1}}",
        "web.yml:1:30: rate_limit['<<']: this key is already in the mapping; give it a list",
    ),
    "an unknown key that is merged": (
        "rate_limit: &limit {bust: 1}\nhttp_server_config:\n  <<: *limit",
        "web.yml:1:21: http_server_config.bust: unknown key; there are http2, headers",
    ),
    "no certificate": (
        "tls_server_config: {cert_file: '', key_file: server.key}",
        "tls_server_config.cert: missing one of cert or cert_file",
    ),
    "no key": (
        "tls_server_config: {cert_file: server.crt, key_file: ''}",
        "tls_server_config.key: missing one of key or key_file",
    ),
    "neither": (
        "tls_server_config: {client_auth_type: VerifyClientCertIfGiven}",
        "tls_server_config.cert: missing one of cert or cert_file",
    ),
    "certificate file missing": (
        "tls_server_config: {cert_file: somefile, key_file: server.key}",
        "web.yml:1:32: tls_server_config.cert_file: 'somefile' cannot be read: No such file",
    ),
    "key file missing": (
        "tls_server_config: {cert_file: server.crt, key_file: somefile}",
        "tls_server_config.key_file: 'somefile' cannot be read: No such file",
    ),
    "no key in the key file": (
        "tls_server_config: {cert_file: server.crt, key_file: junk.pem}",
        "tls_server_config.key_file: contains no valid private key in PEM format",
    ),
    "a certificate in the key file": (
        "tls_server_config: {cert_file: server.crt, key_file: server.crt}",
        "tls_server_config.key_file: contains no valid private key in PEM format",
    ),
    "no certificate in the certificate file": (
        "tls_server_config: {cert_file: junk.pem, key_file: server.key}",
        "tls_server_config.cert_file: contains no valid certificate in PEM format",
    ),
    "certificate and key swapped": (
        "tls_server_config: {cert_file: server.key, key_file: server.crt}",
        "tls_server_config.cert_file: contains no valid certificate in PEM format",
    ),
    "certificate of another key": (
        "tls_server_config: {cert_file: ca.pem, key_file: server.key}",
        "tls_server_config.cert_file: the certificate and its key do not load: key values mismatch",
    ),
    "CA file missing": (
        f"{TLS}, client_auth_type: RequireAndVerifyClientCert, client_ca_file: somefile}}",
        "tls_server_config.client_ca_file: 'somefile' cannot be read: No such file",
    ),
    "no certificate in the CA file": (
        f"{TLS}, client_auth_type: RequireAndVerifyClientCert, client_ca_file: junk.pem}}",
        "tls_server_config.client_ca_file: contains no certificate: ",
    ),
    "CA without a policy": (
        f"{TLS}, client_ca_file: ca.pem}}",
        "tls_server_config.client_ca_file: client CAs are configured without a client_auth_type",
    ),
    "an invented policy": (
        f"{TLS}, client_auth_type: Invented}}",
        "tls_server_config.client_auth_type: expected one of NoClientCert, ",
    ),
    "any certificate, unverified": (
        f"{TLS}, client_auth_type: RequireAnyClientCert}}",
        "tls_server_config.client_auth_type: certificates can only be required and verified here",
    ),
    "an invented suite": (
        f"{TLS}, cipher_suites: [TLS_WINTER_IS_COMING]}}",
        "web.yml:1:82: tls_server_config.cipher_suites[0]: unknown name 'TLS_WINTER_IS_COMING'",
    ),
    "an invented curve": (
        f"{TLS}, curve_preferences: [CurveP257]}}",
        "tls_server_config.curve_preferences[0]: expected one of CurveP256, CurveP384, ",
    ),
    "an invented version": (
        f"{TLS}, min_version: TLS111}}",
        "tls_server_config.min_version: expected one of TLS10, TLS11, ",
    ),
    "versions the wrong way round": (
        f"{TLS}, min_version: TLS13, max_version: TLS12}}",
        "tls_server_config.min_version: TLS13 is above max_version",
    ),
    "another header": (
        "http_server_config: {headers: {Server: x}}",
        "http_server_config.headers.Server: unknown key; there are Strict-Transport-Security, ",
    ),
    "a frame option": (
        "http_server_config: {headers: {X-Frame-Options: SAMEORIGIN}}",
        "http_server_config.headers.X-Frame-Options: expected deny or sameorigin",
    ),
    "a type option": (
        "http_server_config: {headers: {X-Content-Type-Options: sniff}}",
        "http_server_config.headers.X-Content-Type-Options: expected nosniff",
    ),
    "a control character in a header": (
        'http_server_config: {headers: {X-XSS-Protection: "1\\x1b[2J"}}',
        "http_server_config.headers.X-XSS-Protection: expected text without control characters",
    ),
    "a plain password": (
        "basic_auth_users: {john: doe}",
        "basic_auth_users.john: the password is not a bcrypt hash",
    ),
    "an interval": ("rate_limit: {interval: often}", "rate_limit.interval: expected a duration"),
    "a burst": (
        "rate_limit: {interval: 1s, burst: -1}",
        "web.yml:1:35: rate_limit.burst: expected a whole number from 0, found '-1'",
    ),
    "an alias to nothing": (
        "a: *nothing",
        "web.yml:1:4: a: no anchor above has this alias's name",
    ),
    "an unknown tag": (
        "a: !nothing!x b",
        "web.yml:1:4: (document): not valid YAML: found undefined tag handle",
    ),
    "a character beyond Unicode": (
        'a: "\\U00110000"',
        "web.yml:1:7: (document): not valid YAML: ",
    ),
    "half a surrogate pair as a hash": (
        'basic_auth_users: {john: "\\ud800"}',
        "web.yml:1:29: (document): not valid YAML: ",
    ),
    "half a surrogate pair as a certificate": (
        'tls_server_config: {cert: "\\ud800", key: x}',
        "web.yml:1:30: (document): not valid YAML: ",
    ),
    "NUL in the name of a file": (
        'tls_server_config: {cert_file: "\\0", key_file: server.key}',
        "tls_server_config.cert_file: expected the path of a file",
    ),
    "half a surrogate pair in the name of a file": (
        'tls_server_config: {cert_file: server.crt, key_file: "\\udfff"}',
        "web.yml:1:57: (document): not valid YAML: ",
    ),
    "a device as a certificate": (
        "tls_server_config: {cert_file: /dev/zero, key_file: server.key}",
        "tls_server_config.cert_file: '/dev/zero' cannot be read: not a regular file",
    ),
    "a large certificate": (
        "tls_server_config: {cert_file: large.pem, key_file: server.key}",
        "tls_server_config.cert_file: 'large.pem' cannot be read: larger than 1 MiB",
    ),
    "deep nesting": (
        "[" * 33,
        "web.yml:1:33: (document): nested more than 32 levels deep",
    ),
    "too many values": (
        "[" + "[a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a],\n" * 10_000,
        "web.yml:1000:56: (document): holds more than 20000 values",
    ),
}
SECRET = "hunter2" * 9
SECRETIVE = [
    f"basic_auth_users: {{john: {SECRET}}}",
    f"basic_auth_users: {{john: *{SECRET}}}",
    f"basic_auth_users: {{john: !{SECRET}!x y}}",
    f"basic_auth_users: {{john: &{SECRET} x, jane: &{SECRET} y}}",
    f'basic_auth_users: {{john: "{SECRET}\'\\q"}}',
    f"basic_auth_users: {{john: '{SECRET}}}",
    f"tls_server_config: {{cert: {SECRET}, key: {SECRET}}}",
]


@pytest.fixture(name="place", scope="module")
def _place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    made = new_place(tmp_path_factory.mktemp("web"))
    (made.path / "large.pem").write_bytes(b"x" * 1_048_577)
    return made


@pytest.mark.parametrize("text", VALID.values(), ids=VALID)
def test_a_valid_configuration_loads(place: Place, text: str) -> None:
    load_web_config(place.write(textwrap.dedent(text)))


@pytest.mark.parametrize(("text", "message"), INVALID.values(), ids=INVALID)
def test_an_invalid_configuration_is_refused_with_file_and_key(
    place: Place, text: str, message: str
) -> None:
    file = place.write(text)
    with pytest.raises(ConfigError) as caught:
        load_web_config(file)
    assert str(caught.value).startswith(str(file))
    assert message in str(caught.value)


@pytest.mark.parametrize("text", SECRETIVE, ids=range(len(SECRETIVE)))
def test_a_refusal_shows_no_secret_wherever_it_was_put(place: Place, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_web_config(place.write(text))
    assert "hunter2" not in f"{caught.value} {caught.value!r} {caught.value.__cause__}"


def test_error_message_is_short_for_any_file_content(place: Place) -> None:
    for text in (
        f"a: *{'h' * 100_000}",
        f"tls_server_config: {{cert_file: {'h' * 100_000}, key: x}}",
    ):
        with pytest.raises(ConfigError) as caught:
            load_web_config(place.write(text))
        assert len(str(caught.value)) < 1000


def test_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(ConfigError, match=r"pipe: cannot be read: not a regular file"):
        load_web_config(pipe)
    file = tmp_path / "web.yml"
    file.write_text("tls_server_config: {cert_file: pipe, key_file: server.key}")
    with pytest.raises(ConfigError, match="cert_file: 'pipe' cannot be read: not a regular file"):
        load_web_config(file)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"somefile: cannot be read: No such file"):
        load_web_config(tmp_path / "somefile")


def test_a_file_of_another_kind_or_size_is_refused(tmp_path: Path) -> None:
    (tmp_path / "deep").write_text("[" * 100_000)
    (tmp_path / "binary").write_bytes(bytes(range(256)))
    (tmp_path / "large").write_bytes(b"#" * 2_000_000)
    for name, message in (
        ("deep", "nested more"),
        ("binary", "byte 0x80 is not UTF-8"),
        ("large", "larger than"),
    ):
        with pytest.raises(ConfigError, match=message):
            load_web_config(tmp_path / name)


def test_relative_paths_are_relative_to_the_file(place: Place) -> None:
    assert not Path("server.crt").exists()
    assert load_web_config(place.write(f"{TLS}}}")).tls is not None


def test_certificate_and_key_may_be_in_the_file_itself(place: Place) -> None:
    lines = ["tls_server_config:"]
    for key, name in (("cert", "server.crt"), ("key", "server.key"), ("client_ca", "ca.pem")):
        text = (place.path / name).read_text()
        lines += [f"  {key}: |", textwrap.indent(text, "    ")]
    lines.append("  client_auth_type: RequireAndVerifyClientCert")
    config = load_web_config(place.write("\n".join(lines)))
    assert config.tls is not None


def test_texts_are_taken_as_they_are_written(place: Place) -> None:
    secret = hashed("x")
    config = load_web_config(place.write(f"basic_auth_users: {{no: {secret}, 1234: {secret}}}"))
    assert set(config.users) == {"no", "1234"}


def test_a_blank_header_is_not_sent(place: Place) -> None:
    config = load_web_config(
        place.write("http_server_config: {headers: {Content-Security-Policy: ''}}")
    )
    assert config.headers == {}


@pytest.mark.parametrize(
    ("interval", "seconds"),
    [("1s", 1.0), ("500ms", 0.5), ("1m30s", 90.0), ("1.5h", 5400.0), ("2000000000", 2.0)],
)
def test_an_interval_is_a_go_duration(place: Place, interval: str, seconds: float) -> None:
    config = load_web_config(place.write(f"rate_limit: {{interval: {interval}, burst: 3}}"))
    assert config.rate_limit == RateLimitConfig.model_construct(interval=seconds, burst=3)


def test_an_interval_of_zero_or_less_limits_nothing(place: Place) -> None:
    for interval in ("0", "0s", "-1s"):
        config = load_web_config(place.write(f"rate_limit: {{interval: {interval}, burst: 3}}"))
        assert config.rate_limit is None


def test_no_secret_is_in_what_a_configuration_prints(place: Place) -> None:
    secret = hashed("x")
    config = load_web_config(place.write(f"basic_auth_users: {{alice: {secret}}}"))
    assert secret not in repr(config)


def test_encrypted_key_is_refused_without_a_password_prompt(place: Place) -> None:
    plain = load_pem_private_key((place.path / "server.key").read_bytes(), password=None)
    (place.path / "locked.key").write_bytes(
        plain.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"password"))
    )
    with pytest.raises(ConfigError, match="do not load: the key is encrypted"):
        load_web_config(
            place.write("tls_server_config: {cert_file: server.crt, key_file: locked.key}")
        )


def test_every_problem_is_reported_at_its_position(place: Place) -> None:
    file = place.write(
        "tls_server_config:\n"
        "  cert_file: somefile\n"
        "  cipher_suites: [TLS_NONE]\n"
        "basic_auth_users: {john: doe}\n"
        "rate_limit: {burst: x, interval: y}\n"
    )
    with pytest.raises(ConfigError) as caught:
        load_web_config(file)
    assert [str(fault).removeprefix(f"{file}:") for fault in caught.value.problems] == [
        "2:3: tls_server_config.key: missing one of key or key_file",
        "2:14: tls_server_config.cert_file: 'somefile' cannot be read: No such file or directory",
        "3:19: tls_server_config.cipher_suites[0]: unknown name 'TLS_NONE'",
        "4:26: basic_auth_users.john: the password is not a bcrypt hash",
        "5:21: rate_limit.burst: expected a whole number from 0, found 'x'",
        "5:34: rate_limit.interval: expected a duration such as 500ms, 1s or 1m30s",
    ]


@pytest.mark.parametrize(
    ("limit", "merged"),
    [
        ("{<<: {interval: 2s}, burst: 3}", (2.0, 3)),
        ("{burst: 3, <<: {interval: 2s, burst: 9}}", (2.0, 3)),
        ("{<<: {interval: 2s, burst: 9}, burst: 3}", (2.0, 3)),
        ("{<<: [{interval: 2s}, {interval: 5s, burst: 3}]}", (2.0, 3)),
        ("{<<: {<<: {interval: 2s}, burst: 3}}", (2.0, 3)),
        ("{<<: {}, interval: 2s}", (2.0, 0)),
    ],
)
def test_merge_key_adds_the_keys_that_a_mapping_lacks(
    place: Place, limit: str, merged: tuple[float, int]
) -> None:
    config = load_web_config(place.write(f"rate_limit: {limit}"))
    interval, burst = merged
    assert config.rate_limit == RateLimitConfig.model_construct(interval=interval, burst=burst)


def test_merge_key_accepts_an_alias(place: Place) -> None:
    secret = hashed("x")
    config = load_web_config(
        place.write(f"basic_auth_users:\n  <<: [&some {{a: {secret}}}, *some]\n  b: {secret}")
    )
    assert config.users == {"a": secret, "b": secret}


@pytest.mark.parametrize(
    "text",
    [
        f"basic_auth_users: {SECRET}",
        f"basic_auth_users: [{SECRET}]",
        f"tls_server_config: {{key: [{SECRET}]}}",
        f"tls_server_config: {{key: {{{SECRET}: a, {SECRET}: b}}}}",
        f'tls_server_config: {{key_file: "-----BEGIN-----\\n{SECRET}"}}',
    ],
)
def test_secret_of_another_type_is_not_quoted(place: Place, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_web_config(place.write(text))
    assert "hunter2" not in str(caught.value)


def test_variable_references_stay_as_they_are(place: Place) -> None:
    config = load_web_config(
        place.write("http_server_config: {headers: {X-XSS-Protection: '${HOME}'}}")
    )
    assert config.headers == {"X-XSS-Protection": "${HOME}"}
