"""One fault, injected in every phase of a real exporter's life, next to a healthy project.

The same simulated service has both projects. The exporter uses the fault proxy for only one.
"""

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import requests
import trustme

from exporter.simulator.server import DEFAULT_CREDENTIALS
from exporter.simulator.world import World
from tests.simulation.faults.catalogue import Case
from tests.support.certificates import loopback_tls, server_tls
from tests.support.daemon import Daemon, daemon
from tests.support.fault_proxy import Certificates, FaultProxy, fault_proxy
from tests.support.faulty_simulator import FaultySimulator
from tests.support.scrape import Scrape
from tests.support.wait import wait_for

INTERVAL = 1.0
TIMEOUT = 0.5
SLACK = 5.0
"""Number of seconds that a busy machine, or the low request rate of a start, may add."""
FRESH = INTERVAL + SLACK
_STOP_SECONDS = 5.0
_MICROSECONDS = 2e-6
_WORKERS = 4
_MOST_THREADS = 2 * _WORKERS + 14
"""The threads of all pools, which start when they are needed, and of what is always there."""
_MORE_DESCRIPTORS = 2 * _WORKERS + 4
"""A connection of each worker, and a few that are being closed."""
_CONFIG = """\
credentials: {{access_key_id: {id}, access_key_secret: {secret}}}
polling:
  {{interval: 1s, timeout: 10s, stale_after: 5m, requests_per_second: 1000, workers: {workers}}}
discovery: {{interval: 1s}}
projects:
  - project: good
    endpoint: {good}
    logstores:
      - {{logstore: orders, consumer_groups: [billing{more}]}}
      - {{logstore: "app-.*", consumer_groups: [".*"]}}
  - project: bad
    endpoint: {bad}
    polling: {{timeout: {timeout}}}
    http: {{{http}}}
    logstores:
      - {{logstore: orders, consumer_groups: [billing{more}]}}
      - {{logstore: "app-.*", consumer_groups: [".*"]}}
"""
_UP = "sls_consumer_group_up"
_UPDATED = "sls_consumer_group_checkpoint_update_timestamp_seconds"
_AGE = "sls_consumer_group_checkpoint_age_seconds"
_UNREAD = "sls_consumer_group_unread_log_groups"
_LAST_SUCCESS = "sls_consumer_group_last_success_timestamp_seconds"
_ERRORS = "sls_exporter_poll_errors_total"
_DISCOVERY = "sls_exporter_discovery_success"
BILLING = {"logstore": "orders", "consumer_group": "billing"}


