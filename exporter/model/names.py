"""Names that identify what is polled."""

from typing import NamedTuple


class ProjectKey(NamedTuple):
    """One project at one endpoint. The project is empty for the listing of projects."""

    sls_endpoint: str
    project: str


class TargetKey(NamedTuple):
    """One logstore of one project at one endpoint.

    Names of projects are unique within a region only, so the endpoint is part of the key.
    """

    sls_endpoint: str
    project: str
    logstore: str

    @property
    def project_key(self) -> ProjectKey:
        """The project of the logstore."""
        return ProjectKey(self.sls_endpoint, self.project)

    @property
    def names(self) -> tuple[str, str]:
        """The names in the labels of its series."""
        return self.project, self.logstore

    @property
    def labels(self) -> dict[str, str]:
        """The names as labels."""
        return dict(zip(self._fields[1:], self.names, strict=True))


class EntryKey(NamedTuple):
    """One listing that the configuration needs.

    A listing of projects has no project, and a listing of logstores has no logstore.
    """

    sls_endpoint: str
    project: str = ""
    logstore: str = ""


class GroupKey(NamedTuple):
    """One consumer group of one logstore."""

    sls_endpoint: str
    project: str
    logstore: str
    consumer_group: str

    @property
    def names(self) -> tuple[str, str, str]:
        """The names in the labels of its series."""
        return self.project, self.logstore, self.consumer_group

    @property
    def labels(self) -> dict[str, str]:
        """The names as labels."""
        return dict(zip(self._fields[1:], self.names, strict=True))
