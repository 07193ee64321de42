"""The scenes of only the Python library, against the simulator and the exporter."""

from pathlib import Path

import pytest

from exporter.model.progress import Cause, State
from tests.conformance.libraries import PYTHON
from tests.conformance.scene import BUSY, expired_scene, scene

pytestmark = pytest.mark.timeout(300)


def test_consumer_whose_query_lets_nothing_through_looks_dead(tmp_path: Path) -> None:
    with scene(tmp_path) as running:
        running.produce()
        running.start_consumer("c1", library=PYTHON)
        running.wait_until_consumed()
        running.stop_consumer("c1")
        running.start_consumer("c2", "--query=* | where false", library=PYTHON)
        running.wait(lambda seen: seen.is_stalled(Cause.GROUP_SILENT, 2), what="a silent group")
        assert running.rest().owners == {0: "c1", 1: "c1"}


def test_expired_data_under_a_stopped_consumer_is_reported_until_the_library_skips_it(
    tmp_path: Path,
) -> None:
    with expired_scene(tmp_path, PYTHON) as running:
        running.wait(
            lambda seen: seen.states == {State.EXPIRED: 2} and running.is_exact(seen),
            what="expired data",
        )
        running.produce()
        # The library jumps to the END cursor, so it skips the log groups that are retained too.
        running.start_consumer("c2", library=PYTHON)
        seen = running.wait(
            lambda seen: seen.all_are(*BUSY) and set(seen.owners.values()) == {"c2"},
            what="progress after the jump",
        )
        assert max(seen.unread.values()) < 100
        running.rest()
