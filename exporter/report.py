"""What a poll tells beside its result, as hooks that are called and never imported from below."""

from typing import Protocol

from exporter.model.names import TargetKey
from exporter.sls import SlsError


class PollObserver(Protocol):
    """Takes note of what goes wrong in polls; the group is empty for what concerns the logstore."""

    def poll_failed(self, key: TargetKey, consumer_group: str, error: SlsError) -> None:
        """Take note that a part of a poll failed."""
        ...

    def entries_skipped(self, key: TargetKey, consumer_group: str, faults: tuple[str, ...]) -> None:
        """Take note of entries in an answer that could not be used."""
        ...

    def cursor_access_changed(self, key: TargetKey, error: SlsError | None) -> None:
        """Take note that cursors may not be read any more, or (None) may be again."""
        ...
