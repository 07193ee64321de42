"""The command line ``aliyunlog``, with the signer of its SDK: v1 with hmac-sha1, and v4."""

import contextlib
import io
import json
import os
import sys

from aliyunlogcli import cli_core

from tests.conformance.clients.loopback import resolve_to_loopback

PLACE = ("--project=shop", "--logstore=orders")
NAMES = ("--project_name=shop", "--logstore_name=orders")
SHARD = (*NAMES, "--shard_id=0")
PAGE = ("--offset=1", "--size=2")


def main(endpoint: str, version: str) -> None:
    """Call every operation."""
    resolve_to_loopback()
    os.environ |= {
        "ALIYUN_LOG_CLI_ACCESSID": os.environ["KEY_ID"],
        "ALIYUN_LOG_CLI_ACCESSKEY": os.environ["KEY_SECRET"],
        "ALIYUN_LOG_CLI_STS_TOKEN": os.environ["TOKEN"],
        "ALIYUN_LOG_CLI_ENDPOINT": f"http://{endpoint}",
        "ALIYUN_LOG_CLI_SIGN_VERSION": version,
        "ALIYUN_LOG_CLI_REGION_ID": "cn-shanghai",
    }
    cursor = f"--cursor={os.environ['CURSOR']}"
    commands = {
        "GetCheckPoint": ["get_check_point", *PLACE, "--consumer_group=billing"],
        "ListConsumerGroup": ["list_consumer_group", *PLACE],
        "ListShards": ["list_shards", *NAMES],
        "GetCursor": ["get_cursor", *SHARD, "--start_time=begin"],
        "GetCursorTime": ["get_cursor_time", *SHARD, cursor],
        "GetLogStore": ["get_logstore", *NAMES],
        "ListLogStores": ["list_logstore", "--project_name=shop", *PAGE],
        "ListProject": ["list_project", *PAGE],
    }
    json.dump({name: run(command) for name, command in commands.items()}, sys.stdout)


def run(command: list[str]) -> dict[str, object]:
    """Run a command like a shell, and return what it printed."""
    sys.argv = ["aliyunlog", "log", *command]
    output = io.StringIO()
    failed = False
    with contextlib.redirect_stdout(output):
        try:
            cli_core.main()
        except SystemExit:
            failed = True
    document = json.loads(output.getvalue())
    return {"code": document["errorCode"]} if failed else {"ok": document}


if __name__ == "__main__":
    main(*sys.argv[1:])
