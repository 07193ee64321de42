"""The process under signals, suspension, a lack of resources, and clocks that jump.

SLS_EXPORTER_KILLS is the number of SIGTERM signals at random moments (default: 8).
"""

import json
import os
import random
import resource
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from exporter.simulator.world import World
from tests.support import faults
from tests.support.daemon import Daemon, daemon
from tests.support.faulty_simulator import FaultySimulator
from tests.support.keys import CREDENTIALS
from tests.support.scrape import Scrape, parsed
from tests.support.servers import free_port
from tests.support.wait import wait_for

LOGSTORES = 4
"""Few, because at a start the exporter sends only 10 requests per second."""
INTERVAL = 1.0
KILLS = int(os.environ.get("SLS_EXPORTER_KILLS", "8"))
UP = "sls_consumer_group_up"
AGE = "sls_consumer_group_checkpoint_age_seconds"
STALLED = "sls_consumer_group_stalled_seconds"
UPDATED = "sls_consumer_group_checkpoint_update_timestamp_seconds"
LAST_SUCCESS = "sls_consumer_group_last_success_timestamp_seconds"
ERRORS = "sls_exporter_poll_errors_total"
WHOLE_SECONDS = 30.0
"""Far more than it takes on a machine that has nothing else to do."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A world of producers and consumers, the service, and the arguments that watch it."""

    world: World
    simulator: FaultySimulator
    config: Path

    @property
    def arguments(self) -> tuple[str, str]:
        return f"--config.file={self.config}", "--web.listen-address=127.0.0.1:0"


class Wall:
    """The wall clock of the world, which may be ahead of the clock of the test."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@contextmanager
def scene(folder: Path, wall: Callable[[], float] = time.time) -> Iterator[Scene]:
    world = World(wall=wall)
    world.create_project("shop")
    for number in range(LOGSTORES):
        name = f"log-{number}"
        world.create_logstore("shop", name, shards=2)
        for shard in (0, 1):
            world.write("shop", name, shard, 10)
            world.set_producer("shop", name, shard, 0.3)
        for group in ("a", "b", "c"):
            world.create_group("shop", name, group)
            cursor = world.begin_cursor("shop", name, 0)
            world.update_checkpoint("shop", name, group, 0, cursor, consumer="dead")
            world.start_consumer("shop", name, group, "live", shards=[1], flush_interval=0.5)
    with FaultySimulator(world) as simulator:
        config = folder / "config.yaml"
        config.write_text(
            f"{CREDENTIALS}"
            "polling: {interval: 1s, timeout: 10s, stale_after: 5m, requests_per_second: 5000}\n"
            "discovery: {interval: 1s}\n"
            f"projects:\n  - project: shop\n    endpoint: {simulator.endpoint}\n"
            '    logstores: [{logstore: ".*", consumer_groups: [".*"]}]\n'
        )
        yield Scene(world, simulator, config)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Scene]:
    with scene(tmp_path) as made:
        yield made


def is_whole(found: Scrape) -> bool:
    """Return whether every group is up and every shard has its age."""
    return sum(sample.value for sample in found.find(UP)) == 12 and len(found.find(AGE)) == 24


def await_whole(exporter: Daemon) -> None:
    wait_for(lambda: is_whole(exporter.scrape()), timeout=WHOLE_SECONDS, what="all to be polled")


def assert_true(stage: Scene, exporter: Daemon) -> None:
    """Compare stalled shards in a scrape with the world, and allow no negative values."""
    before = stage.world.now()
    text = exporter.get("/metrics").text
    after = stage.world.now()
    found = parsed(text)
    assert len(found.find(AGE, shard="0")) == 12
    for sample in found.find(AGE, shard="0"):
        place = (sample.labels["project"], sample.labels["logstore"])
        truth = stage.world.truth(*place, sample.labels["consumer_group"], 0)
        assert truth.updated_at is not None
        # The service reports its time in whole seconds.
        assert before - 1.25 <= truth.updated_at + sample.value <= after + 1.25
    for name in (AGE, STALLED):
        assert all(sample.value >= 0 for sample in found.find(name))


def assert_clean(exporter: Daemon) -> None:
    for sign in ("Traceback", "internal error", "Warning"):
        assert sign not in exporter.log


# Signals


def test_after_sigkill_under_load_the_next_start_is_a_whole_one(stage: Scene) -> None:
    for _ in range(2):
        with daemon(*stage.arguments) as exporter:
            wait_for(lambda: exporter.scrape().find(UP), what="polls under way")
            exporter.process.send_signal(signal.SIGKILL)
            assert exporter.process.wait(5) == -signal.SIGKILL
    with daemon(*stage.arguments) as exporter:
        await_whole(exporter)
        assert_true(stage, exporter)
        assert exporter.stop() == 0
    assert_clean(exporter)


@pytest.mark.timeout(60 + 5 * KILLS)
def test_sigterm_at_a_random_moment_ends_the_daemon_with_status_0(stage: Scene) -> None:
    delays = random.Random(7)  # noqa: S311  any moments do
    for _ in range(KILLS):
        with daemon(*stage.arguments) as exporter:
            # The moment is the point; there is no condition to wait on.
            time.sleep(delays.uniform(0.0, 2.5))
            status = exporter.stop(within=5.0)
        if exporter.log:
            assert status == 0
        else:
            # Before the program has started, it cannot handle a signal.
            assert status in {0, -signal.SIGTERM}
        assert_clean(exporter)


def polls_asked(stage: Scene) -> Counter[tuple[str | None, str | None]]:
    return Counter(
        (record.logstore, record.consumer_group)
        for record in stage.simulator.requests
        if record.operation == "GetCheckPoint"
    )


def test_the_daemon_continues_after_a_suspension_without_a_burst_of_requests(stage: Scene) -> None:
    with daemon(*stage.arguments) as exporter:
        await_whole(exporter)
        exporter.process.send_signal(signal.SIGSTOP)
        time.sleep(4 * INTERVAL)  # while it sleeps, nothing happens that could be awaited
        stage.simulator.forget_requests()
        resumed = time.monotonic()
        exporter.process.send_signal(signal.SIGCONT)
        assert_true(stage, exporter)
        wait_for(
            lambda: time.monotonic() > resumed + 2 * INTERVAL and polls_asked(stage),
            timeout=WHOLE_SECONDS,
            what="some polls",
        )
        took = time.monotonic() - resumed
        found, asked = exporter.scrape(), polls_asked(stage)
        assert is_whole(found)
        assert_true(stage, exporter)
        assert max(asked.values()) <= took / INTERVAL + 2, "one that was due, then one an interval"
        assert exporter.stop() == 0
    assert_clean(exporter)


# Clocks


def faketime_library() -> Path:
    found = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
    assert found is not None, "libfaketime is not installed: apt-get install -y faketime"
    return found


@contextmanager
def under_a_clock(stage: Scene, folder: Path) -> Iterator[tuple[Daemon, Callable[[int], None]]]:
    """Run the exporter with an adjustable wall clock and the real monotonic clock."""
    offset = folder / "offset"

    def set_off(seconds: int) -> None:
        new = offset.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        new.replace(offset)

    set_off(0)
    environ = {
        "LD_PRELOAD": str(faketime_library()),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_RESET": "1",
    }
    with daemon(*stage.arguments, environ=environ) as exporter:
        await_whole(exporter)
        yield exporter, set_off


def successes(exporter: Daemon) -> float:
    """Return the oldest of the last successes, by the exporter's clock."""
    return min(sample.value for sample in exporter.scrape().find(LAST_SUCCESS))


