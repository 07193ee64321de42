"""The assumptions about SLS that the exporter relies on, each with its evaluation.

The evaluations are pure functions of the responses about one logstore. Each returns the result and
the observation. The consequence of a wrong assumption is known in advance.
"""

from collections.abc import Callable, Iterator

from msgspec import Struct

from exporter.commands.doctor import cursor_assumptions, form_assumptions
from exporter.commands.doctor.findings import Finding
from exporter.commands.doctor.observations import LogstoreReplies
from exporter.commands.doctor.seen import Seen

REPORT = "Please send this report: docs/compatibility.md."


class Assumption(Struct, frozen=True, kw_only=True):
    """An assumption about the service."""

    name: str
    statement: str
    consequence: str
    """The behavior of the exporter if the assumption does not hold."""
    evaluate: Callable[[LogstoreReplies], Seen]


ASSUMPTIONS: tuple[Assumption, ...] = (
    Assumption(
        name="update-time-unit",
        statement="updateTime is in microseconds",
        consequence="The exporter recognizes the unit by the magnitude, so ages stay right.",
        evaluate=form_assumptions.update_time_unit,
    ),
    Assumption(
        name="unused-group",
        statement="a group without a checkpoint has an empty list or empty checkpoints",
        consequence="The shards of such a group can be missing or unknown.",
        evaluate=form_assumptions.unused_group,
    ),
    Assumption(
        name="owner-without-checkpoint",
        statement="a heartbeat alone does not name an owner",
        consequence="The label consumer and the number of consumers include such owners.",
        evaluate=form_assumptions.owner_without_checkpoint,
    ),
    Assumption(
        name="expired-shards",
        statement="GetCheckPoint does not list a shard that has expired",
        consequence="Shards that no longer exist can have series.",
        evaluate=form_assumptions.expired_shards,
    ),
    Assumption(
        name="shard-listing",
        statement="ListShards is not older than GetCheckPoint",
        consequence="A new shard is known up to a minute later.",
        evaluate=form_assumptions.shard_listing,
    ),
    Assumption(
        name="forms",
        statement="responses have the documented JSON",
        consequence="The exporter accepts some other forms, and counts the rest as errors.",
        evaluate=form_assumptions.forms,
    ),
    Assumption(
        name="headers",
        statement="responses have x-log-requestid and x-log-time",
        consequence="Errors have no request id, or the difference of the clocks is not known.",
        evaluate=form_assumptions.headers,
    ),
    Assumption(
        name="code-of-cursor",
        statement="a wrong cursor is 400 InvalidCursor",
        consequence="Expired checkpoints are not recognized: their shards are unknown.",
        evaluate=form_assumptions.code_of_cursor,
    ),
    Assumption(
        name="code-of-group",
        statement="an unknown group is 404 ConsumerGroupNotExist",
        consequence="The values of a deleted group stay until polling.stale_after.",
        evaluate=form_assumptions.code_of_group,
    ),
    Assumption(
        name="code-of-logstore",
        statement="an unknown logstore is 404 LogStoreNotExist",
        consequence="The values of a deleted logstore stay until polling.stale_after.",
        evaluate=form_assumptions.code_of_logstore,
    ),
    Assumption(
        name="code-of-shard",
        statement="an unknown shard is 400 or 404 ShardNotExist",
        consequence="The log has another code for shards that have just expired.",
        evaluate=form_assumptions.code_of_shard,
    ),
    Assumption(
        name="cursors",
        statement="cursors are numbers, one more per log group",
        consequence="Unread log groups, lag and stalls are wrong or unknown.",
        evaluate=cursor_assumptions.consecutive,
    ),
    Assumption(
        name="end-after-checkpoint",
        statement="END is not before a checkpoint",
        consequence="The exporter reports such a shard as caught up.",
        evaluate=cursor_assumptions.end_after_checkpoint,
    ),
    Assumption(
        name="time-before-end",
        statement="GetCursorTime at END-1 is the time of the newest log group",
        consequence="Lags are absent or wrong.",
        evaluate=cursor_assumptions.time_before_end,
    ),
    Assumption(
        name="time-at-end",
        statement="GetCursorTime at END is InvalidCursor or not before END-1",
        consequence="None: the exporter does not use this time.",
        evaluate=cursor_assumptions.time_at_end,
    ),
    Assumption(
        name="time-before-begin",
        statement="GetCursorTime before BEGIN is InvalidCursor",
        consequence="A checkpoint whose data has expired is not recognized by its time.",
        evaluate=cursor_assumptions.time_before_begin,
    ),
    Assumption(
        name="time-without-data",
        statement="GetCursorTime on a shard without data is InvalidCursor or the current time",
        consequence="The lag of an empty shard can be wrong.",
        evaluate=cursor_assumptions.time_without_data,
    ),
    Assumption(
        name="cursor-by-time",
        statement="GetCursor with a time returns the first log group received then or later",
        consequence="The exporter stops using this operation and sends more requests.",
        evaluate=cursor_assumptions.cursor_by_time,
    ),
)


def assumption_findings(replies: LogstoreReplies) -> Iterator[Finding]:
    """Yield a finding per assumption."""
    for assumption in ASSUMPTIONS:
        seen = assumption.evaluate(replies)
        yield Finding(
            step=assumption.name,
            result=seen.result,
            seen=seen.text,
            assumption=assumption.statement,
            remedy=f"{assumption.consequence} {REPORT}" if seen.result == "not held" else "",
        )
