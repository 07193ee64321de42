"""Targets: the configuration file, the web configuration file, flags and single values."""

import contextlib
import copy
import io
import json
import re
import tempfile
import unicodedata
from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import BaseModel

from exporter.base.durations import parse_duration, parse_go_duration
from exporter.base.text import bounded
from exporter.commands.flags import parse as parse_flags
from exporter.config import schema
from exporter.config.credentials import CredentialsConfig
from exporter.config.labels import LONGEST_LABEL
from exporter.config.patterns import Pattern
from exporter.config.problems import ConfigError
from exporter.config.reader import parse
from exporter.config.schema import Config
from exporter.config.selectors import Selectors
from exporter.model.endpoint import Endpoint
from exporter.web.headers import html_headers
from exporter.web.listen import ListenAddress
from tests.fuzz.checks import SECRET, require, require_showable
from tests.fuzz.reader import TEXTS, Reader
from tests.support.web_config import load_web_config

_LONGEST_FAULT = 2000
_LABEL = re.compile("[a-zA-Z_][a-zA-Z0-9_]*")
_ENVIRON = {"A": "a", "S": SECRET}
_VALUES: tuple[object, ...] = (
    *(each for each in TEXTS if len(each) < 1000),
    *("5m", "1h30m", "0s", "9" * 400 + "s", "1e400", "-1", "0x10", "\u0661", "1_000", "true", "v4"),
    *(".*", "(a+)+b", "(a|aa)*c", "(.*-)*x", "a{1000,65535}", "(" * 90 + ")" * 90, "[[:alpha:]]"),
    *("(?!a).*", "a{,3}", "(\\pL{30}){30}", "\ud800.*", "(?:.{1,30}){1,30}x", "[\\u00e9]"),
    *("(?P<n>a)(?P=n)*", "(?i)(?:s|\u017f)*z", "a{99999999999}", "(?<=a+)b", "[" * 300, "\\"),
    *("https://user:pw@h", "h:0", "https://[", "[::1]:80", "file:///etc/passwd", "h" * 300),
    *("/dev/zero", "/dev/stdin", "/proc/self/mem", "/", "\x00", "${S}", "$${S}", "${}", "x${"),
    *(
        [],
        {},
        [[]],
        [{}],
        ["a", "a"],
        {"": ""},
        {"team": "a"},
        {"a": "\ud800"},
        {"name": "a.*", "labels": {"b": "c"}},
        None,
    ),
)
_NAMES = ("a" * 256, "aaa-" * 64, "ab" * 128, "-" * 256, "0" * 256, "s\u017f" * 128)
_SECTIONS: Mapping[tuple[str, ...], type[BaseModel]] = {
    (): Config,
    ("polling",): schema.PollingConfig,
    ("discovery",): schema.DiscoveryConfig,
    ("metrics",): schema.MetricsConfig,
    ("http",): schema.HttpConfig,
    ("projects",): schema.ProjectConfig,
    ("projects", "polling"): schema.ProjectPollingConfig,
    ("projects", "http"): schema.HttpConfig,
    ("projects", "credentials"): CredentialsConfig,
    ("projects", "logstores"): schema.LogstoreConfig,
}
_PATHS = tuple((*at, key) for at, section in _SECTIONS.items() for key in section.model_fields)


def config(data: bytes) -> None:
    """Read any bytes as a configuration file."""
    _read(_without_secret(data))


def config_values(data: bytes) -> None:
    """Read a configuration with hostile values in the positions of regular values."""
    reader = Reader(data)
    logstore: dict[str, object] = {"logstore": "orders", "consumer_groups": ["billing"]}
    project: dict[str, object] = {
        "project": "shop",
        "endpoint": "cn-shanghai.log.aliyuncs.com",
        "logstores": [logstore],
    }
    document: dict[str, object] = {"projects": [project]}
    for _ in range(1 + reader.below(3)):
        *at, key = reader.pick(_PATHS)
        place = document
        for step in at:
            under = {"projects": project, "logstores": logstore}.get(step)
            if under is None:
                below = place.setdefault(step, {})
                under = below if isinstance(below, dict) else {}
            place = under
        place[key] = reader.text() if reader.below(3) == 1 else copy.deepcopy(reader.pick(_VALUES))
        if reader.below(4) == 1:
            place[key] = [place[key]]
    secrets = {"access_key_id": "A", "access_key_secret": SECRET}
    document["credentials"] = reader.pick(
        (secrets, {SECRET: SECRET}, {"x": SECRET}, [SECRET], SECRET)
    )
    # JSON is YAML, except for lone surrogates and U+007F.
    _read(json.dumps(document, ensure_ascii=reader.below(2) == 1).encode(errors="replace"))