def test_a_clock_that_jumps_by_minutes_changes_no_age_and_stops_no_poll(
    stage: Scene, tmp_path: Path
) -> None:
    with under_a_clock(stage, tmp_path) as (exporter, set_off):
        for seconds in (600, -600):
            set_off(seconds)
            jumped = time.time() + seconds
            wait_for(
                lambda jumped=jumped: jumped + INTERVAL < successes(exporter) < jumped + 300,  # type: ignore[misc]  # bound now
                timeout=WHOLE_SECONDS,
                what="polls after the jump",
            )
            found = exporter.scrape()
            assert is_whole(found)
            assert found.find(ERRORS) == []
            assert_true(stage, exporter)
            assert exporter.get("/-/healthy").status_code == 200
        assert exporter.stop() == 0
    assert_clean(exporter)


def test_a_clock_that_is_wrong_by_hours_is_reported_and_does_not_change_ages(
    stage: Scene, tmp_path: Path
) -> None:
    with under_a_clock(stage, tmp_path) as (exporter, set_off):
        for told, seconds in ((1, 5 * 3600), (3, -5 * 3600)):
            set_off(seconds)
            wait_for(lambda told=told: exporter.log.count("clock has jumped") == told)  # type: ignore[misc]  # bound now
            wait_for(
                lambda: not any(sample.value for sample in exporter.scrape().find(UP)),
                timeout=WHOLE_SECONDS,
            )
            found = exporter.scrape()
            # SLS rejects requests whose date is wrong by more than 15 minutes.
            codes = {sample.labels["code"] for sample in found.find(ERRORS)}
            assert codes == {"RequestTimeTooSkewed"}
            assert_true(stage, exporter)
            skew = found.value("sls_exporter_clock_skew_seconds")
            assert skew == pytest.approx(-seconds, abs=5)
            set_off(0)
            wait_for(lambda told=told: exporter.log.count("clock has jumped") == told + 1)  # type: ignore[misc]  # bound now
            await_whole(exporter)
            assert_true(stage, exporter)
        assert exporter.stop() == 0
    assert_clean(exporter)


