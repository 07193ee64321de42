"""The proxy that the environment defines for a server, and the servers without one.

The requests library does not know the forms ``*.example.com``, ``ADDRESS:PORT`` and a default port
in ``NO_PROXY``, and a name there also matches names that only end with the same letters.
"""

import ipaddress
import re
from urllib.request import getproxies_environment

_ENTRY = re.compile(r"\[(?P<v6>[^\]]*)\](?::(?P<v6_port>[0-9]+))?|(?P<name>[^:]*):(?P<port>[0-9]+)")


def environment_proxy(scheme: str, host: str, port: int) -> str | None:
    """Return the address of the proxy for a server, or None if there is none.

    It is in ``HTTPS_PROXY`` or ``HTTP_PROXY``, otherwise in ``ALL_PROXY``. Names in lower case win.
    """
    proxies = getproxies_environment()
    address = proxies.get(scheme) or proxies.get("all")
    return None if is_excluded(proxies.get("no", ""), host, port) else address


def is_excluded(no_proxy: str, host: str, port: int) -> bool:
    """Return whether a value of ``NO_PROXY`` excludes a server.

    Its entries are names, which also match their subdomains, addresses, networks, or ``*``. Each
    can have a port.
    """
    return any(_matches(each, host, port) for each in re.split(r"[\s,]+", no_proxy) if each)


def _matches(entry: str, host: str, port: int) -> bool:
    parts = _ENTRY.fullmatch(entry)
    name, wanted = entry, None
    if parts is not None:
        name = parts["v6"] or parts["name"] or ""
        wanted = parts["v6_port"] or parts["port"]
    if wanted is not None and wanted.lstrip("0") != str(port):
        return False
    if name == "*":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return _is_in_domain(host, name)
    try:
        return address in ipaddress.ip_network(name, strict=False)
    except ValueError:
        return False


def _is_in_domain(host: str, entry: str) -> bool:
    domain = entry.removeprefix("*").strip(".").lower()
    return bool(domain) and f".{host.rstrip('.').lower()}".endswith(f".{domain}")
