"""PromQL that the dashboards share: selections by variables, and one series of many replicas'.

Two replicas of the exporter say the same of a consumer group, and a rebalance renames the owner of
a shard: whatever is said of groups is aggregated over the labels consumer, instance and pod first.
"""

from exporter.metrics.catalogue import GROUP_SHARDS, LAG, LOGSTORE_RETENTION, OLDEST_UNREAD
from exporter.metrics.family import Family
from exporter.status.wording import STATE_NAMES

JOB = 'job=~"$job"'
LOGSTORE = f'{JOB}, project=~"$project", logstore=~"$logstore"'
GROUP = f'{LOGSTORE}, consumer_group=~"$consumer_group"'
SHARD = f'{GROUP}, shard=~"$shard"'
INSTANCE = f'{JOB}, instance=~"$instance"'

BY_GROUP = "project, logstore, consumer_group"

STATES = tuple(state.value for state in STATE_NAMES)
"""The states of a shard, the worst first."""

RANKS = {state: len(STATES) - place for place, state in enumerate(STATES)}
"""The state as a number for panels: the larger, the worse."""


def per_shard(metric: Family) -> str:
    """Return a metric of shards, once for each shard."""
    return f"max without (consumer, instance, pod) ({metric.name}{{{SHARD}}})"


def worst(metric: Family) -> str:
    """Return the largest value of a metric of shards or groups, once for each group."""
    return f"max by ({BY_GROUP}) ({metric.name}{{{GROUP}}})"


def shards_in(state: str) -> str:
    """Return how many shards of each group are in a state."""
    return f'max by ({BY_GROUP}) ({GROUP_SHARDS.name}{{{GROUP}, state="{state}"}})'


def shards_by_state() -> str:
    """Return how many shards of each group are in each state."""
    return f"max by ({BY_GROUP}, state) ({GROUP_SHARDS.name}{{{GROUP}}})"


def worst_state() -> str:
    """Return the rank of the worst state that a shard of the group is in; 0 without shards."""
    ranked = (
        f'{rank} * ({GROUP_SHARDS.name}{{{GROUP}, state="{state}"}} > bool 0)'
        for state, rank in RANKS.items()
    )
    return f"max by ({BY_GROUP}) (\n  " + "\n  or ".join(ranked) + "\n)"


def retention_used(by: str, selected: str) -> str:
    """Return the age of the oldest unread log as a share of the retention time."""
    retention = f"max by (project, logstore) ({LOGSTORE_RETENTION.name}{{{LOGSTORE}}})"
    return f"{_waiting(by, selected)}\n/ on (project, logstore) group_left ()\n{retention}"


def retention_left(by: str, selected: str) -> str:
    """Return how many seconds of the retention time are left to the oldest unread log."""
    retention = f"max by (project, logstore) ({LOGSTORE_RETENTION.name}{{{LOGSTORE}}})"
    return f"{retention}\n- on (project, logstore) group_right ()\n{_waiting(by, selected)}"


def _waiting(by: str, selected: str) -> str:
    """Return the age of the oldest unread log.

    A shard without a checkpoint is left out, as in the alert: its oldest log is always about to go.
    """
    return (
        f"max by ({by}) (\n"
        f"  time() - {OLDEST_UNREAD.name}{{{selected}}}\n"
        f"  and {LAG.name}{{{selected}}}\n"
        f")"
    )


def rate(metric: Family, by: str) -> str:
    """Return a counter's increase per second, all selected exporters together."""
    return f"sum by ({by}) (rate({metric.name}{{{INSTANCE}}}[$__rate_interval]))"


def or_none(expression: str, *, label: str, scraped: Family) -> str:
    """Return rates by a label, or 0 where nothing was counted while the exporter was scraped.

    A counter has no series before the first event of its kind, and a panel that says "No data"
    where all is well looks broken; 0 while nobody is scraped would be a lie.
    """
    zero = f"0 * sum({scraped.name}{{{INSTANCE}}})"
    return f'{expression}\nor on ()\nlabel_replace({zero}, "{label}", "none", "", "")'
