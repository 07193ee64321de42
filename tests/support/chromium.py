"""A real Chromium, Debian's, driven by playwright; the test fails if it is missing."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.support.debian import program

# The browser must not send requests for anything except the page under test.
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_TIMEOUT_MS = 10_000.0
WIDE = (1440, 900)
PHONE = (390, 844)


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Start a browser with a new, empty profile."""
    path = program("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(_FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tab:
    """A page, and its problems: console errors, exceptions, policy violations."""

    page: Page
    complaints: list[str] = field(default_factory=list)


@contextlib.contextmanager
def tab(
    browser: Browser,
    *,
    size: tuple[int, int] = WIDE,
    dark: bool = False,
    javascript: bool = True,
) -> Iterator[Tab]:
    """Open a tab in its own context."""
    context: BrowserContext = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if dark else "light",
        java_script_enabled=javascript,
    )
    context.set_default_timeout(_TIMEOUT_MS)
    opened = Tab(page=context.new_page())
    opened.page.on(
        "console",
        lambda message: (
            opened.complaints.append(message.text) if message.type in {"error", "warning"} else None
        ),
    )
    opened.page.on("pageerror", lambda error: opened.complaints.append(str(error)))
    try:
        yield opened
    finally:
        context.close()
