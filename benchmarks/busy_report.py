"""Writer of the figures of ``benchmarks.busy`` into docs/performance.md: a table and a plot."""

import argparse
from collections.abc import Sequence
from math import log10
from pathlib import Path

import msgspec

from benchmarks.busy_table import exact_requests, markdown_table, mean_requests
from benchmarks.cases import Figures
from tools.paths import ROOT

_DOCS = ROOT / "docs"
_BEGIN, _END = "<!-- busy: begin -->", "<!-- busy: end -->"
_WIDTH, _LEFT, _RIGHT, _TOP, _BOTTOM, _BAR = 720, 150, 80, 20, 50, 16
_SIDES = (("sls-exporter", "#1f77b4"), ("exact way", "#d62728"))
_DECADES = 5


def plot(found: Sequence[Figures]) -> str:
    """Return the requests per logstore and interval as bars on a logarithmic axis, as SVG."""
    height = _TOP + len(found) * 3 * _BAR + _BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}"',
        ' font-family="sans-serif" font-size="13" role="img">',
        "<title>Requests per logstore and interval, of the exporter and in the exact way</title>",
        f'<rect width="{_WIDTH}" height="{height}" fill="white"/>',
    ]
    low = height - _BOTTOM
    for power in range(_DECADES + 1):
        at = _across(10**power)
        parts.append(
            f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP}" y2="{low}" stroke="#ddd"/>'
            f'<text x="{at:.1f}" y="{low + 18}" text-anchor="middle">{10**power}</text>'
        )
    for number, each in enumerate(found):
        top = _TOP + number * 3 * _BAR
        parts.append(
            f'<text x="{_LEFT - 8}" y="{top + 1.3 * _BAR:.1f}"'
            f' text-anchor="end">{each.case.name}</text>'
        )
        values = (mean_requests(each), float(exact_requests(each.case)))
        for side, (value, (_, color)) in enumerate(zip(values, _SIDES, strict=True)):
            if value is not None:
                parts.append(_bar(top + side * _BAR, value, color))
    for number, (name, color) in enumerate(_SIDES):
        parts.append(
            f'<text x="{_LEFT + number * 120}" y="{height - 10}" fill="{color}">{name}</text>'
        )
    return "\n".join([*parts, "</svg>", ""])


def _across(value: float) -> float:
    return _LEFT + log10(max(1.0, value)) / _DECADES * (_WIDTH - _LEFT - _RIGHT)


def _bar(top: float, value: float, color: str) -> str:
    right = _across(value)
    return (
        f'<rect x="{_LEFT}" y="{top}" width="{right - _LEFT:.1f}" height="{_BAR - 2}"'
        f' fill="{color}"/><text x="{right + 4:.1f}" y="{top + _BAR - 4}">{value:.0f}</text>'
    )


def main() -> None:
    """Write the document and the plot."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", type=Path, nargs="+", help="written by benchmarks.busy --json")
    parser.add_argument("--docs", type=Path, default=_DOCS, help="directory to write to")
    options = parser.parse_args()
    found = [
        figures
        for file in options.files
        for figures in msgspec.json.decode(file.read_bytes(), type=list[Figures])
    ]
    document = options.docs / "performance.md"
    before, _, rest = document.read_text().partition(_BEGIN)
    _, _, after = rest.partition(_END)
    document.write_text(f"{before}{_BEGIN}\n{markdown_table(found)}\n{_END}{after}")
    (options.docs / "images" / "performance-busy.svg").write_text(plot(found))


if __name__ == "__main__":
    main()
