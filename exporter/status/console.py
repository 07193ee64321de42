"""Links to the console of the service."""

from functools import lru_cache
from urllib.parse import quote

from exporter.model.endpoint import Endpoint

_CONSOLE = "https://sls.console.aliyun.com/lognext/project"


def console_url(sls_endpoint: str, project: str, logstore: str) -> str | None:
    """Return the page of a logstore in the console; None if the service is not the public one.

    The vendor documents no address of the page of a consumer group, which is listed there.
    """
    region = _region(sls_endpoint)
    if region is None or not project or not logstore:
        return None
    return f"{_CONSOLE}/{_quoted(project)}/logsearch/{_quoted(logstore)}?slsRegion={region}"


@lru_cache(64)
def _region(sls_endpoint: str) -> str | None:
    try:
        return Endpoint.parse(sls_endpoint).region
    except ValueError:
        return None


def _quoted(name: str) -> str:
    """Return a name as one segment of a path."""
    return quote(name, safe="", errors="replace")
