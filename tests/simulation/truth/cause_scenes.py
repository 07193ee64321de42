"""Rows of the truth table whose causes differ, although their alerts do not."""

from functools import partial

from exporter.model.progress import Cause
from tests.simulation.truth.causes import Likely
from tests.simulation.truth.scene import HOUR, Scene, only_on, produce
from tests.simulation.truth.stage import GROUP, LOGSTORE, Stage

SPLIT_AT = 1735.0
BEGUN_AT = 1740.0


def changing_pods(stage: Stage) -> None:
    """Let new pods take over a poisoned shard, and each write the checkpoint that it found."""
    produce(stage)
    for shard in range(2):
        stage.world.start_consumer(*GROUP, f"pod-{shard}", shards=[shard])
    stage.at(1830.0, lambda: stage.world.freeze_shard(*GROUP, "pod-1", 1))

    def take_over(number: int) -> None:
        saved = stage.world.checkpoints(*GROUP, 1)[0]
        stage.world.update_checkpoint(*GROUP, 1, saved.checkpoint, consumer=f"pod-{number}")

    for number, at in enumerate(range(1900, int(HOUR), 100), start=2):
        stage.at(float(at), partial(take_over, number))


def ordered_children(stage: Stage) -> None:
    """Split a shard of an ordered group, whose consumer then fails in the parent.

    The consumer has saved the first positions of the children, as it does before it reads them.
    """
    stage.world.delete_group(*GROUP)
    stage.world.create_group(*GROUP, order=True)
    produce(stage)
    stage.world.start_consumer(*GROUP, "c1", shards=range(2), behind=20.0)
    stage.at(SPLIT_AT, lambda: stage.world.split_shard(*LOGSTORE, 0))

    def begin() -> None:
        for child in (2, 3):
            first = stage.world.begin_cursor(*LOGSTORE, child)
            stage.world.update_checkpoint(*GROUP, child, first, consumer="c1")

    stage.at(BEGUN_AT, begin)
    stage.at(BEGUN_AT + 10.0, lambda: stage.world.freeze_shard(*GROUP, "c1", 0))


def nameless_poisoned(stage: Stage) -> None:
    produce(stage)
    stage.world.start_consumer(*GROUP, "c1", shards=range(2), writes_as="")
    stage.at(1830.0, lambda: stage.world.freeze_shard(*GROUP, "c1", 1))


def rare_commits_poisoned(stage: Stage) -> None:
    produce(stage)
    stage.world.start_consumer(*GROUP, "c1", shards=range(2), flush_interval=300.0)
    stage.at(1830.0, lambda: stage.world.freeze_shard(*GROUP, "c1", 1))


CAUSE_SCENES = (
    Scene(
        name="poisoned shard, which one new pod after the other takes over",
        build=changing_pods,
        trouble=only_on(1, since=1801.0),
        likely=Likely(
            causes=((Cause.OWNER_CHANGING, 1),),
            evidence="the name changes every 100 s, and the checkpoint stays the same",
        ),
    ),
    Scene(
        name="ordered group: poisoned shard that was split, its children wait",
        build=ordered_children,
        lists_groups=True,
        trouble=only_on(0, 2, 3, since=BEGUN_AT),
        likely=Likely(
            causes=((Cause.SHARD_STUCK, 1), (Cause.WAITING_FOR_PARENT, 2)),
            evidence="the children have a part of the keys of a read-only shard with unread data. "
            "The name of that shard moves elsewhere",
        ),
    ),
    Scene(
        name="poisoned shard of a consumer without a name (Flink)",
        build=nameless_poisoned,
        trouble=only_on(1, since=1801.0),
        likely=Likely(
            causes=((Cause.SHARD_STUCK, 1),),
            evidence="without names there is one owner, which moves elsewhere",
        ),
    ),
    Scene(
        name="poisoned shard of a consumer that commits every 5 minutes",
        build=rare_commits_poisoned,
        trouble=only_on(1, since=1801.0),
        likely=Likely(
            causes=((Cause.SHARD_STUCK, 1),),
            evidence="the last commit elsewhere is 5 minutes later than the start of the stall",
        ),
    ),
)
