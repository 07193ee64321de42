import base64
import hashlib
import json
import re
from urllib.parse import urlsplit

import pytest

from tests.support.status_views import read, serving_status, varied
from tests.support.web_server import Answer, fetch


@pytest.fixture(name="page", scope="module")
def _page() -> Answer:
    with serving_status(varied()) as served:
        return fetch(urlsplit(served.url).port or 0, "/?q=mailer&state=stalled")


@pytest.mark.parametrize("name", ["style", "script"])
def test_the_policy_allows_the_page_s_own_style_and_script(page: Answer, name: str) -> None:
    allowed = re.search(rf"{name}-src '(sha256-[^']+)'", page.headers["Content-Security-Policy"])
    text = read(page.text).one(name).text
    whole = re.search(rf"<{name}[^>]*>(.*?)</{name}>", page.text, re.DOTALL)
    assert allowed
    assert whole
    assert whole[1].strip() == text
    digest = hashlib.sha256(whole[1].encode()).digest()
    assert allowed[1] == f"sha256-{base64.b64encode(digest).decode()}"


def test_status_page_is_html_without_frames_that_no_client_keeps(page: Answer) -> None:
    assert page.status == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["X-Frame-Options"] == "DENY"


def test_the_query_chooses_the_groups_of_the_page(page: Answer) -> None:
    heading = read(page.text).one("table", id="groups").one("th", role="rowheader")
    assert heading.text == "mailer"


def test_the_query_chooses_the_groups_of_the_json() -> None:
    with serving_status(varied()) as served:
        answer = fetch(urlsplit(served.url).port or 0, "/api/v1/groups?project=shop&limit=2")
    assert answer.headers["Content-Type"] == "application/json"
    found = json.loads(answer.body)
    assert [row["consumer_group"] for row in found["groups"]] == ["mailer", "unjudged"]
    assert found["total"] == 5
