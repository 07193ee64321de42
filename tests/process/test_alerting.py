"""The path from a consumer that dies to the page for the operator, with Debian's programs."""

from pathlib import Path

from tests.support.alarm import alarm_stage, check_page_of_dead_consumer


def test_a_consumer_that_dies_is_one_page_and_ends_when_it_is_back(tmp_path: Path) -> None:
    with alarm_stage(tmp_path) as stage:
        check_page_of_dead_consumer(stage)
