"""Reports of the request rates of projects: a gauge, and a log line when one falls or recovers."""

import threading
from collections.abc import Callable

from exporter.logs.logger import Logger
from exporter.model.names import ProjectKey


class RateReports:
    """The request limits of all projects. ``show`` sets the gauge of an endpoint and a project."""

    def __init__(self, show: Callable[[str, str, float], None], log: Logger) -> None:
        self._show = show
        self._log = log
        self._lock = threading.Lock()
        self._lowered: set[ProjectKey] = set()

    def changed(self, endpoint: str, project: str, limit: float, is_lowered: bool) -> None:  # noqa: FBT001  a callback
        """Set a limit in requests per second, and log if refusals have newly lowered it.

        The rate falls and rises continually if a project is near its quota.
        """
        self._show(endpoint, project, limit)
        key = ProjectKey(endpoint, project)
        with self._lock:
            if is_lowered == (key in self._lowered):
                return
            self._lowered ^= {key}
        facts = {"sls_endpoint": endpoint, "project": project, "requests_per_second": f"{limit:g}"}
        if is_lowered:
            self._log.warning("request rate lowered after a refusal", **facts)
        else:
            self._log.info("request rate recovered", **facts)
