"""An encoder for HTTP/1.1 requests."""

from collections.abc import Mapping


def encode_request(
    method: str, target: str, headers: Mapping[str, object], body: bytes = b""
) -> bytes:
    """Return the bytes of a request.

    Raises ValueError if a text contains a character that would change the structure of the request.
    """
    lines = [f"{method} {target} HTTP/1.1", *map("%s: %s".__mod__, headers.items()), "", ""]
    text = "\r\n".join(lines)
    breaks = len(lines) - 1
    if " " in target or "\0" in text or {text.count("\r"), text.count("\n")} != {breaks}:
        raise ValueError("request contains a space, NUL or line break where it is not allowed")
    return text.encode("latin-1") + body
