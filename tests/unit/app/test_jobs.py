"""The log lines about the number of requests of the polls."""

import sys
from pathlib import Path
from typing import Any

from exporter.app.assembly import assemble
from exporter.app.jobs import Jobs
from exporter.commands.once import poll_all
from exporter.config.reader import load
from exporter.simulator.demo_world import SHOP
from tests.support.commands import demo_world
from tests.support.log_lines import Log


def test_requests_of_a_project_are_logged_again_only_if_they_change(tmp_path: Path) -> None:
    log = Log()

    def reported() -> list[tuple[Any, Any]]:
        poll_all(parts, errors=sys.stderr)
        before = len(log.events)
        jobs.update()
        jobs.report_capacity()
        jobs.report_capacity()
        return [
            (each["project"], each["logstores"])
            for each in log.events[before:]
            if each["msg"] == "requests of the polls"
            and each["sls_endpoint"] == demo.simulator.endpoint
        ]

    with demo_world(tmp_path) as demo:
        parts = assemble(
            load(demo.config, environ={}), environ={}, clock=demo.clock.clock, start_rate=10_000.0
        )
        try:
            jobs = Jobs(parts, total_shards=1, log=log.logger, on_error=lambda _, __: None)
            assert reported() == [("demo-platform", 1), ("demo-shop", 3)]
            assert reported() == []
            demo.simulator.world.create_logstore(SHOP, "returns", shards=1)
            demo.simulator.world.create_group(SHOP, "returns", "new")
            assert reported() == [("demo-shop", 4)]
        finally:
            parts.close()
