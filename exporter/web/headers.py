"""Security headers of the responses."""

import base64
import hashlib
import re
from typing import Final

PLAIN_HEADERS: Final = {"X-Content-Type-Options": "nosniff"}
_INLINE = {
    name: re.compile(rf"<{name}(?:\s[^>]*)?>(.*?)</{name}>".encode(), re.DOTALL | re.IGNORECASE)
    for name in ("style", "script")
}


def html_headers(page: bytes) -> dict[str, str]:
    """Return the headers of an HTML page with at most one inline style and one inline script.

    The policy allows only the first style and the first script, by their hashes. The page has them
    in its head, before any untrusted input. The browser therefore does not run a script that such
    input injects.
    """
    policy = [
        "default-src 'none'",
        *(f"{name}-src '{digest}'" for name in _INLINE if (digest := _first_hash(name, page))),
        "connect-src 'self'",
        "img-src 'self' data:",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ]
    return PLAIN_HEADERS | {
        "Content-Security-Policy": "; ".join(policy),
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Frame-Options": "DENY",
    }


def _first_hash(name: str, page: bytes) -> str | None:
    found = _INLINE[name].search(page)
    if found is None:
        return None
    return f"sha256-{base64.b64encode(hashlib.sha256(found[1]).digest()).decode()}"
