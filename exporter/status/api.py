"""The JSON of ``GET /api/v1/groups``; docs/status-page.md documents its fields."""

import json
from collections.abc import Mapping
from math import inf
from typing import Any

from exporter.status.rows import GroupRow, StatusRows
from exporter.status.selection import parse, select
from exporter.status.shard_rows import ShardRow
from exporter.status.summary import summarise
from exporter.status.wording import CAUSE_REMEDIES


def as_json(found: StatusRows, query: Mapping[str, str]) -> bytes:
    """Return the groups that match a query, by default all groups, as UTF-8 JSON.

    ``limit`` and ``offset`` select a part of them. ``total`` is the number of all matching groups.
    """
    asked = parse(query, numbers=("limit", "offset"))
    rows = select(found.groups, asked)
    offset = asked.numbers.get("offset", 0)
    limit = asked.numbers.get("limit")
    summary = summarise(found.groups)
    fields = {
        "at": found.at,
        "pending_targets": found.pending_targets,
        "items_without_groups": found.items_without_groups,
        "summary": {
            "groups": summary.groups,
            "failing": summary.failing,
            "states": summary.states,
            "worst_stalled_seconds": summary.worst.stalled_seconds if summary.worst else 0.0,
        },
        "total": len(rows),
        "offset": offset,
        "limit": limit,
        "ignored": asked.ignored,
        "groups": [_group(row) for row in rows[offset : None if limit is None else offset + limit]],
    }
    return json.dumps(fields, ensure_ascii=False).encode("utf-8", errors="replace")


def _group(row: GroupRow) -> dict[str, Any]:
    catch_up = row.outlook.catch_up_seconds
    return {
        "project": row.project,
        "logstore": row.logstore,
        "consumer_group": row.consumer_group,
        "listing": row.listing,
        "sls_endpoint": row.sls_endpoint,
        "conflicts_with": row.conflicts_with,
        "state": row.state,
        "up": row.up,
        "consumers": list(row.consumers),
        "last_success_seconds": row.last_success_seconds,
        "error": row.error,
        "error_code": row.error_code,
        "remedy": row.remedy,
        "failing_seconds": row.failing_seconds,
        "cursor_access": row.cursor_access,
        "shard_error": row.shard_error,
        "shard_remedy": row.shard_remedy,
        "worst_shard": row.worst_shard,
        "age_seconds": row.age_seconds,
        "lag_seconds": row.lag_seconds,
        "stalled_seconds": row.stalled_seconds,
        "unread_log_groups": row.unread_log_groups,
        "read_log_groups_per_second": _rounded(row.rates.read),
        "written_log_groups_per_second": _rounded(row.rates.written),
        "catches_up": None if catch_up is None else catch_up < inf,
        "catch_up_seconds": catch_up if catch_up != inf else None,
        "data_loss_seconds": row.outlook.data_loss_seconds,
        "console_url": row.console_url,
        "stall_after_seconds": row.settings.stall_after if row.settings else None,
        "lag_limit_seconds": row.settings.lag_limit if row.settings else None,
        "labels": dict(row.settings.labels) if row.settings else {},
        "shards": [_shard(shard) for shard in row.shards],
    }


def _shard(row: ShardRow) -> dict[str, Any]:
    return {
        "shard": row.shard,
        "state": row.state,
        "likely_cause": row.likely_cause,
        "likely_remedy": CAUSE_REMEDIES[row.likely_cause] if row.likely_cause else None,
        "consumer": row.consumer,
        "checkpoint": row.checkpoint,
        "updated_at": row.updated_at,
        "age_seconds": row.age_seconds,
        "lag_seconds": row.lag_seconds,
        "unread_log_groups": row.unread_log_groups,
        "stalled_seconds": row.stalled_seconds,
        "stalled_since": row.stalled_since,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
