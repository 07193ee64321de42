"""PromQL that the dashboards share: selections by variables, and aggregation over replicas.

Two replicas of the exporter have the same series of a consumer group, and a rebalance renames the
owner of a shard. Queries of groups therefore first aggregate over the labels consumer, instance and
pod.
"""

from exporter.metrics.catalogue import GROUP_SHARDS, LAG, LOGSTORE_RETENTION, OLDEST_UNREAD
from exporter.metrics.family import Family
from exporter.status.wording import STATE_NAMES

JOB = 'job=~"$job"'
LOGSTORE = f'{JOB}, project=~"$project", logstore=~"$logstore"'
GROUP = f'{LOGSTORE}, consumer_group=~"$consumer_group"'
SHARD = f'{GROUP}, shard=~"$shard"'
INSTANCE = f'{JOB}, instance=~"$instance"'
NOT_INVALID_CURSOR = 'code!~"(?i)(SLS)?InvalidCursor"'

BY_GROUP = "project, logstore, consumer_group"

STATES = tuple(state.value for state in STATE_NAMES)
"""The states of a shard, the worst first."""

RANKS = {state: len(STATES) - place for place, state in enumerate(STATES)}
"""The states as numbers for panels; larger numbers are worse."""


def per_shard(metric: Family) -> str:
    """Return a metric of shards, with one series per shard."""
    return f"max without (consumer, instance, pod) ({metric.name}{{{SHARD}}})"


def worst(metric: Family) -> str:
    """Return the largest value of a metric of shards or groups for each group."""
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
    """Return the time in seconds until the oldest unread log expires."""
    retention = f"max by (project, logstore) ({LOGSTORE_RETENTION.name}{{{LOGSTORE}}})"
    return f"{retention}\n- on (project, logstore) group_right ()\n{_waiting(by, selected)}"


def _waiting(by: str, selected: str) -> str:
    """Return the age of the oldest unread log.

    A shard without a checkpoint is left out, since its oldest log always expires soon.
    """
    return (
        f"max by ({by}) (\n"
        f"  time() - {OLDEST_UNREAD.name}{{{selected}}}\n"
        f"  and {LAG.name}{{{selected}}}\n"
        f")"
    )


def rate(metric: Family, by: str) -> str:
    """Return the increase per second of a counter, summed over all selected exporters."""
    return f"sum by ({by}) (rate({metric.name}{{{INSTANCE}}}[$__rate_interval]))"


def or_none(expression: str, *, label: str, scraped: Family) -> str:
    """Return rates by a label, or 0 if the exporter was scraped but counted nothing.

    A counter has no series before its first event, and a panel with "No data" looks broken although
    all is well. If no exporter is scraped, 0 would be wrong.
    """
    zero = f"0 * sum({scraped.name}{{{INSTANCE}}})"
    return f'{expression}\nor on ()\nlabel_replace({zero}, "{label}", "none", "", "")'
