"""Scenes of only the Java consumer library, against the simulator and the exporter."""

from pathlib import Path
from zipfile import ZipFile

import pytest

from exporter.model.progress import State
from tests.conformance.libraries import JAVA
from tests.conformance.scene import BUSY, STALL_AFTER, expired_scene, scene

pytestmark = pytest.mark.timeout(300)


def test_poisoned_shard_with_pauses_in_its_data_does_not_look_stuck(tmp_path: Path) -> None:
    """An empty batch succeeds, and the save after it is behind the dropped batches."""
    poison = tmp_path / "poison"
    with scene(tmp_path) as running:
        running.produce(2.0)
        running.start_consumer("c1", f"--poison={poison}", library=JAVA)
        running.wait_until_consumed()
        poison.write_text("0")
        for seen in running.watch(STALL_AFTER + 4.0):
            assert seen.all_are(*BUSY)
        running.wait(lambda _: running.lost(0) > 3, what="lost data")
        assert running.rest().all_are(*BUSY)


def test_consumer_cannot_have_a_query() -> None:
    (jar,) = built_jars("loghub-client-lib")
    with ZipFile(jar) as archive:
        configuration = archive.read(
            "com/aliyun/openservices/loghub/client/config/LogHubConfig.class"
        )
    assert b"setMaxFetchLogGroupSize" in configuration
    assert b"uery" not in configuration


def built_jars(name: str) -> list[Path]:
    command = JAVA.command()
    folder = Path(command[command.index("-cp") + 1]).parent
    return list(folder.rglob(f"{name}-*.jar"))


def test_expired_data_under_a_stopped_consumer_is_skipped_to_the_start_position(
    tmp_path: Path,
) -> None:
    with expired_scene(tmp_path, JAVA) as running:
        running.wait(
            lambda seen: seen.states == {State.EXPIRED: 2} and running.is_exact(seen),
            what="expired data",
        )
        running.produce()
        retained = min(truth.unread for truth in running.truths().values())
        # The start position is the BEGIN cursor, so all retained data is processed.
        running.start_consumer("c2", library=JAVA)
        running.wait(
            lambda seen: seen.all_are(*BUSY) and set(seen.owners.values()) == {"c2"},
            what="progress after the jump",
        )
        running.rest()
        assert retained > 1000
        assert min(running.processed(0), running.processed(1)) >= retained
