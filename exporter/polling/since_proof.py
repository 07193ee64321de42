"""A check that GetCursor with a time returns the first log group received at or after it.

Only documents say so. A wrong answer would make every shard look stalled, or none.
"""

from exporter.model.progress import ShardEnd
from exporter.polling.readings import Reading


class SinceProof:
    """One reading of GetCursor with a time, and the times of the log groups next to its answer."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.cursor: int | None = None
        self._checks: list[Reading] = []
        self._evidence: list[bool] = []
        self._sides = 0

    @property
    def shard(self) -> int:
        """The number of the shard."""
        return self.reading.shard

    @property
    def is_right(self) -> bool:
        """Whether there is evidence, and all of it agrees with the answer."""
        return bool(self._evidence) and all(self._evidence)

    @property
    def is_wrong(self) -> bool:
        """Whether the time of a neighbor contradicts the answer."""
        return not all(self._evidence)

    @property
    def is_complete(self) -> bool:
        """Whether the log groups on both sides of the answer agree with it."""
        return self.is_right and self._sides > 1

    def next_check(self, reading: Reading, result: int | None, *, end: ShardEnd) -> Reading | None:
        """Note a result, and return the time that has to be read next; None if that is all.

        The log group at the answer exists and was received at or after the time, the one before it
        earlier.
        """
        if reading == self.reading:
            self.cursor = cursor = result or 0
            self._checks = [Reading(self.shard, "time", cursor - 1)]
            if cursor < end.cursor:
                self._checks.append(Reading(self.shard, "time", cursor))
        elif reading.at == self.cursor:
            self._sides += 1
            self._evidence.append(result is not None and result >= self.reading.at)
        elif result is not None:  # before the first log group there is none
            self._sides += 1
            self._evidence.append(result < self.reading.at)
        return self._checks.pop() if self._checks else None