@dataclass(frozen=True, slots=True)
class Play:
    """A fault with its exporter, world and proxy, and the checks of each phase."""

    case: Case
    folder: Path
    world: World
    simulator: FaultySimulator
    proxy: FaultProxy
    exporter: Daemon

    # The fault

    def begin(self) -> None:
        """Begin the fault, for the bad project only."""
        if self.case.resolves:
            self.proxy.begin(self.case.fault)
        else:
            write_config(self, resolves=False)
            self._reload()

    def end(self) -> None:
        """End the fault."""
        if self.case.resolves:
            self.proxy.end()
        else:
            write_config(self)
            self._reload()

    def _reload(self) -> None:
        answer = requests.post(self.exporter.url + "/-/reload", timeout=10)
        assert answer.status_code == 200, answer.text

    # Phases

    def started(self) -> None:
        """Expect the exporter to start during the fault and to recover from it."""
        wait_for(lambda: self._polls("good", BILLING), what="the good project polled")
        self._expect_fault()
        self._end_and_recover()

    def steady(self) -> None:
        """Expect a temporary fault not to remove earlier results."""
        # The poll after the start may have shown ages only, so far.
        at_rest = {"project": "bad", "shard": "0", **BILLING}
        wait_for(lambda: self._scrape().find(_UNREAD, **at_rest), what="the end of a shard")
        descriptors = self._descriptors()
        updated = self._scrape().value(_UPDATED, project="bad", shard="0", **BILLING)
        self.begin()
        self._expect_fault()
        if self.case.resolves:  # else it is another endpoint, of which nothing was polled yet
            found = self._scrape()
            assert found.value(_UPDATED, **at_rest) == updated
            assert found.value(_UNREAD, **at_rest) == 3
            assert 0 <= time.time() - updated - found.value(_AGE, **at_rest) < SLACK
        self._end_and_recover()
        wait_for(
            lambda: (
                self._descriptors() <= descriptors + _MORE_DESCRIPTORS
                and self._threads() <= _MOST_THREADS
            ),
            what=f"few more than {descriptors} descriptors, at most {_MOST_THREADS} threads",
            timeout=30.0,
        )

    def discovering(self) -> None:
        """Expect listed names to stay and new names in the healthy project to be found."""
        self.begin()
        self._expect_fault()
        for project in ("good", "bad"):
            add_logstore(self.world, project, "app-2")
        wait_for(lambda: self._polls("good", {"logstore": "app-2"}), what="the new logstore")
        if self.case.resolves:  # else it is another endpoint, of which nothing was listed yet
            assert self._scrape().find(_UP, project="bad", logstore="app-1"), "a listing failed"
        self._end_and_recover()
        wait_for(lambda: self._polls("bad", {"logstore": "app-2"}), what="the new logstore")

    def reloading(self) -> None:
        """Expect a reload during the fault to apply immediately."""
        self.begin()
        self._expect_fault()
        write_config(self, more=", audit", resolves=self.case.resolves)
        self._reload()
        audit = {"logstore": "orders", "consumer_group": "audit"}
        wait_for(lambda: self._polls("good", audit), timeout=FRESH, what="the new group")
        self._expect_fault()
        self._end_and_recover()
        wait_for(lambda: self._polls("bad", audit), what="the new group")

    def stopping(self) -> None:
        """Expect the exporter to stop quickly and cleanly during the fault."""
        self.begin()
        self._expect_fault()
        assert self.exporter.stop(signal.SIGTERM, within=_STOP_SECONDS) == 0
        wait_for(lambda: "stopping" in self.exporter.log)
        for sign in ("Traceback", "internal error", "Warning"):
            assert sign not in self.exporter.log
        assert DEFAULT_CREDENTIALS.access_key_secret not in self.exporter.log

    # Expectations

    def _expect_fault(self) -> None:
        """Expect the fault to be counted under its code and not to affect anything else."""
        codes = self.case.codes
        if codes:
            before = self._errors()
            wait_for(
                self._is_down,
                timeout=INTERVAL + TIMEOUT + SLACK,
                what="the bad project to be down",
            )
            wait_for(lambda: self._errors() > before, what=f"another error counted as {codes}")
        else:
            since = time.time()
            wait_for(
                lambda: any(
                    sample.value > since
                    for sample in self._scrape().find(_LAST_SUCCESS, project="bad", **BILLING)
                ),
                what="a poll that bears the fault",
            )
        found = self._scrape()
        # Any fault may cut off the requests that are in progress when it begins or ends.
        cut_off = {"connection", "invalid_response"} if codes else set()
        assert {sample.labels["code"] for sample in found.find(_ERRORS)} <= codes | cut_off
        self._expect_good(found)
        if self.case.listing is not None:
            assert self._polls("bad", BILLING), "a plain name needs no listing"
        assert self.exporter.get("/-/healthy").status_code == 200

    def _is_down(self) -> bool:
        """Return whether the listing that fails, and what the fault affects, has failed last."""
        found, listing = self._scrape(), self.case.listing
        name, labels = (_UP, BILLING) if listing is None else (_DISCOVERY, {"logstore": listing})
        listed = found.find(_DISCOVERY, project="bad", logstore=listing or "")
        failed = found.find(name, project="bad", **labels)
        return {sample.value for sample in (*listed, *failed)} == {0}

    def _expect_good(self, found: Scrape) -> None:
        # The first poll shows ages before it has read the ends of the shards.
        at_rest = {"project": "good", "shard": "0", **BILLING}
        if not found.find(_UNREAD, **at_rest):
            wait_for(lambda: self._scrape().find(_UNREAD, **at_rest), what="the end of a shard")
            found = self._scrape()
        assert found.find(_ERRORS, project="good") == []
        assert {sample.value for sample in found.find(_DISCOVERY, project="good")} == {1}
        assert {sample.value for sample in found.find(_UP, project="good")} == {1}
        now = time.time()
        truth = self.world.truth("good", "orders", "billing", 0)
        assert truth.updated_at is not None
        assert abs(found.value(_UPDATED, **at_rest) - truth.updated_at) < _MICROSECONDS
        assert found.value(_UNREAD, **at_rest) == 3
        # A consumer writes a checkpoint each half a second, so an old one is one that was not read.
        assert found.value(_AGE, **{**at_rest, "shard": "1"}) < FRESH + 0.5
        assert now - found.value(_LAST_SUCCESS, project="good", **BILLING) < FRESH

    def _end_and_recover(self) -> None:
        self.end()
        ended = time.time()
        wait_for(
            lambda: self._polls("bad", BILLING) and self._polls("bad", {"logstore": "app-1"}),
            # Names are listed once per interval and polled once per interval.
            timeout=2 * INTERVAL + SLACK,
            what="recovery",
        )
        wait_for(self._is_discovered, timeout=2 * INTERVAL + SLACK, what="all listings")
        found = self._scrape()
        assert found.value(_LAST_SUCCESS, project="bad", **BILLING) - ended < (
            INTERVAL + TIMEOUT + SLACK
        )
        self._expect_good(found)

    def _is_discovered(self) -> bool:
        found = self._scrape().find(_DISCOVERY, project="bad")
        return {sample.value for sample in found} == {1}

    def _polls(self, project: str, place: dict[str, str]) -> bool:
        """Return whether polls of a logstore or consumer group succeed."""
        found = self._scrape().find(_UP, project=project, **place)
        return bool(found) and all(sample.value == 1 for sample in found)

    def _errors(self) -> float:
        """Count failures of the bad project's group or listing, under the codes of the fault."""
        listing = self.case.listing
        place = BILLING if listing is None else {"logstore": listing, "consumer_group": ""}
        found = self._scrape().find(_ERRORS, project="bad", **place)
        return sum(
            float(sample.value) for sample in found if sample.labels["code"] in self.case.codes
        )

    def _scrape(self) -> Scrape:
        return self.exporter.scrape()

    def _descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.exporter.process.pid}/fd"))  # noqa: PTH208  as it is

    def _threads(self) -> int:
        return len(os.listdir(f"/proc/{self.exporter.process.pid}/task"))  # noqa: PTH208  as it is


