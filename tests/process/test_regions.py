"""The exporter over two regions, whose two accounts have projects of the same names."""

import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.process.test_daemon import LISTEN
from tests.support.commands import run
from tests.support.daemon import Daemon, daemon
from tests.support.regions import Regions, running_regions
from tests.support.wait import wait_for

UP = "sls_consumer_group_up"
CONFLICTS = "sls_exporter_target_conflicts"
HEAD = "polling: {interval: 1s, requests_per_second: 1000}\ndiscovery: {interval: 1s}\nprojects:\n"


@pytest.fixture
def regions() -> Iterator[Regions]:
    with running_regions(time.time) as regions:
        for region in (regions.north, regions.south):
            region.add("shop", "orders", "billing", f"only-{region.name}")
        yield regions


def config_of(regions: Regions, project: str, *, is_labeled: bool) -> str:
    return HEAD + "".join(
        regions.entry(
            region, project, "orders", f"  labels: {{region: {region.name}}}\n" * is_labeled
        )
        for region in (regions.north, regions.south)
    )


def ups(exporter: Daemon) -> set[tuple[str, str, float]]:
    """Return the groups with their label and value."""
    return {
        (each.labels.get("region", ""), each.labels["consumer_group"], each.value)
        for each in exporter.scrape().find(UP)
    }


def shows(exporter: Daemon, groups: set[tuple[str, str, float]], *, conflicts: int) -> bool:
    """Return whether an exporter has these groups and this number of conflicts."""
    values = [each.value for each in exporter.scrape().find(CONFLICTS)]
    return ups(exporter) == groups and sum(values) == conflicts


NORTH = {("", "billing", 1.0), ("", "only-north", 1.0)}
BOTH = {
    ("north", "billing", 1.0),
    ("north", "only-north", 1.0),
    ("south", "billing", 1.0),
    ("south", "only-south", 1.0),
}


@pytest.mark.parametrize("project", ["shop", "sh.*"])
def test_two_regions_of_two_accounts_are_polled_with_their_own_keys(
    regions: Regions, tmp_path: Path, project: str
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(config_of(regions, project, is_labeled=True))
    with daemon(f"--config.file={config}", LISTEN) as exporter:
        wait_for(lambda: ups(exporter) == BOTH, what="the groups of both regions")
    assert regions.north.requested_groups() == {"billing", "only-north"}
    assert regions.south.requested_groups() == {"billing", "only-south"}


def test_replicas_leave_out_the_same_logstore_until_a_reload_tells_it_apart(
    regions: Regions, tmp_path: Path
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(config_of(regions, "sh.*", is_labeled=False))
    with (
        daemon(f"--config.file={config}", LISTEN) as one,
        daemon(f"--config.file={config}", LISTEN) as other,
    ):
        for replica in (one, other):
            wait_for(partial(shows, replica, NORTH, conflicts=1), what="the first region")
        assert regions.south.requested_groups() == set()
        config.write_text(config_of(regions, "sh.*", is_labeled=True))
        for replica in (one, other):
            replica.process.send_signal(signal.SIGHUP)
            wait_for(partial(shows, replica, BOTH, conflicts=0), what="both regions")
            assert "its series would be those of another endpoint" in replica.log


def test_check_rejects_plain_names_that_labels_do_not_tell_apart(
    regions: Regions, tmp_path: Path
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(config_of(regions, "shop", is_labeled=False))
    done = run("check", f"--config.file={config}")
    assert done.status == 1
    assert "has the same series at another endpoint; set different labels" in done.stderr
    config.write_text(config_of(regions, "shop", is_labeled=True))
    assert run("check", f"--config.file={config}").status == 0
