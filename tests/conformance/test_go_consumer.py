"""The scenes of only the Go library, against the simulator and the exporter."""

from pathlib import Path

import pytest

from exporter.model.progress import State
from tests.conformance.libraries import GO
from tests.conformance.scene import BUSY, STALL_AFTER, expired_scene, scene
from tests.support.wait import wait_for

pytestmark = pytest.mark.timeout(600)  # the first test builds the consumer


def test_consumer_whose_query_lets_nothing_through_is_not_stalled(tmp_path: Path) -> None:
    with scene(tmp_path) as running:
        running.produce()
        # The library calls the processor for empty batches too, and that one saves.
        running.start_consumer("c1", "--query=* | where false", library=GO)
        running.wait_until_consumed()
        before = running.rest().consumed
        running.produce()
        for seen in running.watch(STALL_AFTER + 4.0):
            assert seen.all_are(*BUSY)
        assert running.rest().consumed > before + 20


def test_consumer_reads_log_groups_in_zstd(tmp_path: Path) -> None:
    with scene(tmp_path) as running:
        running.produce()
        running.start_consumer("c1", "--compression=zstd", library=GO)
        running.wait_until_consumed()
        running.rest()
        assert (running.lost(0), running.lost(1)) == (0, 0)


def test_expired_data_under_a_stopped_consumer_stops_its_successor(tmp_path: Path) -> None:
    with expired_scene(tmp_path, GO) as running:
        running.produce()
        # The library pulls from the expired checkpoint indefinitely.
        running.start_consumer("c2", library=GO)
        wait_for(
            lambda: running.log_of("c2").count("InvalidCursor") > 10,
            timeout=60.0,
            what="refused pulls",
        )
        running.wait(
            lambda seen: seen.states == {State.EXPIRED: 2}, what="expired data", timeout=60.0
        )
        for seen in running.watch(STALL_AFTER):
            assert seen.states == {State.EXPIRED: 2}
            assert seen.owners == {0: "c1", 1: "c1"}
