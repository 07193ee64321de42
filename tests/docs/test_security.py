"""The threat model names a test for each protection, all operations, and correct bounds."""

import re

from exporter.base.text import LIMIT
from exporter.config import reader
from exporter.credentials import fetcher, temporary
from exporter.http import transport
from exporter.sls import json_values, paging
from exporter.sls.operations import OPERATION_NAMES
from tests.support.docs import read

TEXT = read("docs/security.md")


def test_every_row_about_protections_names_a_test() -> None:
    table = TEXT.partition("## What stops them")[2].partition("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    assert rows
    assert [row for row in rows if "`tests/" not in row] == []


def test_the_operations_are_all_that_the_client_knows() -> None:
    listed = TEXT.partition("It knows ten operations")[2].partition("of STS")[0]
    assert set(re.findall(r"`([A-Z]\w+)`", listed)) - {"GET"} == {
        *OPERATION_NAMES,
        "AssumeRole",
        "AssumeRoleWithOIDC",
    }
    assert len(OPERATION_NAMES) == 8


def test_bounds_are_those_of_the_code() -> None:
    table = " ".join(TEXT.partition("## Hostile input")[2].split())
    assert transport.MAX_BODY_BYTES == 4 * 2**20
    assert "4 MiB per body" in table
    assert json_values.MAX_ENTRIES == 10_000
    assert "10 000 entries per response" in table
    assert (paging.MAX_PAGES, paging.PAGE_SIZE) == (200, 500)
    assert "200 pages of 500" in table
    assert LIMIT == 256
    assert "cut (to 256 characters" in table
    assert fetcher.MAX_BODY_BYTES == 64 * 2**10
    assert temporary.BUDGET_SECONDS == 5.0
    assert "64 KiB per file or response, regular files only, 5 s" in table
    assert reader.MAX_FILE_BYTES == 64 * 2**20
    assert "64 MiB" in table
