"""The world and the exporter of a race, and the history of their changes."""

import re
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

import requests

from exporter.simulator.server import DEFAULT_CREDENTIALS
from exporter.simulator.world import World
from tests.support.faulty_simulator import FaultySimulator
from tests.support.running import Running

JOINED_SECONDS = 1.5
"""Maximum number of seconds by which a shared compressed response is older than its request."""
UP = "sls_consumer_group_up"
OPENMETRICS = "application/openmetrics-text; version=1.0.0"

T = TypeVar("T")
Key = tuple[str, str, str]
"""Project, logstore and consumer group."""

STABLE: tuple[Key, ...] = tuple(
    (project, f"log-{number}", group)
    for project in ("a", "b", "c")
    for number in range(8)
    for group in ("main", "side")
)
# Groups that appear and disappear, in a permanent logstore or together with their logstore. Some
# change faster than the exporter can follow, but it must report them correctly afterwards.
FAST: tuple[tuple[Key, ...], ...] = (
    (("b", "log-9", "fast-0"),),
    (("b", "log-9", "fast-1"),),
    (("a", "churn-0", "main"), ("a", "churn-0", "side")),
)
SLOW: tuple[tuple[Key, ...], ...] = (
    (("a", "log-8", "slow"),),
    (("b", "log-8", "slow"),),
    (("a", "churn-1", "main"),),
    (("b", "churn-2", "main"),),
)
# A group that disappears and one that appears, once each, at the beginning.
GOES: Key = ("a", "churn-3", "main")
COMES: Key = ("b", "churn-4", "main")
FLEETING = frozenset(key for things in FAST for key in things)


class Change(NamedTuple, Generic[T]):
    """A value that something changed to, between two instants of the monotonic clock."""

    began: float
    ended: float
    value: T


def settled(changes: Sequence[Change[T]], holds: Callable[[T], bool], until: float) -> float | None:
    """Return when a value that surely still holds at ``until`` began to, or None if unsure."""
    since: float | None = None
    for change in changes:
        if change.began > until:
            break
        if not holds(change.value):
            since = None
        elif since is None:
            since = change.ended
    return since if since is not None and since <= until else None


