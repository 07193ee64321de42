"""The generated SDK for Python, with its own signer: v1 with hmac-sha256, and v4."""

import json
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from alibabacloud_sls20201230 import models
from alibabacloud_sls20201230.client import Client
from alibabacloud_tea_openapi.models import Config
from darabonba.exceptions import DaraException
from darabonba.runtime import RuntimeOptions
from Tea.exceptions import TeaException

from tests.conformance.clients.loopback import resolve_to_loopback

PROJECT, LOGSTORE, GROUP = "shop", "orders", "billing"
PLACE = (PROJECT, LOGSTORE)


def main(endpoint: str, version: str) -> None:
    """Call every operation."""
    resolve_to_loopback()
    client = Client(
        Config(
            access_key_id=os.environ["KEY_ID"],
            access_key_secret=os.environ["KEY_SECRET"],
            security_token=os.environ["TOKEN"] or None,
            endpoint=endpoint,
            protocol="http",
            region_id="cn-shanghai",
            signature_version=version,
        )
    )
    begin = models.GetCursorRequest(from_="begin")
    first = models.GetCursorTimeRequest(cursor=os.environ["CURSOR"])
    logstores = models.ListLogStoresRequest(offset=1, size=2)
    projects = models.ListProjectRequest(offset=1, size=2)
    checkpoints = models.GetCheckPointRequest()
    calls = {
        "GetCheckPoint": partial(client.get_check_point, *PLACE, GROUP, checkpoints),
        "ListConsumerGroup": partial(client.list_consumer_group, *PLACE),
        "ListShards": partial(client.list_shards, *PLACE),
        "GetCursor": partial(client.get_cursor, *PLACE, "0", begin),
        "GetCursorTime": partial(client.get_cursor_time, *PLACE, "0", first),
        "GetLogStore": partial(client.get_log_store, *PLACE),
        "ListLogStores": partial(client.list_log_stores, PROJECT, logstores),
        "ListProject": partial(client.list_project, projects),
        "PutLogs, lz4": partial(put_logs, client, "lz4"),
        "PutLogs, deflate": partial(put_logs, client, "deflate"),
    }
    json.dump({name: result(call) for name, call in calls.items()}, sys.stdout)


def put_logs(client: Client, compression: str) -> Any:  # noqa: ANN401
    """Write a log group."""
    content = models.LogContent(key="message", value="日志" * 50)
    log = models.LogItem(time=int(time.time()), contents=[content])
    request = models.PutLogsRequest(body=models.LogGroup(log_items=[log], topic="", source=""))
    headers = models.PutLogsHeaders(x_log_compresstype=compression)
    return client.put_logs_with_options(*PLACE, request, headers, RuntimeOptions())


def result(call: Callable[[], Any]) -> dict[str, object]:
    """Return the body of a response, or the code of an error."""
    try:
        return {"ok": call().to_map().get("body")}
    except (DaraException, TeaException) as error:
        return {"code": error.code}


if __name__ == "__main__":
    main(*sys.argv[1:])
