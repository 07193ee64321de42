"""A check that GetCursor with a time returns the first log group received at or after it.

The documentation is the only source for this. A wrong response would make every shard look
stalled, or none.
"""

from exporter.model.progress import ShardEnd
from exporter.polling.readings import Reading


class SinceProof:
    """One reading of GetCursor with a time, and the times of the log groups next to it."""

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
        """True if there is evidence, and all of it agrees with the response."""
        return bool(self._evidence) and all(self._evidence)

    @property
    def is_wrong(self) -> bool:
        """True if the time of a neighbor contradicts the response."""
        return not all(self._evidence)

    @property
    def is_complete(self) -> bool:
        """True if the log groups on both sides of the returned cursor agree with it."""
        return self.is_right and self._sides > 1

    def next_check(self, reading: Reading, result: int | None, *, end: ShardEnd) -> Reading | None:
        """Note a result, and return the time that has to be read next; None if that is all.

        If the response is right, the log group at the returned cursor was received at or after the
        time, and the previous log group earlier.
        """
        if reading == self.reading:
            self.cursor = cursor = result or 0
            self._checks = [Reading(self.shard, "time", cursor - 1)]
            if cursor < end.cursor:
                self._checks.append(Reading(self.shard, "time", cursor))
        elif reading.at == self.cursor:
            self._sides += 1
            self._evidence.append(result is not None and result >= self.reading.at)
        elif result is not None:  # The first log group has no previous one.
            self._sides += 1
            self._evidence.append(result < self.reading.at)
        return self._checks.pop() if self._checks else None
