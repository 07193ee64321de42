"""The evaluations for any JSON of the service: they do not fail, and their text can be shown."""

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from exporter.commands.doctor.access import permission_findings
from exporter.commands.doctor.assumptions import assumption_findings
from exporter.commands.doctor.observations import LogstoreReplies, ShardReplies
from exporter.commands.doctor.recording import Reply
from exporter.http.response import Response
from exporter.model.shards import encode_cursor
from exporter.sls.errors import SlsError
from exporter.sls.operations import (
    GET_CHECKPOINT,
    GET_CURSOR,
    GET_CURSOR_TIME,
    GET_LOGSTORE,
    LIST_SHARDS,
    OPERATIONS,
    Operation,
)
from exporter.sls.responses import parsed

NOW = 1_700_000_000.0
LONGEST = 1_000

numbers = st.sampled_from([0, 1, 2, 3, -1, 2**31 - 1, 2**63, 10**30, 1.5, int(NOW), True])
texts = st.text(max_size=12) | st.sampled_from([encode_cursor(value) for value in (0, 1, 5, 9)])
values: st.SearchStrategy[object] = st.none() | numbers | texts | st.lists(numbers, max_size=2)
keys = st.sampled_from(
    [
        *("shard", "checkpoint", "updateTime", "consumer", "shardID", "status", "ttl"),
        *("cursor", "cursor_time", "errorCode", "errorMessage", "name", "consumerGroups"),
    ]
)
objects = st.dictionaries(keys, values, max_size=6)
documents = objects | st.lists(objects | values, max_size=4) | values
statuses = st.sampled_from([200, 200, 400, 401, 403, 404, 500])


@st.composite
def replies_to(draw: st.DrawFn, operation: Operation[Any]) -> Reply[Any]:
    """Return the reply with any document, as the client would evaluate it."""
    document, status = draw(documents), draw(statuses)
    response = Response(status=status, headers={}, body=json.dumps(document).encode())
    value: object = None
    error: SlsError | None = None
    try:
        value = parsed(response, operation.name, lambda body: operation.read(body, NOW))
    except SlsError as caught:
        error = caught
    return Reply(
        operation=operation,
        value=value,
        error=error,
        status=status,
        document=document,
        headers={},
        now=NOW,
    )


cursors = replies_to(GET_CURSOR)
times = st.none() | replies_to(GET_CURSOR_TIME)
shards = st.builds(
    ShardReplies,
    begin=cursors,
    end=cursors,
    time_at_begin=times,
    time_before_begin=times,
    time_before_end=times,
    time_at_end=times,
    time_in_middle=times,
    found_by_time=st.none() | cursors,
    begin_again=st.none() | cursors,
    end_again=st.none() | cursors,
)
logstores = st.builds(
    LogstoreReplies,
    checkpoints=st.dictionaries(st.just("billing"), replies_to(GET_CHECKPOINT)),
    timeouts=st.just({"billing": None}),
    group_listing=documents,
    shards=st.none() | replies_to(LIST_SHARDS),
    shards_again=st.none() | replies_to(LIST_SHARDS),
    retention=st.none() | replies_to(GET_LOGSTORE),
    cursors=st.dictionaries(st.integers(0, 3), shards, max_size=2),
    unknown_logstore=replies_to(GET_CHECKPOINT),
    unknown_group=replies_to(GET_CHECKPOINT),
    unknown_shard=st.none() | cursors,
)


def listing(*numbers: int) -> Reply[Any]:
    document = [{"shardID": number, "status": "readwrite"} for number in numbers]
    body = json.dumps(document).encode()
    value = LIST_SHARDS.read(body, NOW)
    return Reply(operation=LIST_SHARDS, value=value, status=200, document=document, now=NOW)


ABSENT: Reply[Any] = Reply(operation=GET_CHECKPOINT)
HUGE = LogstoreReplies(
    checkpoints={},
    timeouts={},
    shards=listing(0, 2**31 - 1),
    shards_again=listing(0, 2**31 - 1),
    unknown_logstore=ABSENT,
    unknown_group=ABSENT,
)


@given(logstores)
@example(HUGE)
def test_any_responses_are_evaluated(replies: LogstoreReplies) -> None:
    found = [
        *assumption_findings(replies),
        *permission_findings(OPERATIONS, replies.all),
    ]
    for finding in found:
        for text in (finding.seen, finding.remedy):
            assert text.isprintable()
            assert len(text) <= LONGEST
