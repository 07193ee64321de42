"""Findings about the path to the service, from a probe of it."""

from collections.abc import Iterator

from exporter.base.durations import format_duration
from exporter.commands.doctor.findings import Finding
from exporter.http.probe import Probe, ProbeStep

_DAY_SECONDS = 86_400.0
_SHORT_SECONDS = 14 * _DAY_SECONDS
_SECURED = "Check that a firewall or proxy does not replace the certificate; set http.ca_file."
_REMEDIES = {
    "route": "Correct the endpoint, or the variables of the proxy.",
    "dns": (
        "Check the endpoint, the project's name and the resolver: a project's host has its name"
        " in front."
    ),
    "connect": "Check the firewall and the routes.",
    "proxy_tls": "Check the certificate of the proxy, or set http.ca_file.",
    "tunnel": "Allow the exporter to open tunnels to port 443 of the endpoint in the proxy.",
    "tls": _SECURED,
}
_PROXY_REMEDIES = {
    "dns": "Check the name of the proxy in its variable, and the resolver.",
    "connect": "Check the address of the proxy in its variable, the firewall and the routes.",
}
STEPS: tuple[ProbeStep, ...] = ("route", "dns", "connect", "proxy_tls", "tunnel", "tls")


def network_findings(probe: Probe, *, now: float, is_confidential: bool) -> Iterator[Finding]:
    """Yield the findings of the steps of a probe up to the one that failed.

    ``now`` is in Unix seconds. ``is_confidential`` is false if keys must not be sent there without
    TLS.
    """
    done = STEPS.index(probe.failed) if probe.failed else len(STEPS)
    if done > STEPS.index("route"):
        yield _route(probe)
    if done > STEPS.index("dns"):
        count = len(probe.addresses)
        yield Finding(
            step="dns",
            result="ok",
            seen=f"the name has {count} address{'es' if count > 1 else ''}",
            detail=", ".join(probe.addresses),
            is_private=True,
        )
    if done > STEPS.index("connect"):
        yield Finding(step="connect", result="ok", seen="a connection is possible")
    if probe.failed is None:
        yield _tls(probe, now=now, is_confidential=is_confidential)
    else:
        yield Finding(
            step=probe.failed,
            result="failed",
            seen=_FAILURES[probe.failed],
            detail=probe.reason,
            remedy=_remedy(probe, probe.failed),
        )


def _remedy(probe: Probe, step: ProbeStep) -> str:
    # With a proxy, only the proxy's name is resolved and only the proxy is connected to.
    return (_PROXY_REMEDIES if probe.proxy else {}).get(step) or _REMEDIES[step]


_FAILURES = {
    "route": "no route is possible",
    "dns": "the name does not resolve",
    "connect": "no connection is possible",
    "proxy_tls": "no TLS with the proxy is possible",
    "tunnel": "the proxy opens no tunnel",
    "tls": "no TLS is possible",
}


def _route(probe: Probe) -> Finding:
    if probe.proxy is None:
        return Finding(step="route", result="ok", seen="direct, without a proxy")
    kind = "forwards requests" if probe.server and not probe.server.has_tls else "opens a tunnel"
    return Finding(
        step="route",
        result="ok",
        seen=f"through a proxy of the environment, which {kind}",
        detail=str(probe.proxy),
        is_private=True,
    )


def _tls(probe: Probe, *, now: float, is_confidential: bool) -> Finding:
    if probe.tls_version is None:
        if is_confidential:
            return Finding(step="tls", result="ok", seen="no TLS, on this machine only")
        return Finding(
            step="tls",
            result="warning",
            seen="no TLS: others on the network can read checkpoints and names",
            remedy="Remove http:// from the endpoint.",
        )
    if probe.certificate_expires_at is None:
        return Finding(step="tls", result="ok", seen=probe.tls_version)
    left = probe.certificate_expires_at - now
    seen = f"{probe.tls_version}, the certificate expires in {_days(left)}"
    if left < _SHORT_SECONDS:
        return Finding(
            step="tls",
            result="warning",
            seen=seen,
            remedy="Ask the owner to renew the certificate.",
        )
    return Finding(step="tls", result="ok", seen=seen)


def _days(seconds: float) -> str:
    if seconds >= _DAY_SECONDS:
        return f"{seconds // _DAY_SECONDS:.0f}d"
    return format_duration(float(int(max(0.0, seconds))))
