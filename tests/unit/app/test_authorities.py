"""A changed file of authorities is logged, and used by the clients of an exporter."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import trustme

from exporter.app.assembly import assemble
from exporter.base.clock import SYSTEM_CLOCK
from exporter.config.reader import parse
from exporter.config.settings import project_settings
from tests.support.certificates import authority_file, loopback_tls
from tests.support.misbehaving import EMPTY_LIST, always, misbehaving

KEY = {"ALIBABA_CLOUD_ACCESS_KEY_ID": "id", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "secret"}
CONFIG = """\
http: {ca_file: ca.pem}
projects:
  - project: shop
    endpoint: ENDPOINT
    logstores: [{logstore: orders, consumer_groups: [billing]}]
"""


def logged(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, Mapping[str, object]]]:
    return [
        (record.levelname, record.getMessage(), vars(record)["facts"])
        for record in caplog.records
        if record.name == "exporter.polls" and "authorities" in record.getMessage()
    ]


def test_change_of_authorities_is_logged_and_applied(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "exporter.polls")
    authority = trustme.CA()
    path = authority_file(tmp_path, authority)
    with misbehaving(always(EMPTY_LIST), tls=loopback_tls(authority)) as server:
        text = CONFIG.replace("ENDPOINT", server.endpoint)
        config = parse(text, name="config.yaml", environ={}, base_dir=tmp_path)
        parts = assemble(config, environ=KEY, clock=SYSTEM_CLOCK)
        client = parts.clients.get(project_settings(config, config.projects[0]), "shop")
        client.list_shards("orders")
        path.write_text("half a file")
        client.list_shards("orders")
        path.write_bytes(authority.cert_pem.bytes() + trustme.CA().cert_pem.bytes())
        client.list_shards("orders")
        parts.close()
    assert server.connections == 2
    assert logged(caplog) == [
        (
            "WARNING",
            "cannot load file of authorities, keeping the previous ones",
            {"path": str(path), "error": "no certificates in PEM form"},
        ),
        ("INFO", "file of authorities loaded again", {"path": str(path)}),
    ]
