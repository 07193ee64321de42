"""Four exporters share one account: each group is polled by exactly one of them."""

from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from exporter.model.names import TargetKey
from exporter.polling.sharding import shard_of
from exporter.simulator.server import Simulator
from tests.process.test_daemon import LISTEN, world_of
from tests.support.daemon import Daemon, daemon
from tests.support.keys import KEYS
from tests.support.snapshots import ENDPOINT
from tests.support.wait import wait_for

LOGSTORES = 24
TOTAL = 4


def watched(exporter: Daemon) -> list[str]:
    samples = exporter.scrape().find("sls_consumer_group_checkpoint_age_seconds")
    return [sample.labels["logstore"] for sample in samples]


def test_four_processes_poll_each_group_once_and_one_that_dies_takes_only_its_part(
    tmp_path: Path,
) -> None:
    every = {f"log-{number}" for number in range(LOGSTORES)}
    with Simulator(world_of(LOGSTORES)) as simulator, ExitStack() as stack:
        config = tmp_path / "config.yaml"
        config.write_text(
            "polling: {interval: 1s, requests_per_second: 1000}\n"
            f"projects:\n  - project: shop\n    endpoint: {simulator.endpoint}\n"
            '    logstores: [{logstore: "log-.*", consumer_groups: [".*"]}]\n'
        )
        arguments = (f"--config.file={config}", LISTEN, f"--sharding.total-shards={TOTAL}")
        exporters = [
            # As a pod of a StatefulSet would, by its name.
            stack.enter_context(
                daemon(*arguments, environ={**KEYS, "SLS_EXPORTER_SHARDING_SHARD": f"sls-{shard}"})
            )
            for shard in range(TOTAL)
        ]
        wait_for(
            lambda: Counter(name for each in exporters for name in watched(each)) == Counter(every),
            timeout=30,
            what="each group polled by exactly one of four",
        )
        for shard, exporter in enumerate(exporters):
            own = {
                name
                for name in every
                if shard_of(TargetKey(ENDPOINT, "shop", name), TOTAL) == shard
            }
            assert set(watched(exporter)) == own
            found = exporter.scrape()
            assert found.value("sls_exporter_shard") == shard
            assert found.value("sls_exporter_total_shards") == TOTAL
            assert found.value("sls_exporter_targets") == len(own)
        # No process sends requests about a logstore of another process.
        asked = Counter(
            request.logstore
            for request in simulator.requests
            if request.operation == "ListConsumerGroup"
        )
        assert set(asked.values()) == {1}
        assert len(asked) == LOGSTORES
        gone = set(watched(exporters[2]))
        exporters[2].process.kill()
        left = {name for each in (0, 1, 3) for name in watched(exporters[each])}
        assert left == every - gone
        for each in (0, 1, 3):
            assert exporters[each].stop() == 0
