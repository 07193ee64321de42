"""The exporter's engine over the local API."""

from pathlib import Path

from benchmarks.api import GROUP, KEY, PROJECT, Api, logstore
from exporter.app.assembly import Parts, assemble
from exporter.base.clock import SYSTEM_CLOCK
from exporter.config.reader import parse

_CONFIG = """
credentials: {{access_key_id: {key_id}, access_key_secret: {key_secret}}}
http: {{ca_file: {ca_file}}}
polling: {{requests_per_second: 10000}}
lag: {lag}
projects:
  - project: {project}
    endpoint: {endpoint}
    logstores:
"""
_LOGSTORE = "      - {{logstore: {name}, consumer_groups: [{group}]}}\n"


def engine(served: Api, groups: int, *, cursors: bool = False) -> Parts:
    """Return an engine that polls groups of the API for their checkpoints, and for ends."""
    text = _CONFIG.format(
        key_id=KEY.access_key_id,
        key_secret=KEY.access_key_secret,
        ca_file=served.ca_file,
        project=PROJECT,
        endpoint=served.endpoint,
        lag="true" if cursors else "false",
    )
    text += "".join(
        _LOGSTORE.format(name=logstore(number), group=GROUP) for number in range(groups)
    )
    config = parse(text, name="benchmark", environ={}, base_dir=Path())
    return assemble(config, environ={}, clock=SYSTEM_CLOCK, start_rate=10_000.0)
