"""The configured targets, as objects for the tests and as text for the configuration file."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from exporter.simulator.server import DEFAULT_CREDENTIALS

INTERVAL = 300.0
STALE_AFTER = 950.0
STALL_AFTER = 1200.0
LAG_LIMIT = 600.0  # the default
REFRESH = 600.0
REQUESTS_PER_SECOND = 10_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Logstores of a project, the selected groups and shards, and the owners shown in any state.

    A name that is not made of letters, digits and ``-`` alone is a pattern.
    """

    project: str
    logstore: str
    groups: tuple[str, ...] = (".*",)
    exclude: tuple[str, ...] = ()
    shards: frozenset[int] | None = None
    owners: tuple[str, ...] = ()
    lag: bool = True

    def wants(self, shard: int) -> bool:
        """Return whether the entry selects a shard."""
        return self.shards is None or shard in self.shards

    def names(self, owner: str) -> bool:
        """Return whether the shards of an owner are shown in any state."""
        return not self.owners or any(re.fullmatch(each, owner) for each in self.owners)


def is_plain(name: str) -> bool:
    """Return whether a name matches only itself as a pattern."""
    return re.fullmatch("[a-z0-9-]+", name) is not None


ACCOUNT = (
    Entry(project="shop", logstore=".*", exclude=("etl-.*",)),
    Entry(project="bank", logstore="ledger", groups=("audit", "risk"), shards=frozenset({0, 1, 2})),
    # Groups that the entry above selects keep its settings.
    Entry(project="bank", logstore="led.*", groups=("audit", "job-.*"), shards=frozenset({0, 3})),
    Entry(project="bank", logstore="cards", groups=("audit", "etl-.*"), owners=("w-.*[13579]",)),
    Entry(project="bank", logstore="fees", owners=("w-.*[02468]",)),
    Entry(project="vault", logstore="old", groups=("audit", "risk", "sweep", "job-1")),
    Entry(project="yard", logstore="gate", lag=False),
    Entry(project="yard", logstore="shed", groups=("sweep", "risk"), lag=False),
)


def configuration(entries: Sequence[Entry], endpoint: str) -> str:
    """Write the configuration file."""
    lines = [
        "credentials:",
        f"  access_key_id: {DEFAULT_CREDENTIALS.access_key_id}",
        f"  access_key_secret: {DEFAULT_CREDENTIALS.access_key_secret}",
        f"stall_after: {STALL_AFTER:.0f}s",
        "polling:",
        f"  interval: {INTERVAL:.0f}s",
        f"  stale_after: {STALE_AFTER:.0f}s",
        "  timeout: 30s",  # nothing hangs here
        f"  requests_per_second: {REQUESTS_PER_SECOND:.0f}",
        f"discovery: {{interval: {REFRESH:.0f}s}}",
        "projects:",
    ]
    for project in dict.fromkeys(entry.project for entry in entries):
        its = [entry for entry in entries if entry.project == project]
        lines += [
            f"  - project: {project}",
            f"    endpoint: {endpoint}",
            f"    lag: {str(its[0].lag).lower()}",
            "    logstores:",
        ]
        for entry in its:
            lines += [
                f'      - logstore: "{entry.logstore}"',
                f"        consumer_groups: {_list(entry.groups)}",
            ]
            if entry.exclude:
                lines.append(f"        exclude_consumer_groups: {_list(entry.exclude)}")
            if entry.shards is not None:
                lines.append(f"        shards: {sorted(entry.shards)}")
            if entry.owners:
                lines.append(f"        consumers: {_list(entry.owners)}")
    return "\n".join(lines) + "\n"


def _list(names: Sequence[str]) -> str:
    return "[" + ", ".join(f'"{name}"' for name in names) + "]"
