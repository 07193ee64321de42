"""The tables of the report."""

import io

from exporter.commands.doctor.rendering import write_table


def test_report_without_findings_explains_how_names_are_matched() -> None:
    stdout = io.StringIO()
    write_table([], stdout, {})
    assert stdout.getvalue() == "nothing is selected; names and patterns must match whole names\n"