def test_after_an_hour_asleep_every_target_is_polled_immediately_and_once(tmp_path: Path) -> None:
    # The monotonic clock of a sleeping machine stops. After waking up, its wall clock is ahead.
    wall = Wall()
    with scene(tmp_path, wall) as stage, under_a_clock(stage, tmp_path) as (exporter, set_off):
        exporter.process.send_signal(signal.SIGSTOP)
        wait_for(lambda: is_stopped(exporter), what="the process to stop")
        wall.ahead = 3600.0
        set_off(3600)
        stage.simulator.forget_requests()
        woken, resumed = wall(), time.monotonic()
        exporter.process.send_signal(signal.SIGCONT)
        assert all(sample.value >= 0 for sample in exporter.scrape().find(AGE))
        # A poll that was in progress when the machine fell asleep ends now, with old results.
        wait_for(
            lambda: (
                successes(exporter) > woken
                and youngest(exporter) > 3600
                and is_whole(exporter.scrape())
            ),
            timeout=WHOLE_SECONDS,
            what="new polls",
        )
        took = time.monotonic() - resumed
        found, asked = exporter.scrape(), polls_asked(stage)
        assert is_whole(found)
        # A request that was in progress has the old date.
        codes = {sample.labels["code"] for sample in found.find(ERRORS)}
        assert codes <= {"RequestTimeTooSkewed"}
        assert_true(stage, exporter)
        assert max(asked.values()) <= took / INTERVAL + 3, "the due polls, and again after the jump"
        assert exporter.get("/-/healthy").status_code == 200
        assert exporter.stop() == 0
    assert_clean(exporter)


def youngest(exporter: Daemon) -> float:
    """Return the smallest age of a stalled shard."""
    return min(sample.value for sample in exporter.scrape().find(AGE, shard="0"))


def is_stopped(exporter: Daemon) -> bool:
    stat = Path(f"/proc/{exporter.process.pid}/stat").read_text()
    return stat.rpartition(")")[2].split()[0] == "T"


# Limits


def limit(exporter: Daemon, which: int, value: int) -> None:
    hard = resource.prlimit(exporter.process.pid, which)[1]
    resource.prlimit(exporter.process.pid, which, (value, hard))


def unlimit(exporter: Daemon, which: int) -> None:
    hard = resource.prlimit(exporter.process.pid, which)[1]
    resource.prlimit(exporter.process.pid, which, (hard, hard))


def test_the_daemon_writes_no_file(stage: Scene) -> None:
    with daemon(*stage.arguments) as exporter:
        limit(exporter, resource.RLIMIT_FSIZE, 0)
        await_whole(exporter)
        folder = Path(f"/proc/{exporter.process.pid}/fd")
        opened = [os.readlink(entry) for entry in folder.iterdir()]  # noqa: PTH115  as it is
        files = [name for name in opened if name.startswith("/") and not name.startswith("/dev/")]
        assert files == []
        unlimit(exporter, resource.RLIMIT_FSIZE)  # the coverage measurement writes a file at exit
        assert exporter.stop() == 0
    assert_clean(exporter)


