"""PromQL that the dashboards share: selections by variables, and aggregation over replicas.

Two replicas of the exporter have the same series of a consumer group, and a rebalance renames the
owner of a shard. Queries of groups therefore first aggregate without the labels consumer, instance
and pod. They keep all other labels, as the alert rules do, so that projects of the same name in two
regions or accounts stay apart. They have the same results without series for single shards.
"""

from exporter.metrics.catalogue import (
    GROUP_CATCH_UP,
    GROUP_DATA_LOSS,
    GROUP_INTERVAL,
    GROUP_OLDEST_UNCONSUMED,
    GROUP_RETENTION,
    GROUP_SHARDS,
    GROUP_STALLED_SHARDS,
    LAG,
    OLDEST_UNREAD,
    STALLED,
    UNREAD,
)
from exporter.metrics.family import Family
from exporter.status.wording import STATE_NAMES

JOB = 'job=~"$job"'
LOGSTORE = f'{JOB}, region=~"$region", project=~"$project", logstore=~"$logstore"'
GROUP = f'{LOGSTORE}, consumer_group=~"$consumer_group"'
SHARD = f'{GROUP}, shard=~"$shard"'
INSTANCE = f'{JOB}, instance=~"$instance"'
ALL = f"{{{INSTANCE}}}"
NOT_INVALID_CURSOR = 'code!~"(?i)(SLS)?InvalidCursor"'

EXPORTER_OR_GROUP = f'{JOB.replace("$job", "$job|")}, project=~"$project|"'
"""The matchers of alerts about the selected projects or about the exporter, also without a job."""

NEVER = 1_000_000_000
"""The seconds that stand for never, because Grafana cannot map infinity to a text."""

STATES = tuple(state.value for state in STATE_NAMES)
"""The states of a shard, the worst first."""

RANKS = {state: len(STATES) - place for place, state in enumerate(STATES)}
"""The states as numbers for panels; larger numbers are worse."""


_RECORDED = {
    STALLED: f"consumer_group:{STALLED.name}:max",
    LAG: f"consumer_group:{LAG.name}:max",
    UNREAD: f"consumer_group:{UNREAD.name}:sum",
    GROUP_SHARDS: f"consumer_group:{GROUP_SHARDS.name}:max",
    GROUP_STALLED_SHARDS: f"consumer_group:{GROUP_STALLED_SHARDS.name}:max",
}
"""The recording rules by their metric."""


def recorded(metric: Family) -> str:
    """Return the recorded values of each group, for queries over a time range.

    A range query of the metric itself would read each shard of each replica at each point, which
    is more than Prometheus allows for 100 000 shards.
    """
    return f"{_RECORDED[metric]}{{{GROUP}}}"


def per_shard(metric: Family) -> str:
    """Return a metric of shards, with one series per shard."""
    return f"max without (consumer, instance, pod) ({metric.name}{{{SHARD}}})"


def worst(metric: Family) -> str:
    """Return the largest value of a metric of shards for each group."""
    return f"max without (consumer, instance, pod, shard) ({metric.name}{{{GROUP}}})"


def total(metric: Family) -> str:
    """Return the sum of a metric of shards for each group."""
    of_shards = f"max without (consumer, instance, pod) ({metric.name}{{{GROUP}}})"
    return f"sum without (shard) (\n  {of_shards}\n)"


def of_group(metric: Family) -> str:
    """Return a metric of groups, with one series per group."""
    return f"max without (instance, pod) ({metric.name}{{{GROUP}}})"


def shards_in(state: str) -> str:
    """Return how many shards of each group are in a state."""
    return f'max without (instance, pod, state) ({GROUP_SHARDS.name}{{{GROUP}, state="{state}"}})'


def shards_by_state() -> str:
    """Return how many shards of each group are in each state."""
    return of_group(GROUP_SHARDS)


def stalled_by_cause() -> str:
    """Return how many shards of each group are stalled by each likely cause."""
    return of_group(GROUP_STALLED_SHARDS)


def per_second(metric: Family) -> str:
    """Return the increase per second of a counter of groups, from several polls."""
    return f"max without (instance, pod) (rate({metric.name}{{{GROUP}}}[${{window}}s]))"


def increase(metric: Family) -> str:
    """Return the increase of a counter of groups in the range of several polls."""
    return f"max without (instance, pod) (increase({metric.name}{{{GROUP}}}[${{window}}s]))"


def window(selected: str) -> str:
    """Return five polling intervals in seconds, the range for all that happens once per poll."""
    interval = f"(max({GROUP_INTERVAL.name}{{{selected}}}) or vector(0))"
    return f"query_result(ceil(clamp_min(5 * {interval}, 60)))"


def catch_up() -> str:
    """Return the time in seconds until each group has caught up, at most NEVER."""
    return f"clamp_max({of_group(GROUP_CATCH_UP)}, {NEVER})"


def data_loss() -> str:
    """Return the time in seconds until each group loses data, if it does."""
    return f"min without (instance, pod) ({GROUP_DATA_LOSS.name}{{{GROUP}}})"


def firing(selected: str) -> str:
    """Return the firing alerts of the rules of the exporter."""
    return f'ALERTS{{{selected}, alertname=~"SLS.+", alertstate="firing"}}'


def worst_state() -> str:
    """Return the rank of the worst state that a shard of the group is in; 0 without shards."""
    ranked = (
        f'{rank} * ({GROUP_SHARDS.name}{{{GROUP}, state="{state}"}} > bool 0)'
        for state, rank in RANKS.items()
    )
    return "max without (instance, pod, state) (\n  " + "\n  or ".join(ranked) + "\n)"


def recorded_worst_state() -> str:
    """Return the rank of the worst state of each group from recorded values."""
    return f"consumer_group:{GROUP_SHARDS.name}:worst_state{{{GROUP}}}"


def retention_used() -> str:
    """Return the age of the oldest unread log of each group as a share of the retention time."""
    waiting = _waiting(GROUP, without="consumer, instance, pod, shard")
    return f"{waiting}\n/ {of_group(GROUP_RETENTION)}"


def retention_left() -> str:
    """Return the time in seconds until the oldest unread log of each shard expires."""
    waiting = _waiting(SHARD, without="consumer, instance, pod")
    return f"{of_group(GROUP_RETENTION)}\n- ignoring (shard) group_right ()\n{waiting}"


def _waiting(selected: str, *, without: str) -> str:
    """Return the age of the oldest unread log.

    A shard without a checkpoint is left out, since its oldest log always expires soon. Without
    series for single shards, a group is left out if its oldest unread log is in such a shard.
    """
    oldest = OLDEST_UNREAD.name
    return (
        f"max without ({without}) (\n"
        f"  time() - {oldest}{{{selected}}}\n"
        f"  and {LAG.name}{{{selected}}}\n"
        f'  unless {oldest}{{{GROUP}, shard=""}} == {GROUP_OLDEST_UNCONSUMED.name}{{{GROUP}}}\n'
        f")"
    )


def rate(metric: Family, by: str) -> str:
    """Return the increase per second of a counter of polls, summed over all selected exporters."""
    return f"sum by ({by}) (rate({metric.name}{{{INSTANCE}}}[${{window}}s]))"


def or_none(expression: str, *, label: str, scraped: Family) -> str:
    """Return rates by a label, or 0 if the exporter was scraped but counted nothing.

    A counter has no series before its first event, and a panel with "No data" looks broken although
    all is well. If no exporter is scraped, 0 would be wrong.
    """
    zero = f"0 * sum({scraped.name}{{{INSTANCE}}})"
    return f'{expression}\nor on ()\nlabel_replace({zero}, "{label}", "none", "", "")'
