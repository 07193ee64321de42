"""A real Prometheus whose scrapes fail over TLS: its targets page has the reason."""

import datetime as dt
from pathlib import Path

import trustme

from tests.support.prometheus import prometheus
from tests.support.wait import wait_for
from tests.support.web_server import serving
from tests.support.web_tls import new_place

TLS = (
    "tls_server_config: {cert_file: server.crt, key_file: server.key,"
    " client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.pem}"
)
EXPECTED = {
    "none": "certificate required",
    "stranger": "unknown certificate authority",
    "expired": "expired certificate",
    "plain": "server returned HTTP status 400 Bad Request",
    "known": "",
}


def job(name: str, port: int) -> str:
    """Return a scrape job whose client certificate has the name of the job, if there is one."""
    scheme = "http" if name == "plain" else "https"
    files = "" if name in {"none", "plain"} else f", cert_file: {name}.crt, key_file: {name}.key"
    tls = "" if name == "plain" else f"tls_config: {{ca_file: server-ca.pem{files}}}, "
    target = f"static_configs: [{{targets: ['127.0.0.1:{port}']}}]"
    return f"  - {{job_name: {name}, scheme: {scheme}, {tls}{target}}}\n"


def test_prometheus_shows_why_a_handshake_failed(tmp_path: Path) -> None:
    place = new_place(tmp_path)
    place.server_ca.cert_pem.write_to_path(tmp_path / "server-ca.pem")
    past = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    certificates = {
        "known": place.client_ca.issue_cert("client"),
        "stranger": trustme.CA().issue_cert("client"),
        "expired": place.client_ca.issue_cert(
            "client", not_before=past - dt.timedelta(days=1), not_after=past
        ),
    }
    for name, issued in certificates.items():
        issued.private_key_pem.write_to_path(tmp_path / f"{name}.key")
        issued.cert_chain_pems[0].write_to_path(tmp_path / f"{name}.crt")
    with serving(web_config_file=place.write(TLS)) as port:
        jobs = "".join(job(name, port) for name in EXPECTED)
        text = f"global: {{scrape_interval: 1s}}\nscrape_configs:\n{jobs}"
        with prometheus(tmp_path, text) as server:

            def errors() -> dict[str, str] | None:
                found = server.targets()
                if len(found) < len(EXPECTED) or any(e["health"] == "unknown" for e in found):
                    return None
                return {each["labels"]["job"]: each["lastError"] for each in found}

            shown = wait_for(errors, timeout=30)
    assert shown is not None
    assert shown.pop("known") == ""
    for name, error in shown.items():
        assert EXPECTED[name] in error, (name, error)
