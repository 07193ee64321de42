"""The exit status, and the findings about rare states of keys, clocks and certificates."""

from collections.abc import Sequence

import pytest

from exporter.commands.doctor.access import Keys, clock_finding, keys_finding, rate_finding
from exporter.commands.doctor.findings import Examined, Finding, Item, Result, exit_status
from exporter.commands.doctor.network import network_findings
from exporter.http.probe import Probe, ProbeStep
from exporter.http.routes import Host

NOW = 1_800_000_000.0
DAY = 86_400.0


def found(*results: Result) -> Sequence[Examined]:
    findings = tuple(Finding(step="step", result=each, seen="") for each in results)
    return [Examined(item=Item(endpoint="e", project="p"), findings=findings)]


@pytest.mark.parametrize(
    ("results", "status"),
    [
        (("ok", "held", "warning", "skipped", "not seen"), 0),
        (("ok", "not held"), 3),
        (("not held", "failed"), 1),
        (("failed",), 1),
    ],
)
def test_exit_status_is_that_of_the_worst_result(results: tuple[Result, ...], status: int) -> None:
    assert exit_status(found(*results)) == status


def test_exit_status_without_items_is_that_of_a_failure() -> None:
    assert exit_status([]) == 1


@pytest.mark.parametrize(
    ("left", "result", "seen"),
    [
        (100 * DAY, "ok", "TLSv1.3, the certificate expires in 100d"),
        (14 * DAY, "ok", "TLSv1.3, the certificate expires in 14d"),
        (14 * DAY - 1, "warning", "TLSv1.3, the certificate expires in 13d"),
        (3661, "warning", "TLSv1.3, the certificate expires in 1h1m1s"),
        (-5, "warning", "TLSv1.3, the certificate expires in 0s"),
    ],
)
def test_a_certificate_that_expires_soon_is_a_warning(
    left: float, result: Result, seen: str
) -> None:
    server = Host(name="e", port=443, has_tls=True)
    probe = Probe(
        server=server,
        addresses=("10.0.0.1", "10.0.0.2"),
        tls_version="TLSv1.3",
        certificate_expires_at=NOW + left,
    )
    steps = {each.step: each for each in network_findings(probe, now=NOW, is_confidential=True)}
    assert (steps["tls"].result, steps["tls"].seen) == (result, seen)
    assert steps["dns"].seen == "the name has 2 addresses"


def test_no_tls_on_the_network_is_a_warning() -> None:
    probe = Probe(server=Host(name="e", port=80, has_tls=False), addresses=("10.0.0.1",))
    tls = [*network_findings(probe, now=NOW, is_confidential=False)][-1]
    assert (tls.step, tls.result) == ("tls", "warning")


@pytest.mark.parametrize(("left", "result"), [(300.0, "ok"), (299.0, "warning"), (-1.0, "warning")])
def test_keys_that_expire_soon_are_a_warning(left: float, result: Result) -> None:
    keys = Keys(description="from a role", is_temporary=True, expires_at=NOW + left)
    assert keys_finding(keys, now=NOW).result == result


def test_assumed_roles_are_a_private_detail() -> None:
    finding = keys_finding(Keys(description="from a file", roles=("acs:a", "acs:b")), now=NOW)
    assert finding.detail == "from a file, assuming acs:a, assuming acs:b"
    assert finding.is_private


@pytest.mark.parametrize(
    ("skew", "codes", "result"),
    [
        (30.0, set(), "ok"),
        (-31.0, set(), "warning"),
        (None, set(), "skipped"),
        (None, {"RequestTimeExpired"}, "failed"),
        (2.0, {"RequestTimeTooSkewed", "InvalidCursor"}, "failed"),
    ],
)
def test_clock_is_evaluated_by_its_difference_and_by_refusals(
    skew: float | None, codes: set[str], result: Result
) -> None:
    finding = clock_finding(skew, codes)
    assert finding.result == result
    assert bool(finding.remedy) == (result in {"warning", "failed"})


def test_rate_without_a_duration_is_shown() -> None:
    finding = rate_finding(sent=3, limit=10.0, ceiling=100.0, is_lowered=False, latency=None)
    assert finding.seen == (
        "no request was refused for a quota: 3 requests; the limit is 10 per second,"
        " and at most 100"
    )


@pytest.mark.parametrize("step", ["dns", "connect"])
def test_remedy_of_failed_connection_names_what_is_connected_to(step: ProbeStep) -> None:
    host = Host(name="proxy.example.org", port=3128, has_tls=False)
    direct, proxied = (
        next(
            each.remedy
            for each in network_findings(
                Probe(failed=step, reason="x", proxy=proxy), now=NOW, is_confidential=True
            )
            if each.result == "failed"
        )
        for proxy in (None, host)
    )
    assert ("proxy" in direct, "proxy" in proxied) == (False, True)
    assert "endpoint" not in proxied