def _read(text: bytes) -> None:
    try:
        found = parse(text, name="c.yaml", environ=_ENVIRON, base_dir=Path("/nowhere"))
    except ConfigError as error:
        require(error.problems, "an error without a problem")
        require((error.__cause__, error.__context__) == (None, None), "a foreign error behind it")
        for line in str(error).split("\n"):
            require(line.startswith("c.yaml:"), "a problem without its position")
            require_showable(line, _LONGEST_FAULT)
    else:
        require(SECRET not in f"{found.credentials!r}", "a secret shows")
        _use(found)


def _without_secret(data: bytes) -> bytes:
    # Messages quote keys, and an engine might find the secret and use it as a key.
    return data.replace(SECRET.encode(), b"x")


def _use(found: Config) -> None:
    """Match names by every pattern, to find errors and slow matches."""
    for owner in Selectors(found).projects:
        project, polling = owner.project, owner.settings.polling
        require(min(polling.interval, polling.timeout) > 0, "a time that is not positive")
        for selector in owner.all:
            for item in selector.logstore.consumer_groups:
                settings = selector.settings(item)
                require(min(settings.stall_after, settings.lag_limit) > 0, "an impossible limit")
                for name, value in settings.labels:
                    require(_LABEL.fullmatch(name) and value, "a label that is not valid")
                    require_showable(value, LONGEST_LABEL)
        for logstore in project.logstores:
            patterns = (
                project.project,
                logstore.logstore,
                *logstore.group_names,
                *logstore.exclude_consumer_groups,
                *(logstore.consumers or ()),
                *logstore.exclude_consumers,
                *project.exclude_logstores,
                *found.exclude_projects,
            )
            for pattern in patterns:
                for name in _NAMES:
                    pattern.matches(name)


def web_config(data: bytes) -> None:
    """Read any bytes as a web configuration file."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "web.yml")
        path.write_bytes(_without_secret(data))
        try:
            found = load_web_config(path)
        except ConfigError as error:
            for line in str(error).split("\n"):
                require(line.startswith(f"{path}:"), "a problem without its position")
                require_showable(line, 1000)
        else:
            for value in found.headers.values():
                controls = {each for each in value if unicodedata.category(each) == "Cc"}
                require(controls <= {"\t"}, f"control characters in a header: {value!r}")


_FLAGS = (
    *(
        "run",
        "check",
        "once",
        "doctor",
        "demo",
        "schema",
        "--help",
        "--version",
        "--",
        "-h",
        "@file",
    ),
    *("--config.file", "--web.listen-address", "--web.telemetry-path", "--web.max-requests"),
    *("--web.config.file", "--web.enable-lifecycle", "--config.auto-reload", "--sharding.shard"),
    *(
        "--sharding.total-shards",
        "--log.level",
        "--log.format",
        "--output",
        "--web",
        "--log.level=",
    ),
)
_FLAG_VALUES = (
    *(each for each in TEXTS if len(each) < 1000),
    *(
        "0",
        "-1",
        "9" * 30,
        "\u0663",
        "\u00b2",
        ":0",
        "[::1]:99999",
        "h:" + "9" * 5000,
        ",,,",
        "pod-3",
        "%s",
    ),
)


def flags(data: bytes) -> None:
    """Read any command line with any environment."""
    reader = Reader(data)
    environ: dict[str, str] = {}
    for _ in range(reader.below(3)):
        flag = reader.pick(_FLAGS).strip("-=").replace(".", "_").replace("-", "_").upper()
        environ[f"SLS_EXPORTER_{flag}"] = _flag_value(reader)
    argv: list[str] = []
    for _ in range(reader.below(5)):
        argv.append(reader.pick(_FLAGS))
        if reader.below(2):
            argv.append(_flag_value(reader))
    told, printed = io.StringIO(), io.StringIO()
    with contextlib.redirect_stderr(told), contextlib.redirect_stdout(printed):
        try:
            parse_flags(argv, environ)
        except SystemExit as left:
            require(left.code in {0, 2}, f"status {left.code!r}")
            require(left.code == 0 or told.getvalue(), "nothing was said")
    for line in told.getvalue().splitlines():
        require_showable(line, 2000)


def _flag_value(reader: Reader) -> str:
    return reader.text() if reader.below(3) == 1 else reader.pick(_FLAG_VALUES)


_SINGLE: tuple[Callable[[str], object], ...] = (
    Endpoint.parse,
    ListenAddress.parse,
    parse_duration,
    parse_go_duration,
    Pattern.parse,
)


def values(data: bytes) -> None:
    """Parse any text as each kind of single value, and make it safe to show."""
    reader = Reader(data)
    parse_one = reader.pick(_SINGLE)
    text = reader.text()
    shown = bounded(text)
    require_showable(shown, 256)
    require(bounded(shown) == shown, "what is showable changes")
    html_headers(text.encode(errors="replace"))
    try:
        found = parse_one(text)
    except ValueError as error:
        require(type(error) is ValueError, f"another error: {error!r}")
        require_showable(str(error), 500)
    else:
        require(isinstance(found, Pattern) or len(str(found)) <= 400, "a value that is too long")
        if isinstance(found, Pattern):
            for name in _NAMES:
                found.matches(name)
