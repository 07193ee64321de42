import contextlib
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from exporter.model.names import TargetKey
from exporter.model.snapshot import View
from tests.support.chromium import PHONE, chromium, tab
from tests.support.snapshots import ENDPOINT, group, target
from tests.support.status_views import (
    HOSTILE,
    Served,
    behind,
    caught_up,
    failing,
    many,
    serving_status,
    varied,
)

LONG = "a-name-without-any-place-to-break-it-" * 5

# The contrast of every text with its background, by the formula of WCAG 2.1.
CONTRASTS = """() => {
  const parse = (color) => color.match(/[\\d.]+/g).map(Number);
  const luminance = (color) => {
    const [r, g, b] = parse(color).slice(0, 3).map((part) => {
      const share = part / 255;
      return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let node = element; node; node = node.parentElement) {
      const color = getComputedStyle(node).backgroundColor;
      if ((parse(color)[3] ?? 1) > 0) return color;
    }
    return "rgb(255, 255, 255)";
  };
  const poor = [];
  let seen = 0;
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || !element.checkVisibility()) continue;
    seen += 1;
    const pair = [luminance(getComputedStyle(element).color), luminance(behind(element))];
    const contrast = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    if (contrast < 4.5) poor.push(`${element.textContent}: ${contrast.toFixed(2)}`);
  }
  return [seen, poor];
}"""


@pytest.fixture(name="browser", scope="module")
def _browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@contextlib.contextmanager
def opened(
    browser: Browser,
    view: View,
    query: str = "",
    *,
    size: tuple[int, int] = (1440, 900),
    dark: bool = False,
    javascript: bool = True,
) -> Iterator[tuple[Page, Served]]:
    """Open the page in a tab that must not report problems."""
    with (
        serving_status(view) as served,
        tab(browser, size=size, dark=dark, javascript=javascript) as shown,
    ):
        shown.page.goto(served.url + query)
        yield shown.page, served
        assert shown.complaints == []


def names(page: Page) -> list[str]:
    return page.locator("#groups th[scope=row].consumer_group").all_text_contents()


def expect_names(page: Page, *wanted: str) -> None:
    expect(page.locator("#groups th[scope=row].consumer_group")).to_have_text(list(wanted))


def test_typing_filters_and_keeps_what_is_typed(browser: Browser) -> None:
    with opened(browser, varied()) as (page, _):
        search = page.get_by_label("Search")
        search.press_sequentially("mail")
        expect_names(page, "mailer")
        expect(search).to_be_focused()
        expect(search).to_have_value("mail")
        assert "q=mail" in page.url
        search.press_sequentially("bag")
        expect(page.get_by_text("No group matches the filter.")).to_be_visible()


def test_choosing_a_state_filters_immediately(browser: Browser) -> None:
    with opened(browser, varied()) as (page, _):
        page.get_by_label("State", exact=True).select_option("failing")
        expect_names(page, "denied", "slow-path")


def test_dropping_a_filter_keeps_what_was_typed(browser: Browser) -> None:
    with opened(browser, varied(), "?project=platform") as (page, _):
        page.get_by_label("Search").fill("mailer-")
        expect(page.get_by_role("link", name="Drop the filter by project")).to_have_attribute(
            "href", "?q=mailer-"
        )
        page.get_by_role("link", name="Drop the filter by project").click()
        expect_names(page, "mailer")
        expect(page.get_by_label("Search")).to_have_value("mailer-")


def test_a_heading_sorts_and_the_way_back_leads_back(browser: Browser) -> None:
    with opened(browser, varied(), "?project=shop") as (page, _):
        lag = page.get_by_role("columnheader", name="Lag")
        lag.get_by_role("link").click()
        expect(lag).to_have_attribute("aria-sort", "descending")
        expect_names(page, "mailer", "indexer", "steady", "never", "unjudged")
        expect(page.locator("#sort-lag")).to_be_focused()
        page.keyboard.press("Enter")
        expect(lag).to_have_attribute("aria-sort", "ascending")
        expect_names(page, "steady", "indexer", "mailer", "never", "unjudged")
        expect(page.locator("#sort")).to_have_value("lag")
        page.go_back()
        page.go_back()
        expect_names(page, "mailer", "unjudged", "never", "indexer", "steady")
        expect(page.locator("#sort")).to_have_value("-state")


def test_shards_unfold_by_keyboard_and_stay_unfolded(browser: Browser) -> None:
    with opened(browser, varied()) as (page, _):
        shard = page.get_by_role("cell", name="mailer-2")
        expect(shard).to_be_hidden()
        page.get_by_text("3 shards").focus()
        page.keyboard.press("Enter")
        expect(shard).to_be_visible()
        page.get_by_label("Search").press_sequentially("orders")
        expect_names(page, "mailer", "indexer", "steady")
        expect(shard).to_be_visible()


def test_the_pages_of_many_groups_can_be_turned(browser: Browser) -> None:
    with opened(browser, many(250), "?sort=consumer_group") as (page, _):
        page.get_by_role("link", name="Next").click()
        expect(page.get_by_text("Page 2 of 3")).to_be_visible()
        page.get_by_role("link", name="Next").click()
        expect(page.get_by_text("Page 3 of 3")).to_be_visible()
        assert len(names(page)) == 50
        page.get_by_label("Search").press_sequentially("store-0003")
        expect(page.get_by_text("10 groups shown")).to_be_visible()


