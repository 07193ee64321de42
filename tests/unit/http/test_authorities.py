"""Certificate authorities in a file are loaded again when the file changes."""

import threading
from pathlib import Path

import pytest
import trustme

from exporter.config.reader import parse
from exporter.http.authorities import MAX_CA_BYTES, Authorities
from exporter.http.transport import Transport
from exporter.sls.errors import Unreachable
from tests.support.certificates import loopback_tls
from tests.support.misbehaving import EMPTY_LIST, RawServer, always, misbehaving
from tests.support.sls_client import rig

OLD, NEW = trustme.CA(), trustme.CA()


def write(path: Path, *authorities: trustme.CA) -> None:
    """Write certificates as a rotation does: a new file replaces the old one."""
    new = path.with_name("new.pem")
    new.write_bytes(b"".join(each.cert_pem.bytes() for each in authorities))
    new.replace(path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write(tmp_path / "ca.pem", OLD)
    return tmp_path / "ca.pem"


def counts(server: RawServer) -> tuple[int, int]:
    return len(server.requests), server.connections


def test_connection_is_replaced_when_authorities_change(path: Path) -> None:
    tls = loopback_tls(OLD)
    with (
        misbehaving(always(EMPTY_LIST), tls=tls) as server,
        rig(
            server.endpoint, make_transport=lambda stop: Transport(cancelled=stop, ca_file=path)
        ) as made,
    ):
        for _ in range(3):
            made.client.list_shards("orders")
        assert counts(server) == (3, 1)
        write(path, OLD, NEW)
        for _ in range(3):
            made.client.list_shards("orders")
        assert counts(server) == (6, 2)
        NEW.issue_cert("127.0.0.1").configure_cert(tls)
        write(path, NEW)
        made.client.list_shards("orders")
        assert counts(server) == (7, 3)


def test_authority_that_is_removed_from_file_is_not_trusted(path: Path) -> None:
    with (
        misbehaving(always(EMPTY_LIST), tls=loopback_tls(OLD)) as server,
        rig(
            server.endpoint,
            uniform=lambda _, __: 0.0,
            make_transport=lambda stop: Transport(cancelled=stop, ca_file=path),
        ) as made,
    ):
        made.client.list_shards("orders")
        write(path, NEW)
        with pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
            made.client.list_shards("orders")
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file or directory"),
        (b"", "no certificates in PEM form"),
        (b"-----BEGIN CERTIFICATE-----\nx", "no certificates in PEM form"),
        (b"#" * (MAX_CA_BYTES + 1), "larger than 16 MiB"),
    ],
    ids=["missing", "empty", "half", "large"],
)
def test_previous_authorities_stay_while_file_is_invalid(
    path: Path, content: bytes | None, reason: str
) -> None:
    changes: list[tuple[Path, str | None]] = []
    authorities = Authorities(path, on_change=lambda *change: changes.append(change))
    trusted = authorities.context()
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    for _ in range(3):
        authorities.refresh()
        assert authorities.context() is trusted
    assert changes == [(path, reason)]
    write(path, NEW)
    for _ in range(3):
        authorities.refresh()
    assert authorities.context() is not trusted
    assert changes == [(path, reason), (path, None)]


def test_unchanged_file_is_loaded_once(path: Path) -> None:
    authorities = Authorities(path)
    trusted = authorities.context()
    write(path, OLD)
    authorities.refresh()
    assert authorities.context() is trusted
    assert authorities.version == 0


def test_threads_replace_authorities_once_per_change(path: Path) -> None:
    changes: list[tuple[Path, str | None]] = []
    authorities = Authorities(path, on_change=lambda *change: changes.append(change))
    write(path, NEW)
    threads = [threading.Thread(target=authorities.refresh) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert (authorities.version, changes) == (1, [(path, None)])


@pytest.mark.parametrize("comment", ["# für Shanghai\n".encode(), b"\xff\xfe Shanghai\n"])
def test_file_of_authorities_can_have_comments_in_any_encoding(path: Path, comment: bytes) -> None:
    path.write_bytes(comment + OLD.cert_pem.bytes() + comment)
    logstores = "[{logstore: l, consumer_groups: [g]}]"
    projects = f"[{{project: p, endpoint: h.example, logstores: {logstores}}}]"
    text = f"http: {{ca_file: {path}}}\nprojects: {projects}\n"
    assert parse(text, name="c", environ={}, base_dir=Path()).http.ca_file == path
    assert len(Authorities(path).context().get_ca_certs()) == 1
