"""Names that identify what is polled."""

from typing import NamedTuple


class TargetKey(NamedTuple):
    """One logstore of one project."""

    project: str
    logstore: str


class EntryKey(NamedTuple):
    """One listing that the configuration needs.

    A listing of projects has no project, and a listing of logstores has no logstore.
    """

    sls_endpoint: str
    project: str = ""
    logstore: str = ""


class GroupKey(NamedTuple):
    """One consumer group of one logstore."""

    project: str
    logstore: str
    consumer_group: str
