"""Remedies for error codes of SLS: the first thing to check, in one sentence.

Sources: the error codes of the vendor's API reference, and the exporter's own codes for requests
that never reached SLS.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

from exporter.sls.operations import (
    GET_CHECKPOINT,
    GET_CURSOR,
    LIST_CONSUMER_GROUPS,
    LIST_LOGSTORES,
    LIST_PROJECTS,
    LIST_SHARDS,
)

NO_CURSOR_ACCESS = (
    f"Lag and stalls are not known: the RAM policy does not allow {LIST_SHARDS.action} and "
    f"{GET_CURSOR.action} on this logstore."
)

_KEY = "Check the access key: it is unknown or disabled."
_TOKEN = "The temporary credentials are no longer valid: check what renews them."  # noqa: S105  a sentence
_RIGHTS = (
    f"Check the access key, and that its RAM policy allows {GET_CHECKPOINT.action} "
    "on this consumer group."
)
_CLOCK = "Set the clock of the exporter's host (NTP): SLS accepts 15 minutes of difference."
_PROJECT = "Check the project's name, and that the endpoint is that of the project's region."
_QUOTA = "Too many requests: raise polling.interval or lower polling.requests_per_second."
_SERVICE = "SLS itself has a problem and polls continue. If it lasts, see the vendor's status page."
_PATH = "Check the endpoint, and the network, firewall and proxy on the way to it."

REMEDIES: Mapping[str, str] = MappingProxyType(
    {
        "Unauthorized": _RIGHTS,
        "SignatureNotMatch": "Check the access key's secret: it does not belong to the key.",
        "InvalidAccessKeyId": _KEY,
        "SecurityTokenExpired": _TOKEN,
        "ProjectForbidden": "The project is disabled: look at it, and at the bill, in the console.",
        "RequestTimeTooSkewed": _CLOCK,
        "RequestTimeExpired": _CLOCK,
        "ProjectNotExist": _PROJECT,
        "ProjectNotExists": _PROJECT,
        "LogStoreNotExist": "Check the logstore's name; it may have been deleted.",
        "ConsumerGroupNotExist": "Check the group's name; it may have been deleted.",
        "InternalServerError": _SERVICE,
        "RequestTimeout": _SERVICE,
        "ServerBusy": _SERVICE,
        "credentials": "No access key is available: see the log for the sources that were tried.",
        "timeout": f"{_PATH} A slow path needs a longer polling.timeout.",
        "connection": f"{_PATH} A name that does not resolve may be that of an unknown project.",
        "invalid_response": "The response did not come from SLS: check the proxy on the way to it.",
    }
)
_LISTING_RIGHTS: Mapping[str, str] = MappingProxyType(
    {
        each.name: f"Check the access key, and that its RAM policy allows {each.action}."
        for each in (LIST_CONSUMER_GROUPS, LIST_LOGSTORES, LIST_PROJECTS)
    }
)
_OF_QUOTA = re.compile(r"quota|qps|too_?many", re.IGNORECASE)


def remedy(code: str, operation: str = GET_CHECKPOINT.name) -> str | None:
    """Return the remedy for an error code of an operation, or None if there is only a message."""
    if code == "Unauthorized" and operation in _LISTING_RIGHTS:
        return _LISTING_RIGHTS[operation]
    return REMEDIES.get(code) or (_QUOTA if _OF_QUOTA.search(code) else None)
