"""The time to load a large configuration, compared with a bare YAML load of its text."""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from exporter.config.reader import parse
from exporter.config.schema import Config

_HEAD = """projects:
  - project: my-project
    endpoint: cn-shanghai.log.aliyuncs.com
    logstores:
"""


def main() -> None:
    """Print a line for each shape: seconds of the exporter and the bare load, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--groups", type=int, default=10_000, help="consumer groups in the file")
    parser.add_argument("--rounds", type=int, default=5, help="rounds; the fastest counts")
    parser.add_argument("--quick", action="store_true", help="200 groups, one round")
    options = parser.parse_args()
    groups, rounds = (200, 1) if options.quick else (options.groups, options.rounds)
    for shape, text in (("many logstores", _wide(groups)), ("one logstore", _long(groups))):
        # In turn, so that a busy machine slows both.
        pairs = [(_seconds(_ours, text), _seconds(_bare, text)) for _ in range(rounds)]
        ours, bare = (min(column) for column in zip(*pairs, strict=True))
        assert sum(len(s.consumer_groups) for s in _ours(text).projects[0].logstores) == groups
        print(
            f"{shape}: {groups} groups, load {ours:.3f} s,"
            f" bare YAML {bare:.3f} s, ratio {ours / bare:.1f}"
        )


def _wide(groups: int) -> str:
    item = "      - logstore: store-{0}\n        consumer_groups: [group-{0}]\n"
    return _HEAD + "".join(item.format(number) for number in range(groups))


def _long(groups: int) -> str:
    head = f"{_HEAD}      - logstore: store\n        consumer_groups:\n"
    return head + "".join(f"          - group-{number}\n" for number in range(groups))


def _ours(text: str) -> Config:
    return parse(text, name="config.yaml", environ={}, base_dir=Path())


def _bare(text: str) -> object:
    return yaml.load(text, Loader=yaml.CSafeLoader)


def _seconds(load: Callable[[str], object], text: str) -> float:
    start = time.perf_counter()
    load(text)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
