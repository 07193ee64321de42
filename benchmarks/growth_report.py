"""Writer of the output of ``benchmarks.growth`` into docs/performance.md: a table and a plot.

Values are multiples of those of the smallest size, since such ratios also hold on other machines.
"""

import argparse
import itertools
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.growth import Size
from tools.paths import ROOT

_DOCS = ROOT / "docs"
_BEGIN, _END = "<!-- growth: begin -->", "<!-- growth: end -->"
_SERIES = (
    ("scrape time", "scrape_seconds", "#1f77b4"),
    ("CPU of all polls", "poll_cpu_seconds", "#d62728"),
    ("memory", "resident_megabytes", "#2ca02c"),
)
_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP, _RIGHT = 720, 400, 70, 50, 20, 150

_HEAD = f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}"
 font-family="sans-serif" font-size="13" role="img">
<title>Cost against the number of shards, as multiples of the smallest size</title>
<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>"""


def table(sizes: Sequence[Size]) -> str:
    """Return the table in Markdown."""
    head = "| shards | " + " | ".join(name for name, _, _ in _SERIES) + " |"
    rows = [
        f"| {size.shards} | "
        + " | ".join(_rounded(_multiple(size, sizes[0], field)) for _, field, _ in _SERIES)
        + " |"
        for size in sizes
    ]
    return "\n".join([head, "|" + "---:|" * (len(_SERIES) + 1), *rows])


def plot(sizes: Sequence[Size]) -> str:
    """Return the plot, both axes logarithmic, as SVG."""
    right = math.log10(sizes[-1].shards)
    left = math.log10(sizes[0].shards)
    top = math.ceil(
        max(
            math.log10(_multiple(size, sizes[0], field))
            for size, (_, field, _) in itertools.product(sizes, _SERIES)
        )
    )

    def x(shards: float) -> float:
        return _LEFT + (math.log10(shards) - left) / (right - left) * (_WIDTH - _LEFT - _RIGHT)

    def y(value: float) -> float:
        height = _HEIGHT - _TOP - _BOTTOM
        return _HEIGHT - _BOTTOM - max(0.0, math.log10(value)) / top * height

    parts = [_HEAD]
    for power in range(top + 1):
        at = y(10**power)
        parts.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{at:.1f}" y2="{at:.1f}" stroke="#ddd"/>'
            f'<text x="{_LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{10**power} x</text>'
        )
    parts += [
        f'<text x="{x(size.shards):.1f}" y="{_HEIGHT - _BOTTOM + 20}"'
        f' text-anchor="middle">{size.shards}</text>'
        for size in sizes
    ]
    parts.append(
        f'<text x="{(_LEFT + _WIDTH - _RIGHT) / 2:.1f}" y="{_HEIGHT - 8}"'
        ' text-anchor="middle">shards</text>'
    )
    for name, field, colour in _SERIES:
        points = [(x(size.shards), y(_multiple(size, sizes[0], field))) for size in sizes]
        line = " ".join(f"{across:.1f},{down:.1f}" for across, down in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [
            f'<circle cx="{across:.1f}" cy="{down:.1f}" r="3" fill="{colour}"/>'
            for across, down in points
        ]
        parts.append(
            f'<text x="{points[-1][0] + 8:.1f}" y="{points[-1][1] + 4:.1f}"'
            f' fill="{colour}">{name}</text>'
        )
    return "\n".join([*parts, "</svg>", ""])


def _rounded(value: float) -> str:
    """Return a number with three significant digits, without an exponent."""
    return f"{float(f'{value:.3g}'):g}"


def _multiple(size: Size, first: Size, field: str) -> float:
    return float(getattr(size, field)) / float(getattr(first, field))


def main() -> None:
    """Read lines of JSON from stdin, write the document and the plot."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--docs", type=Path, default=_DOCS, help="the directory to write to")
    options = parser.parse_args()
    sizes = [Size(**json.loads(line)) for line in sys.stdin]
    document = options.docs / "performance.md"
    before, _, rest = document.read_text().partition(_BEGIN)
    _, _, after = rest.partition(_END)
    document.write_text(f"{before}{_BEGIN}\n{table(sizes)}\n{_END}{after}")
    (options.docs / "images" / "performance-growth.svg").write_text(plot(sizes))


if __name__ == "__main__":
    main()