def test_a_refresh_shows_what_is_new_and_loses_nothing(browser: Browser) -> None:
    with serving_status(varied()) as served, tab(browser) as shown:
        page = shown.page
        page.clock.install()
        page.goto(served.url)
        expect(page.get_by_label("Refresh every 10 s")).not_to_be_checked()
        page.get_by_label("Refresh every 10 s").check()
        page.get_by_text("3 shards").click()
        served.view = View(
            targets=(target(group(behind(1, stalled=3000, consumer="successor"), name="mailer")),)
        )
        page.clock.fast_forward(10_000)
        expect_names(page, "mailer")
        expect(page.get_by_role("cell", name="successor", exact=True)).to_be_visible()
        expect(page.locator("summary", has_text="1 shard")).to_be_focused()
        expect(page.get_by_label("Refresh every 10 s")).to_be_checked()
        assert shown.complaints == []


def test_page_does_not_refresh_by_default(browser: Browser) -> None:
    with serving_status(varied()) as served, tab(browser) as shown:
        asked: list[str] = []
        shown.page.on("request", lambda request: asked.append(request.url))
        shown.page.clock.install()
        shown.page.goto(served.url)
        shown.page.clock.fast_forward(60_000)
        shown.page.get_by_label("State", exact=True).select_option("stalled")
        expect_names(shown.page, "mailer")
    assert [url.removeprefix(served.url) for url in asked] == ["", "?state=stalled&sort=-state"]


def test_failed_refresh_is_shown(browser: Browser) -> None:
    with tab(browser) as shown:
        with serving_status(varied()) as served:
            shown.page.goto(served.url)
        shown.page.get_by_label("Search").fill("mailer")
        expect(shown.page.get_by_role("status")).to_contain_text("Not refreshed")
        assert len(names(shown.page)) == 8


def test_a_hostile_name_is_shown_as_text(browser: Browser) -> None:
    key = TargetKey(ENDPOINT, HOSTILE, HOSTILE)
    hostile = failing(HOSTILE, HOSTILE, caught_up(0, consumer=HOSTILE), name=HOSTILE, key=key)
    view = View(targets=(target(hostile, key=key),))
    with opened(browser, view, "?q=%3Cimg") as (page, _):
        expect(page.get_by_role("cell", name=HOSTILE, exact=True)).to_have_count(3)
        expect(page.get_by_role("rowheader", name=HOSTILE, exact=True)).to_be_visible()
        expect(page.get_by_text(HOSTILE, exact=True).last).to_be_visible()
        page.get_by_label("Search").fill(HOSTILE[:40])
        expect(page.get_by_text("1 group shown")).to_be_visible()
        assert page.title() == "sls-exporter"
        assert page.locator("img").count() == 0
        assert page.locator("script").count() == 1


def test_a_script_that_slipped_in_would_be_refused_and_noticed(browser: Browser) -> None:
    with serving_status(varied()) as served, tab(browser) as shown:
        shown.page.goto(served.url)
        shown.page.evaluate(
            """() => {
              const script = document.createElement("script");
              script.textContent = "document.title = 'owned'";
              document.body.append(script);
            }"""
        )
        assert shown.page.title() == "1 stalled - sls-exporter"
        assert "Content Security Policy" in " ".join(shown.complaints)


def test_without_scripts_everything_works_by_form_and_links(browser: Browser) -> None:
    with opened(browser, many(250), javascript=False) as (page, _):
        expect(page.get_by_text("Refresh every")).to_be_hidden()
        page.get_by_role("link", name="Next").click()
        expect(page.get_by_text("Page 2 of 3")).to_be_visible()
        page.get_by_label("Search").fill("store-0003")
        page.get_by_label("State", exact=True).select_option("stalled")
        page.get_by_role("button", name="Apply").click()
        expect_names(page, "group-0", "group-3", "group-6", "group-9")
        page.get_by_role("columnheader", name="Consumer group").get_by_role("link").click()
        page.get_by_role("columnheader", name="Consumer group").get_by_role("link").click()
        expect_names(page, "group-9", "group-6", "group-3", "group-0")
        page.locator("#groups summary").first.click()
        expect(page.get_by_role("cell", name="1,200").first).to_be_visible()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_text_stands_out_from_what_is_behind_it(browser: Browser, *, dark: bool) -> None:
    with opened(browser, varied(), "?page=x", dark=dark) as (page, _):
        page.get_by_text("3 shards").click()
        page.get_by_text("Terms").click()
        seen, poor = page.evaluate(CONTRASTS)
        assert seen > 150
        assert poor == []


# 320 is the width at which WCAG 2.1 requires that content reflows.
@pytest.mark.parametrize("width", [PHONE[0], 320])
def test_a_narrow_screen_shows_cards_without_scrolling_sideways(
    browser: Browser, width: int
) -> None:
    key = TargetKey(ENDPOINT, LONG, LONG)
    long = failing(LONG, LONG, behind(0, stalled=90_000, consumer=LONG), name=LONG, key=key)
    view = View(targets=(target(long, key=key), *varied().targets))
    with opened(browser, view, f"?q={LONG}&project={LONG}", size=(width, PHONE[1])) as (page, _):
        expect(page.get_by_role("rowheader", name=LONG)).to_be_visible()
        expect(page.get_by_role("columnheader", name="Unread")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") == width
        page.goto(page.url.partition("?")[0])
        page.get_by_label("Sort").select_option("-lag")
        expect(page.get_by_role("rowheader").first).to_have_text(LONG)
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_a_missing_browser_is_a_failure_that_names_its_package(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(AssertionError, match="apt-get install -y chromium"), chromium():
        pass