@contextmanager
def spawned(
    stage: Scene,
    *before: str,
    stdout: int = subprocess.DEVNULL,
    stderr: int = subprocess.DEVNULL,
) -> Iterator[Daemon]:
    """Run the exporter by another command and with other streams, without measuring coverage."""
    port = free_port()
    process = subprocess.Popen(
        [
            *(*before, sys.executable, "-m", "exporter", f"--config.file={stage.config}"),
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        stdout=stdout,
        stderr=stderr,
        text=True,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
    )
    try:
        # The test cannot read the log line with the address.
        exporter = Daemon(process, stderr=[f"listening=127.0.0.1:{port}"])
        wait_for(lambda: process.poll() is not None or is_open(port), timeout=WHOLE_SECONDS)
        assert process.poll() is None, f"ended with {process.returncode}"
        yield exporter
    finally:
        process.kill()
        process.wait(10)


def is_open(port: int) -> bool:
    with socket.socket() as peer:
        return peer.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def disk_that_is_full() -> Iterator[int]:
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        yield full
    finally:
        os.close(full)


@contextmanager
def pipe_without_reader() -> Iterator[int]:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        yield writer
    finally:
        os.close(writer)


@pytest.mark.parametrize("taking_nothing", [disk_that_is_full, pipe_without_reader])
def test_the_daemon_keeps_working_if_its_output_cannot_be_written(
    stage: Scene, taking_nothing: Callable[[], AbstractContextManager[int]]
) -> None:
    with (
        taking_nothing() as stream,
        spawned(stage, stdout=stream, stderr=stream) as exporter,
    ):
        await_whole(exporter)
        # Many failures that begin and end must be logged.
        planned = stage.simulator.faults.add(
            faults.ErrorAnswer(status=403, code="Unauthorized"), logstore="log-0"
        )
        wait_for(lambda: down(exporter) == {"log-0"}, timeout=WHOLE_SECONDS)
        stage.simulator.faults.remove(planned)
        await_whole(exporter)
        begun = time.time()
        wait_for(lambda: successes(exporter) > begun, timeout=WHOLE_SECONDS, what="polls to go on")
        assert_true(stage, exporter)
        assert exporter.get("/-/healthy").status_code == 200
        assert exporter.stop(within=5.0) == 0


def down(exporter: Daemon) -> set[str]:
    return {sample.labels["logstore"] for sample in exporter.scrape().find(UP) if not sample.value}


READ_ONLY = """\
while read -r _ _ _ _ place _; do
  mount -o remount,bind,ro "$place" 2>/dev/null
done </proc/self/mountinfo
for place in "$1" "${TMPDIR:-/tmp}" /; do
  touch "$place/written" 2>/dev/null && exit 99
done
shift
exec "$@"
"""


def test_the_daemon_works_on_a_read_only_file_system(stage: Scene) -> None:
    # Its own mount namespace makes the file system read-only for this process only.
    unshare = ("unshare", "--mount", *(("--map-root-user",) if os.geteuid() else ()))
    folder = str(stage.config.parent)
    with spawned(
        stage, *unshare, "sh", "-c", READ_ONLY, "sh", folder, stderr=subprocess.PIPE
    ) as exporter:
        await_whole(exporter)
        begun = time.time()
        wait_for(lambda: successes(exporter) > begun, timeout=WHOLE_SECONDS, what="polls to go on")
        assert_true(stage, exporter)
        assert exporter.stop(within=5.0) == 0
        log = exporter.process.communicate(timeout=10)[1]
    assert "started" in log
    for sign in ("Traceback", "internal error", "Read-only"):
        assert sign not in log


def test_polls_without_file_descriptors_fail_and_recover_later(stage: Scene) -> None:
    with daemon(*stage.arguments) as exporter:
        await_whole(exporter)
        used = {int(entry.name) for entry in Path(f"/proc/{exporter.process.pid}/fd").iterdir()}
        limit(exporter, resource.RLIMIT_NOFILE, max(used) + 1)
        # Every connection breaks, and those that scrapes come over are taken by the listener.
        planned = stage.simulator.faults.add(faults.Reset())
        wait_for(lambda: len(stage.simulator.requests) > 0)
        limit(exporter, resource.RLIMIT_NOFILE, 8)
        broken = time.monotonic()
        wait_for(lambda: time.monotonic() > broken + 2 * INTERVAL, what="polls without descriptors")
        assert exporter.process.poll() is None
        stage.simulator.faults.remove(planned)
        unlimit(exporter, resource.RLIMIT_NOFILE)
        await_whole(exporter)
        codes = {sample.labels["code"] for sample in exporter.scrape().find(ERRORS)}
        assert codes == {"connection"}
        assert_true(stage, exporter)
        assert exporter.stop() == 0
    assert "Traceback" not in exporter.log


def test_a_poll_without_memory_for_a_response_fails_alone(stage: Scene) -> None:
    numbers = json.dumps([0] * 1_300_000)
    with daemon(*stage.arguments) as exporter:

        def scraped(polls: float) -> Scrape | None:
            """Scrape after many polls. A scrape may fail while a poll has used up the memory."""
            with suppress(requests.ConnectionError):
                response = exporter.get("/metrics")
                seen = parsed(response.text) if response.ok else None
                if seen and seen.value("sls_exporter_polls_total") > polls:
                    return seen
            return None

        await_whole(exporter)
        before = exporter.scrape().value("sls_exporter_polls_total")
        used = int(Path(f"/proc/{exporter.process.pid}/statm").read_text().split()[0])
        limit(exporter, resource.RLIMIT_AS, used * resource.getpagesize() + 8 * 2**20)
        planned = stage.simulator.faults.add(
            faults.Body(text=numbers), operation="GetCheckPoint", logstore="log-0"
        )
        seen = wait_for(
            lambda: scraped(before + 3 * LOGSTORES),
            timeout=WHOLE_SECONDS,  # the request rate begins low
            what="polls without memory",
        )
        assert seen is not None
        others = [each.value for each in seen.find(UP) if each.labels["logstore"] != "log-0"]
        assert others == [1] * 9
        stage.simulator.faults.remove(planned)
        unlimit(exporter, resource.RLIMIT_AS)
        await_whole(exporter)
        assert_true(stage, exporter)
        assert exporter.stop() == 0
