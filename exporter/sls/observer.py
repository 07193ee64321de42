"""The interface through which a client reports its requests."""

from typing import Protocol

from exporter.model.names import ProjectKey


class Observer(Protocol):
    """Counts and gauges of requests. A cancelled attempt is not reported."""

    def request_ended(
        self, project: ProjectKey, operation: str, seconds: float, error_code: str | None
    ) -> None:
        """Count an attempt, with the code of its error if it failed."""
        ...

    def request_retried(self, operation: str) -> None:
        """Count that another attempt follows a failed one."""
        ...

    def clock_skew(self, endpoint: str, seconds: float) -> None:
        """Set the server's clock minus the exporter's, in seconds."""
        ...

    def server_time_ignored(self, endpoint: str) -> None:
        """Count a successful response whose time is too far from the exporter's to be true."""
        ...
