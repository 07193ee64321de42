"""The web configuration in force, as its files change."""

from pathlib import Path

import pytest

from exporter.config.problems import ConfigError
from exporter.web.config_file import WatchedWebConfig
from tests.support.web_server import Faults
from tests.support.web_tls import hashed, new_place

TLS = "tls_server_config: {cert_file: server.crt, key_file: server.key}"


def users_of(*names: str) -> str:
    return "basic_auth_users:\n" + "".join(f"  {name}: {hashed(name)}\n" for name in names)


def test_watched_configuration_must_be_valid_at_first(tmp_path: Path) -> None:
    faults = Faults()
    with pytest.raises(ConfigError, match="No such file"):
        WatchedWebConfig(tmp_path / "web.yml", faults.report)
    assert faults.seen == []


def test_watched_configuration_follows_a_configmap_whose_link_is_swapped(tmp_path: Path) -> None:
    for version, name in (("1", "alice"), ("2", "bob")):
        (tmp_path / version).mkdir()
        (tmp_path / version / "web.yml").write_text(users_of(name))
    (tmp_path / "..data").symlink_to("1")
    file = tmp_path / "web.yml"
    file.symlink_to("..data/web.yml")
    faults = Faults()
    watched = WatchedWebConfig(file, faults.report)
    assert set(watched.current().users) == {"alice"}
    (tmp_path / "next").symlink_to("2")
    (tmp_path / "next").replace(tmp_path / "..data")
    assert set(watched.current().users) == {"bob"}
    assert faults.seen == []


def test_watched_configuration_keeps_a_pair_until_both_files_are_rotated(tmp_path: Path) -> None:
    place = new_place(tmp_path)
    faults = Faults()
    watched = WatchedWebConfig(place.write(TLS), faults.report)
    first = watched.tls()
    old_key = (tmp_path / "server.key").read_bytes()
    place.renew()
    new_key = (tmp_path / "server.key").read_bytes()
    (tmp_path / "server.key").write_bytes(old_key)
    assert [watched.tls(), watched.tls()] == [first, first]
    (tmp_path / "server.key").write_bytes(new_key)
    second = watched.tls()
    assert second is not None
    assert second is not first
    assert watched.tls() is second
    assert [where for where, _ in faults.seen] == ["web configuration"]
    assert "cert_file: the certificate and its key do not load" in str(faults.seen[0][1])


def test_watched_configuration_looks_at_files_that_are_named_later(tmp_path: Path) -> None:
    place = new_place(tmp_path)
    faults = Faults()
    watched = WatchedWebConfig(place.write(TLS), faults.report)
    place.write(TLS.replace("server.crt", "later.crt"))
    first = watched.tls()
    assert "later.crt" in str(faults.seen[0][1])
    (tmp_path / "later.crt").write_bytes((tmp_path / "server.crt").read_bytes())
    assert watched.tls() is not first
    assert len(faults.seen) == 1


@pytest.mark.parametrize("text", ["", "# nothing\n", "~\n", "basic_auth_users: {alice: "])
def test_watched_configuration_stays_when_its_file_is_empty_or_cut(
    tmp_path: Path, text: str
) -> None:
    file = tmp_path / "web.yml"
    file.write_text(users_of("alice"))
    faults = Faults()
    watched = WatchedWebConfig(file, faults.report)
    file.write_text(text)
    assert set(watched.current().users) == {"alice"}
    assert set(watched.current().users) == {"alice"}
    assert len(faults.seen) == 1


def test_watched_configuration_changes_to_none_by_an_explicit_mapping(tmp_path: Path) -> None:
    file = tmp_path / "web.yml"
    file.write_text(users_of("alice"))
    watched = WatchedWebConfig(file, Faults().report)
    file.write_text("basic_auth_users: {}\n")
    assert watched.current().users == {}


def test_watched_configuration_reports_that_tls_needs_a_restart(tmp_path: Path) -> None:
    place = new_place(tmp_path)
    faults = Faults()
    watched = WatchedWebConfig(place.write(TLS), faults.report)
    file = place.write("http_server_config: {http2: false}")
    assert watched.tls() is not None
    assert str(faults.seen[0][1]) == (
        f"{file}:1:1: (document): TLS can only be switched on or off by a restart"
    )
