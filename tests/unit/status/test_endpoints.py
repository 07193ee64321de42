"""One name of a project at two endpoints, on the status page and in the JSON."""

import json

from exporter.model.names import TargetKey
from exporter.model.snapshot import View
from exporter.status.api import as_json
from tests.support.snapshots import group, shard, target
from tests.support.status_views import Element, document_of, page_of, read

HANGZHOU, SHANGHAI = "https://cn-hangzhou.log.aliyuncs.com", "https://cn-shanghai.log.aliyuncs.com"


def view_of(*keys: TargetKey) -> View:
    return View(targets=tuple(target(group(shard(), key=key), key=key) for key in keys))


def rows(html: str) -> list[Element]:
    return read(html).all("tbody", role="rowgroup")


SAME = view_of(TargetKey(HANGZHOU, "shop", "orders"), TargetKey(SHANGHAI, "shop", "orders"))
OTHER = view_of(TargetKey(HANGZHOU, "shop", "orders"), TargetKey(SHANGHAI, "blog", "posts"))


def test_endpoint_is_shown_next_to_a_project_that_exists_at_several() -> None:
    shown = [row.one("td", class_="project").text for row in rows(page_of(SAME))]
    assert shown == [f"shop {HANGZHOU}", f"shop {SHANGHAI}"]
    assert [row.one("td", class_="project").text for row in rows(page_of(OTHER))] == [
        "blog",
        "shop",
    ]


def test_ids_of_the_page_differ_between_endpoints() -> None:
    folds = [row.one("details").attributes["id"] for row in rows(page_of(SAME))]
    assert len(set(folds)) == 2


def test_endpoint_selects_groups() -> None:
    query = {"sls_endpoint": SHANGHAI, "project": "shop"}
    (found,) = json.loads(as_json(document_of(SAME), query))["groups"]
    assert (found["sls_endpoint"], found["project"]) == (SHANGHAI, "shop")
    exact = read(page_of(SAME, query)).one("input", type="hidden", name="sls_endpoint")
    assert exact.attributes["value"] == SHANGHAI


def test_search_ignores_the_endpoint_of_a_group() -> None:
    assert rows(page_of(SAME, {"q": "aliyuncs"})) == []
