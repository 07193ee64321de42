"""Views for the status page, and the page as a browser without scripts reads it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from msgspec.structs import replace

from exporter.model.names import TargetKey
from exporter.model.progress import Cause, Outlook, ShardProgress
from exporter.model.snapshot import Failure, GroupStatus, TargetStatus, View
from exporter.sls.remedies import remedy
from exporter.status import page, rows
from tests.support.snapshots import ENDPOINT, KEY, group, shard, target
from tests.support.web_server import content, serving

NOW = 1010.0
MONOTONIC = 60.0
HOSTILE = """<img src=x onerror="document.title='owned'"></style><script>alert(1)</script>&amp;'"""


def caught_up(number: int = 0, **changes: Any) -> ShardProgress:  # noqa: ANN401  any field
    """Build a shard whose checkpoint was saved 110 seconds ago, with nothing unread."""
    return shard(number, **changes)


def behind(number: int = 0, *, stalled: float, **changes: Any) -> ShardProgress:  # noqa: ANN401  any field
    """Build a shard with unread data that has been stalled for some seconds."""
    since = NOW - stalled
    fields = {
        "updated_at": since,
        "moved_at": since,
        "unread": 1200,
        "lag_seconds": stalled / 2,
        "oldest_unread_at": since,
    }
    return shard(number, **{**fields, **changes})


def failing(
    code: str, message: str, *shards: ShardProgress, name: str, key: TargetKey = KEY
) -> GroupStatus:
    """Build a group whose polls have failed for 70 seconds; its shards are from an older poll."""
    return group(
        *shards,
        name=name,
        key=key,
        failure=Failure(code=code, message=message, since=NOW - 70, remedy=remedy(code)),
        has_snapshot=bool(shards),
    )


def with_outlook(status: GroupStatus, outlook: Outlook) -> GroupStatus:
    """Return a group with a prediction."""
    assert status.snapshot is not None
    return replace(status, snapshot=replace(status.snapshot, outlook=outlook))


def varied() -> View:
    """Build one group of each kind, in three logstores."""
    clicks, audit = TargetKey(ENDPOINT, "shop", "clicks"), TargetKey(ENDPOINT, "platform", "audit")
    denied = "GetCheckPoint: 401 Unauthorized: denied by sts or ram (request id 5F2A)"
    return View(
        targets=(
            target(
                group(
                    behind(0, stalled=90_000, expired=True, consumer="auditor-0"),
                    key=audit,
                    name="lost",
                ),
                failing("Unauthorized", denied, name="denied", key=audit),
                failing(
                    "timeout",
                    "GetCheckPoint: timeout: no response within 10 s",
                    caught_up(0, consumer="siem-0"),
                    name="slow-path",
                    key=audit,
                ),
                key=audit,
            ),
            target(
                group(
                    caught_up(0, unread=None, lag_seconds=None, evaluated_at=None),
                    key=clicks,
                    name="unjudged",
                ),
                group(
                    shard(0, checkpoint="", consumer="", updated_at=None, lag_seconds=None),
                    key=clicks,
                    name="never",
                ),
                key=clicks,
                cursor_access=False,
            ),
            target(
                group(
                    caught_up(0, consumer="mailer-0"),
                    behind(1, stalled=2400, consumer="mailer-1"),
                    caught_up(2, consumer="mailer-2", readonly=True),
                    name="mailer",
                    causes={1: Cause.OWNER_STUCK},
                ),
                group(behind(0, stalled=20, consumer="indexer-0"), name="indexer"),
                group(caught_up(0, consumer=HOSTILE), name="steady"),
            ),
        ),
        pending=frozenset({TargetKey(ENDPOINT, "shop", "nightly")}),
    )


def many(groups: int, *, shards: int = 4) -> View:
    """Build many groups, ten per logstore, every third of them stalled."""
    return View(targets=tuple(_logstore(number, shards) for number in range(groups // 10)))


def document_of(view: View) -> rows.StatusRows:
    """Describe a view ten seconds after its polls."""
    return rows.document(view, monotonic=MONOTONIC, wall=NOW)


def page_of(view: View, query: Mapping[str, str] | None = None) -> str:
    """Return the page of a view."""
    return page.page(document_of(view), query or {}, telemetry_path="/metrics").decode()


@dataclass(kw_only=True)
class Served:
    """A served status page of a view that a test may change."""

    view: View
    url: str = ""


@contextmanager
def serving_status(view: View) -> Iterator[Served]:
    """Serve the page and the JSON of a view by the real web server."""
    served = Served(view=view)

    with serving(content(groups=lambda: document_of(served.view))) as port:
        served.url = f"http://127.0.0.1:{port}/"
        yield served


@dataclass(kw_only=True)
class Element:
    """An element with its contents."""

    name: str
    attributes: Mapping[str, str | None] = field(default_factory=dict)
    children: list["Element | str"] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The text in the element."""
        return self._written().strip()

    def _written(self) -> str:
        return "".join(
            child if isinstance(child, str) else child._written()  # noqa: SLF001  the same class
            for child in self.children
        )

    def all(self, name: str, /, **attributes: str) -> list["Element"]:
        """Find elements within by name and attributes, ``_`` for ``-`` and at the end for none."""
        wanted = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items()}
        found = []
        for child in self.children:
            if isinstance(child, str):
                continue
            if child.name == name and wanted.items() <= child.attributes.items():
                found.append(child)
            found += child.all(name, **attributes)
        return found

    def one(self, name: str, /, **attributes: str) -> "Element":
        """Find the only such element."""
        found = self.all(name, **attributes)
        assert len(found) == 1, f"{len(found)} elements {name} {attributes}"
        return found[0]


def read(html: str) -> Element:
    """Read a page into its elements; every one of them must be closed in order."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    assert [element.name for element in reader.open] == ["#document"]
    return reader.open[0]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open = [Element(name="#document")]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(name=tag, attributes=dict(attrs))
        self.open[-1].children.append(element)
        if tag not in {"meta", "link", "input"}:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().name == tag

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def _logstore(number: int, shards: int) -> TargetStatus:
    key = TargetKey(ENDPOINT, "shop", f"store-{number:04}")
    return target(
        *(
            group(
                *(
                    behind(index, stalled=400.0 + number) if place % 3 == 0 else caught_up(index)
                    for index in range(shards)
                ),
                name=f"group-{place}",
                key=key,
            )
            for place in range(10)
        ),
        key=key,
    )
