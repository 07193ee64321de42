"""Names that identify what is polled."""

from typing import NamedTuple


class TargetKey(NamedTuple):
    """One logstore of one project."""

    project: str
    logstore: str


class GroupKey(NamedTuple):
    """One consumer group of one logstore."""

    project: str
    logstore: str
    consumer_group: str
