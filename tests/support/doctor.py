"""A world in which every assumption about the service can be observed, and examinations of it."""

import io
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from exporter.base.clock import Clock
from exporter.commands.doctor.command import examine
from exporter.commands.doctor.findings import Examined, Finding
from exporter.commands.doctor.session import Session
from exporter.config.patterns import Pattern
from exporter.config.reader import parse
from exporter.polling.scope import Scope
from exporter.simulator.views import UpdateTimeUnit
from exporter.simulator.world import World
from tests.support.held_clock import HeldClock
from tests.support.keys import CREDENTIALS

DAY = 86_400.0
PROJECT, LOGSTORE = "shop", "orders"
ALIVE, UNUSED = "billing", "nightly"
WORKER = "worker-1"
EXPIRED, OLD, FULL, EMPTY = 0, 1, 2, 3
"""The shards: one has expired, two have data, and one never had any."""


def observable_world(unit: UpdateTimeUnit = "us") -> tuple[HeldClock, World]:
    """Return a clock and a world with an expired shard, an empty one, and two with data.

    A consumer of a group has checkpoints in two shards. The other group has never had a consumer.
    """
    held = HeldClock(float(int(time.time())) - 2 * DAY)  # Times far off would be ignored.
    world = World(wall=held.wall, update_time_unit=unit)
    world.create_project(PROJECT)
    world.create_logstore(PROJECT, LOGSTORE, shards=2, ttl_days=1)
    world.write(PROJECT, LOGSTORE, EXPIRED, 3)
    world.create_group(PROJECT, LOGSTORE, ALIVE)
    world.create_group(PROJECT, LOGSTORE, UNUSED)
    world.split_shard(PROJECT, LOGSTORE, EXPIRED)
    held.advance(2 * DAY - 600)
    for shard in (OLD, FULL):
        for _ in range(5):
            held.advance(10)
            world.write(PROJECT, LOGSTORE, shard)
    world.start_consumer(PROJECT, LOGSTORE, ALIVE, WORKER, shards=[OLD, FULL])
    held.advance(500)
    assert held.wall() <= time.time() + 60
    return held, world


def config_text(
    endpoint: str,
    *,
    keys: str = CREDENTIALS,
    more: str = "",
    project: str = PROJECT,
    timeout: str = "60s",
) -> str:
    """Return a configuration for all groups of the logstore."""
    return (
        f"{keys}polling: {{requests_per_second: 10000, timeout: {timeout}}}\n{more}"
        f"projects:\n  - project: '{project}'\n    endpoint: {endpoint}\n    logstores:\n"
        f"      - {{logstore: {LOGSTORE}, consumer_groups: ['.*']}}\n"
    )


def session_of(
    text: str,
    clock: Clock,
    *,
    environ: Mapping[str, str] | None = None,
    cancelled: threading.Event | None = None,
    logstore: str | None = None,
    group: str | None = None,
) -> Session:
    """Return a session for a configuration."""
    return Session(
        parse(text, name="config.yaml", environ={}, base_dir=Path()),
        environ=environ or {},
        clock=clock,
        scope=Scope(
            logstore=None if logstore is None else Pattern.parse(logstore),
            consumer_group=None if group is None else Pattern.parse(group),
        ),
        cancelled=cancelled or threading.Event(),
        start_rate=10_000.0,
    )


def examined(session: Session) -> list[Examined]:
    """Return all findings of a session, and close it."""
    try:
        return examine(session, errors=io.StringIO())
    finally:
        session.close()


def findings(found: Sequence[Examined]) -> dict[str, Finding]:
    """Return the findings by step, the last one of each step."""
    return {finding.step: finding for each in found for finding in each.findings}


def with_result(found: Sequence[Examined], result: str) -> set[str]:
    """Return the steps with a result."""
    return {step for step, finding in findings(found).items() if finding.result == result}