@dataclass(frozen=True, slots=True)
class Frozen:
    """Shard 0 of a group, which no consumer moves: its unread log groups and its update time."""

    unread: int
    updated: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A configuration, as this test knows it and as the file says it."""

    name: str
    projects: tuple[str, ...] = ("a", "b", "c")
    logstores: str = ".*"
    exclude: str = "none"
    per_shard: bool = True
    consumer_label: bool = True
    workers: int = 6

    @property
    def targets(self) -> tuple[object, ...]:
        """Settings whose change discards the results of polls that are in progress."""
        return self.projects, self.logstores, self.exclude, self.workers

    def wants(self, key: Key) -> bool:
        return (
            key[0] in self.projects
            and re.fullmatch(self.logstores, key[1]) is not None
            and re.fullmatch(self.exclude, key[2]) is None
        )

    def text(self, endpoint: str) -> str:
        keys = DEFAULT_CREDENTIALS
        text = (
            f"credentials: {{access_key_id: {keys.access_key_id},"
            f" access_key_secret: {keys.access_key_secret}}}\n"
            "polling: {interval: 1s, timeout: 20s, stale_after: 5m, requests_per_second: 10000,"
            f" workers: {self.workers}}}\n"
            # Stalls are exact beyond this time, and need not be before.
            "stall_after: 2s\n"
            "discovery: {interval: 1s}\n"
            f"metrics: {{granularity: {'shard' if self.per_shard else 'group'},"
            f" consumer_label: {str(self.consumer_label).lower()}}}\nprojects:\n"
        )
        for project in self.projects:
            text += (
                f"  - project: {project}\n    endpoint: {endpoint}\n    logstores:\n"
                f'      - logstore: "{self.logstores}"\n        consumer_groups: [".*"]\n'
                f"        exclude_consumer_groups: [{self.exclude}]\n"
            )
        return text


FULL = Variant(name="full")
OF_SHAPE = (
    FULL,
    Variant(name="coarse", per_shard=False),
    Variant(name="bare", consumer_label=False),
)
NARROW = Variant(name="narrow", projects=("a", "b"), logstores="log-.*", exclude="side")
OF_TARGETS = (
    NARROW,
    Variant(name="lean", exclude="side|slow"),
    Variant(name="wide", workers=7),
)


class Answer(NamedTuple):
    """A response, and the instants of the monotonic clock before and after its request."""

    began: float
    ended: float
    openmetrics: bool
    gzip: bool
    body: bytes

    @property
    def since(self) -> float:
        """The earliest time at which the response can have been written."""
        return self.began - (JOINED_SECONDS if self.gzip else 0.0)


@dataclass
class Race:
    """The concurrent activities and their history."""

    world: World
    simulator: FaultySimulator
    exporter: Running
    over: threading.Event = field(default_factory=threading.Event)
    groups: dict[Key, list[Change[Frozen | None]]] = field(default_factory=dict)
    variants: list[Change[Variant]] = field(default_factory=list)
    outcomes: list[Change[bool]] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    pages: list[bytes] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)

    def goes_on(self, pause: float) -> bool:
        """Wait briefly so that other threads run. Return whether to continue."""
        return not self.over.wait(pause)

    # The world

    def create(self, key: Key, unread: int) -> Frozen:
        """Create a group whose first shard is stalled and whose second one may move."""
        self.world.create_group(*key)
        for shard in (0, 1):
            cursor = self.world.end_cursor(*key[:2], shard) - (0 if shard else unread)
            self.world.update_checkpoint(*key, shard, cursor, consumer="dead")
        updated = self.world.truth(*key, 0).updated_at
        assert updated is not None
        return Frozen(unread, updated)

    def create_logstore(self, project: str, logstore: str) -> None:
        self.world.create_logstore(project, logstore, shards=2)
        self.world.write(project, logstore, 0, 10)
        self.world.set_producer(project, logstore, 1, 0.3)

    def toggle(self, keys: Sequence[Key], unread: int) -> None:
        """Create or delete groups, together with their logstore if that is not one that stays."""
        began = time.monotonic()
        comes = self.groups[keys[0]][-1].value is None
        place = keys[0][:2]
        stays = place[1].startswith("log-")
        made: dict[Key, Frozen | None] = dict.fromkeys(keys)
        if comes:
            if not stays:
                self.create_logstore(*place)
            made = {key: self.create(key, unread) for key in keys}
        elif stays:
            self.world.delete_group(*keys[0])
        else:
            self.world.delete_logstore(*place)
        ended = time.monotonic()
        for key in keys:
            self.groups[key].append(Change(began, ended, made[key]))

    # The configuration

    def take_over(self, variant: Variant, *, twice: bool = False) -> None:
        """Reload a configuration. ``twice`` also sends a signal to reload it."""
        began = time.monotonic()
        self.write(variant.text(self.simulator.endpoint))
        if twice:
            self.exporter.daemon.request_reload()
        answer = self.exporter.post("/-/reload")
        assert (answer.status_code, answer.text) == (200, "reloaded\n")
        self.variants.append(Change(began, time.monotonic(), variant))
        self.outcomes.append(Change(began, time.monotonic(), True))  # noqa: FBT003  its value

    def refuse(self) -> None:
        """Reload an invalid configuration."""
        began = time.monotonic()
        self.write("projects: [{project: a}]\n")
        assert self.exporter.post("/-/reload").status_code == 500
        self.outcomes.append(Change(began, time.monotonic(), False))  # noqa: FBT003  its value

    def write(self, text: str) -> None:
        new = self.exporter.config.with_suffix(".new")
        new.write_text(text)
        new.replace(self.exporter.config)

    # Responses

    def scrape(self, session: requests.Session, *, openmetrics: bool, gzip: bool) -> None:
        headers = {
            "Accept": OPENMETRICS if openmetrics else "text/plain; version=0.0.4",
            "Accept-Encoding": "gzip" if gzip else "identity",
        }
        began = time.monotonic()
        url = self.exporter.url + "/metrics"
        with session.get(url, headers=headers, timeout=30, stream=True) as answer:
            body = answer.raw.read(decode_content=False)
        ended = time.monotonic()
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith("application/openmetrics") is openmetrics
        assert answer.headers.get("Content-Encoding") == ("gzip" if gzip else None)
        if not gzip:
            body = zlib.compress(body, 1)
        self.answers.append(Answer(began, ended, openmetrics, gzip, body))
