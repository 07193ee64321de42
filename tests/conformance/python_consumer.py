"""A consumer of the vendor's Python library, as a process: ``python -m`` this module.

It logs to stderr, and stops gracefully on SIGTERM.
"""

import argparse
import logging
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from aliyun.log.auth import AUTH_VERSION_1, AUTH_VERSION_4
from aliyun.log.consumer import ConsumerProcessorBase, ConsumerWorker, LogHubConfig
from aliyun.log.util import Util

_LOGGER = logging.getLogger(__name__)


class LogGroupList(Protocol):
    """The log groups of a batch."""

    LogGroups: Sequence[object]


class BatchError(Exception):
    """An error of the code that processes a batch."""


class Processor(ConsumerProcessorBase):
    """Processing of the batches of one shard, with a failure if one is wanted."""

    def __init__(self, options: argparse.Namespace) -> None:
        super().__init__()
        self._options = options
        self._has_failed = False

    def process(self, log_groups: LogGroupList, check_point_tracker: object) -> None:
        time.sleep(self._options.batch_seconds)  # the work of a slow consumer
        is_first, self._has_failed = not self._has_failed, True
        if self._options.fails_once and is_first:
            raise BatchError(f"shard {self.shard_id}: the first batch fails")
        poison = self._options.poison
        if poison is not None and poison.exists() and self.shard_id == int(poison.read_text()):
            raise BatchError(f"shard {self.shard_id}: every batch fails")
        _LOGGER.info("processed shard %d: %d log groups", self.shard_id, len(log_groups.LogGroups))
        if not self._options.never_saves:
            self.save_checkpoint(check_point_tracker)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one consumer until a signal."""
    parser = argparse.ArgumentParser()
    for name in ("address", "project", "logstore", "group", "name"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--auth-version", choices=[AUTH_VERSION_1, AUTH_VERSION_4])
    parser.add_argument("--query")
    parser.add_argument("--fetch-size", type=int)
    parser.add_argument("--batch-seconds", type=float, default=0.0)
    parser.add_argument("--poison", type=Path)
    for name in ("fails-once", "never-saves", "in-order"):
        parser.add_argument(f"--{name}", action="store_true")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO)
    # The port misleads the check of the library for an address without a project in front.
    Util.is_row_ip = staticmethod(lambda _: True)
    config = LogHubConfig(
        options.address,
        os.environ["KEY_ID"],
        os.environ["KEY_SECRET"],
        options.project,
        options.logstore,
        options.group,
        options.name,
        heartbeat_interval=1,
        auth_version=options.auth_version or AUTH_VERSION_1,
        region="cn-shanghai",
        in_order=options.in_order,
        query=options.query,
        max_fetch_log_group_size=options.fetch_size,
    )
    # The stubs of the library allow only whole seconds.
    vars(config)["data_fetch_interval"] = 0.2
    worker = ConsumerWorker(Processor, config, args=(options,))
    signal.signal(signal.SIGTERM, lambda *_: worker.shutdown())
    worker.start()
    while worker.is_alive():
        worker.join(1.0)


if __name__ == "__main__":
    main()
