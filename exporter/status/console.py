"""Links to the console of the service."""

from urllib.parse import quote, urlencode

from exporter.model.endpoint import Endpoint

_CONSOLE = "https://sls.console.aliyun.com/lognext/project"


def console_url(sls_endpoint: str, project: str, logstore: str) -> str | None:
    """Return the page of a logstore in the console; None if the service is not the public one.

    The vendor documents no address of the page of a consumer group, which is listed there.
    """
    try:
        region = Endpoint.parse(sls_endpoint).region
    except ValueError:
        return None
    if region is None or not project or not logstore:
        return None
    path = "/".join((quoted(project), "logsearch", quoted(logstore)))
    return f"{_CONSOLE}/{path}?{urlencode({'slsRegion': region})}"


def quoted(name: str) -> str:
    """Return a name as one segment of a path."""
    return quote(name, safe="", errors="replace")