PHASES: dict[str, Callable[[Play], None]] = {
    "start": Play.started,
    "steady state": Play.steady,
    "discovery": Play.discovering,
    "reload": Play.reloading,
    "shutdown": Play.stopping,
}
"""Phases in the order of an exporter's life. Each fault runs through all of them in one process."""


@contextmanager
def staged(case: Case, folder: Path) -> Iterator[Play]:
    """Start an exporter under a fault."""
    world = World(wall=time.time)
    for project in ("good", "bad"):
        world.create_project(project)
        add_logstore(world, project, "orders")
        world.create_group(project, "orders", "audit")
        add_logstore(world, project, "app-1")
    world.set_producer("good", "orders", 1, 0.2)
    world.start_consumer("good", "orders", "billing", "host-2", shards=[1], flush_interval=0.5)
    with FaultySimulator(world) as simulator:
        port = int(simulator.endpoint.rpartition(":")[2])
        with fault_proxy(port, certificates() if case.secure else None) as proxy:
            config = folder / "config.yaml"
            if case.secure:
                authority().cert_pem.write_to_path(folder / "ca.pem")
            _write(config, case, simulator, proxy, resolves=case.resolves)
            if case.resolves:
                proxy.begin(case.fault)
            arguments = ("--web.listen-address=127.0.0.1:0", "--web.enable-lifecycle")
            with daemon(f"--config.file={config}", *arguments) as exporter:
                yield Play(case, folder, world, simulator, proxy, exporter)


def add_logstore(world: World, project: str, name: str) -> None:
    """Add a logstore of two shards, each with a group that stopped 3 log groups before its end."""
    world.create_logstore(project, name, shards=2)
    world.create_group(project, name, "billing")
    for shard in (0, 1):
        world.write(project, name, shard, 7)
        cursor = world.end_cursor(project, name, shard) - 3
        world.update_checkpoint(project, name, "billing", shard, cursor, consumer="host-1")


def write_config(play: Play, *, more: str = "", resolves: bool = True) -> None:
    """Write the configuration file again. A group that was added stays."""
    path = play.folder / "config.yaml"
    more = more or (", audit" if "audit" in path.read_text() else "")
    _write(path, play.case, play.simulator, play.proxy, more=more, resolves=resolves)


def _write(
    path: Path,
    case: Case,
    simulator: FaultySimulator,
    proxy: FaultProxy,
    *,
    more: str = "",
    resolves: bool = True,
) -> None:
    path.write_text(
        _CONFIG.format(
            id=DEFAULT_CREDENTIALS.access_key_id,
            secret=DEFAULT_CREDENTIALS.access_key_secret,
            workers=_WORKERS,
            # A busy machine needs long for a request, so the timeout is short only if it matters.
            timeout="10s"
            if case.codes and "timeout" not in case.codes
            else f"{TIMEOUT * 1000:g}ms",
            good=simulator.endpoint,
            bad=proxy.endpoint if resolves else f"http://nowhere.invalid:{proxy.port}",
            http="ca_file: ca.pem" if case.secure else "",
            more=more,
        )
    )


def _timeout(case: Case) -> str:
    """Return a short timeout if it matters, otherwise a long one for busy machines."""
    return f"{TIMEOUT * 1000:g}ms" if "timeout" in case.codes or not case.codes else "10s"


@cache
def authority() -> trustme.CA:
    """Return the authority that the exporter trusts."""
    return trustme.CA()


@cache
def certificates() -> Certificates:
    """Return a valid certificate, and others that are invalid."""
    now = datetime.now(UTC)
    return {
        "good": loopback_tls(authority()),
        "expired": server_tls(
            authority().issue_cert(
                "127.0.0.1", not_before=now - timedelta(days=9), not_after=now - timedelta(days=1)
            )
        ),
        "another name": server_tls(authority().issue_cert("127.0.0.2", "elsewhere.example")),
        "unknown authority": loopback_tls(trustme.CA()),
    }


def slug(case: Case) -> str:
    """Return a name that is suitable for a file."""
    return re.sub(r"\W+", "-", case.name)
