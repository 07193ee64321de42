"""The path from a consumer that dies to the page for the operator, through real programs only.

A stage has a simulated SLS, two replicas of the exporter as processes, Prometheus with the
shipped rules, and Alertmanager with the routes that docs/alerts.md recommends. All durations in
the rules and in the configuration are divided by 30, so that 5 minutes become 10 s.
"""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from exporter.simulator.server import Simulator
from exporter.simulator.world import World
from tests.support.alertmanager import Webhook, alertmanager, webhook
from tests.support.daemon import Daemon, daemon
from tests.support.held_clock import HeldClock
from tests.support.keys import KEYS
from tests.support.prometheus import Prometheus, prometheus
from tests.support.rules import scaled
from tests.support.wait import wait_for
from tools.paths import ROOT, RULES

FACTOR = 1 / 30
FLUSH_SECONDS = 1.0
NIGHT_SECONDS = 12 * 3600.0
STALLED = "SLSConsumerShardStalled"

CONFIG = """\
polling: {{interval: 1s, stale_after: 30s, requests_per_second: 10000}}
stall_after: {stall_after:g}s
lag_limit: {lag_limit:g}s
projects:
  - project: shop
    endpoint: {endpoint}
    logstores:
      - {{logstore: orders, consumer_groups: [billing, shipping]}}
      - {{logstore: nightly, consumer_groups: [export]}}
      - {{logstore: archive, consumer_groups: [asleep]}}
"""
PROMETHEUS = """\
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: ["{rules}"]
alerting:
  alertmanagers:
    - static_configs: [{{targets: ["{alertmanager}"]}}]
"""
SCRAPES = """\
scrape_configs:
  - job_name: sls-exporter
    static_configs: [{{targets: {targets}}}]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """The input of a monitor: the rules, and the addresses of Alertmanager and of the exporters."""

    rules: Path
    alertmanager: str
    targets: Sequence[str]


Monitor = Callable[[Path, Watched], AbstractContextManager[Prometheus]]
"""Scrapes and evaluates the rules every second until the block ends; the path is a folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Everything that runs, and all that was notified so far."""

    world: World
    webhook: Webhook
    prometheus: Prometheus


def by_prometheus(
    folder: Path, watched: Watched, *, executable: str | Path = "prometheus"
) -> AbstractContextManager[Prometheus]:
    """Monitor with Prometheus."""
    configuration = PROMETHEUS.format(
        rules=watched.rules, alertmanager=watched.alertmanager
    ) + SCRAPES.format(targets=json.dumps(watched.targets))
    return prometheus(folder, configuration, executable=executable)


@contextmanager
def alarm_stage(
    folder: Path,
    *,
    monitor: Monitor = by_prometheus,
    alertmanager_executable: str | Path = "prometheus-alertmanager",
) -> Iterator[Stage]:
    """Run a stage until the block ends."""
    rules = folder / "short.rules.yaml"
    rules.write_text(scaled(RULES.read_text(), FACTOR))
    world = busy_and_idle_groups()
    with ExitStack() as stack:
        simulator = stack.enter_context(Simulator(world))
        config = folder / "config.yaml"
        config.write_text(
            CONFIG.format(
                stall_after=300 * FACTOR, lag_limit=600 * FACTOR, endpoint=simulator.endpoint
            )
        )
        replicas = [stack.enter_context(replica(config)) for _ in range(2)]
        receiving = stack.enter_context(webhook())
        address = stack.enter_context(
            alertmanager(folder, advised_routes(receiving), executable=alertmanager_executable)
        )
        watched = Watched(
            rules=rules, alertmanager=address, targets=[listening(each) for each in replicas]
        )
        server = stack.enter_context(monitor(folder, watched))
        yield Stage(world=world, webhook=receiving, prometheus=server)


def busy_and_idle_groups() -> World:
    """Return a world with two busy groups, and two that had nothing to read for a night."""
    held, dawn = HeldClock(time.time() - NIGHT_SECONDS), threading.Event()
    world = World(wall=lambda: time.time() if dawn.is_set() else held.wall())
    world.create_project("shop")
    for logstore, shards, groups in (
        ("orders", 3, ("billing", "shipping")),
        ("nightly", 1, ("export",)),
        ("archive", 1, ("asleep",)),
    ):
        world.create_logstore("shop", logstore, shards=shards)
        for group in groups:
            world.create_group("shop", logstore, group)
            for shard in range(shards):
                world.write("shop", logstore, shard)
                start_consumer(world, logstore, group, shard)
    held.advance(60.0)
    world.stop_consumer("shop", "archive", "asleep", "asleep-0")
    for shard in range(3):
        world.set_producer("shop", "orders", shard, 0.5)
    dawn.set()
    return world


def start_consumer(world: World, logstore: str, group: str, shard: int) -> None:
    world.start_consumer(
        "shop",
        logstore,
        group,
        f"{group}-{shard}",
        shards=[shard],
        flush_interval=FLUSH_SECONDS,
    )


def replica(config: Path) -> AbstractContextManager[Daemon]:
    return daemon(f"--config.file={config}", "--web.listen-address=127.0.0.1:0", environ=KEYS)


def listening(exporter: Daemon) -> str:
    """Return where a replica listens, once it has polled everything."""
    wait_for(lambda: exporter.get("/-/ready").status_code == 200, timeout=120, what="ready")
    return exporter.url.removeprefix("http://")


def advised_routes(receiving: Webhook) -> str:
    """Return the advised configuration with receivers that exist and without its long waits."""
    page = (ROOT / "docs" / "alerts.md").read_text()
    found = re.search(r"```yaml\n(.+?)```", page, re.DOTALL)
    assert found is not None
    advised = yaml.safe_load(found[1])
    advised["route"] |= {"group_wait": "1s", "group_interval": "1s"}
    for receiver in advised["receivers"]:
        receiver["webhook_configs"] = [
            {"url": receiving.url(receiver["name"]), "send_resolved": True}
        ]
    return str(yaml.safe_dump(advised))


def check_page_of_dead_consumer(stage: Stage) -> None:
    """Kill a consumer and bring it back; the operator must get one page, and its end."""
    world, received, ask = stage.world, stage.webhook.received, stage.prometheus.query
    groups = "count(sls_consumer_group_up == 1) == 8"
    wait_for(lambda: ask(groups), timeout=120, what="four groups polled well by both replicas")

    world.crash_consumer("shop", "orders", "billing", "billing-1")
    wait_for(lambda: received(STALLED, "firing"), timeout=180, what="the page")

    both_see_it = 'count(sls_consumer_group_stalled_seconds{shard="1"} > 10) == 2'
    wait_for(lambda: ask(both_see_it), timeout=120, what="the stall in both replicas")
    firing = f'ALERTS{{alertname="{STALLED}",alertstate="firing"}}'
    assert len(wait_for(lambda: ask(firing), timeout=60, what="the alert as a series")) == 1

    # The first log after a quiet night: for a moment its consumer is twelve hours behind.
    world.write("shop", "nightly", 0)
    start_consumer(world, "orders", "billing", 1)
    wait_for(lambda: received(STALLED, "resolved"), timeout=180, what="the end of the page")

    for status in ("firing", "resolved"):
        notified = received(STALLED, status)
        # vmalert adds the name of the group of rules.
        assert [
            {name: value for name, value in alert.labels.items() if name != "alertgroup"}
            for alert in notified
        ] == [
            {
                "alertname": STALLED,
                "severity": "critical",
                "job": "sls-exporter",
                "project": "shop",
                "logstore": "orders",
                "consumer_group": "billing",
                "shard": "1",
            }
        ]
        (alert,) = notified
        assert alert.receiver == "pager"
        assert alert.annotations["runbook_url"] == (
            "https://sls-exporter.example/docs/runbook.md#slsconsumershardstalled"
        )
        assert alert.annotations["description"].startswith(
            "Shard 1 of shop/orders holds unread data, and consumer group billing has made no "
            "progress on it for "
        )
    assert received("SLSConsumerGroupStalled", "firing") == [], "its other shards move"
    others = stage.webhook.unlike(logstore="orders", consumer_group="billing")
    assert others == [], others
