"""A server of fixed texts, for scrapes whose content a test chooses."""

from collections.abc import Mapping
from contextlib import AbstractContextManager

from tests.support.http_server import Handler, serving


def static_text(texts: Mapping[str, bytes]) -> AbstractContextManager[int]:
    """Serve texts by their path in the text format; yield the port."""

    class Text(Handler):
        def respond(self) -> None:
            kind = "text/plain; version=0.0.4; charset=utf-8"
            self.reply(texts[self.path], headers={"Content-Type": kind})

    return serving(Text)
