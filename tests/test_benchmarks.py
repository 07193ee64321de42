"""Every benchmark works in its short form; what it measures is not judged here."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# A line that only a benchmark that has run to its end prints.
SHOWS = {
    "config_load": r"one logstore: 200 groups, .* ratio [\d.]+",
    "connections": r"ours +800 requests to 50 hosts by 8 threads: 400 connections, 1\.00 for",
    "growth": r'"shards": 100, ',
    "interference": r"poll +before median [\d.]+ ms, .* median delay -?[\d.]+ ms",
    "parts": r"a scrape of 2000 shards, but for HTTP: [\d.]+ ms\n  filling in ages +\d+%",
    "poll": r"vendor's SDK +[\d.]+ ms of CPU a group, .* with a scrape +[\d.]+ x ours",
    "records": r"named_tuple +class +[\d.]+ us, +[\d.]+ x struct; instance",
    "schedule": r"ours +\d+ runs, \d+ lost, mean period [\d.]+ of the interval",
    "scrape": r"prometheus_client +[\d.]+ ms .* time +[\d.]+ x  memory +[\d.]+ x",
    "start": r"demo +\d+ ms, [\d.]+ x bare, resident \d+ MB",
    "status_page": r"JSON, all groups +[\d.]+ ms +[\d.]+ x a scrape",
}
PARTS = {"api", "engines", "exposers", "growth_report", "made_up", "processes", "sdk"}


def run(name: str, *arguments: str, stdin: str = "") -> str:
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", *arguments],
        cwd=ROOT,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("name", sorted(SHOWS))
def test_the_short_form_runs_to_its_end(name: str) -> None:
    assert re.search(SHOWS[name], run(name, "--quick"))


def test_no_benchmark_is_left_out() -> None:
    modules = {path.stem for path in (ROOT / "benchmarks").glob("[!_]*.py")}
    assert modules == SHOWS.keys() | PARTS


def test_the_growth_report_writes_table_and_plot(tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    document.write_text("before\n<!-- growth: begin -->\nold\n<!-- growth: end -->\nafter\n")
    (tmp_path / "images").mkdir()
    lines = "".join(
        f'{{"shards": {shards}, "scrape_seconds": {shards / 100}, "poll_cpu_seconds": {shards},'
        f' "resident_megabytes": 50}}\n'
        for shards in (10, 1000)
    )
    run("growth_report", "--docs", str(tmp_path), stdin=lines)
    assert document.read_text() == (
        "before\n"
        "<!-- growth: begin -->\n"
        "| shards | scrape time | CPU of all polls | memory |\n"
        "|---:|---:|---:|---:|\n"
        "| 10 | 1 | 1 | 1 |\n"
        "| 1000 | 100 | 100 | 1 |\n"
        "<!-- growth: end -->\n"
        "after\n"
    )
    plot = (tmp_path / "images" / "performance-growth.svg").read_text()
    assert plot.count("<polyline") == 3
    assert plot.endswith("</svg>\n")
