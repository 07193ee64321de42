"""A small plot of the unread data of a consumer group over the last hour, as inline SVG."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from exporter.status.history import HOUR, Point
from exporter.status.markup import Html, tag

_WIDTH, _HEIGHT = 120, 22
_GAP_SPACINGS = 3


def plot(points: Sequence[Point], now: float, *, interval: float, least: float = 1.0) -> Html:
    """Draw samples of the last hour before ``now``; nothing if there are less than two.

    The line has a gap where polls failed. The scale ends at the largest value, and not below
    ``least``, so that usual ripples stay small.
    """
    recent = [point for point in points if point.at >= now - HOUR]
    if len(recent) < 2:  # noqa: PLR2004  a line has two ends
        return Html()
    highest = max(point.unread for point in recent)
    lines = [
        tag("polyline", points=" ".join(_place(point, now, max(highest, least)) for point in part))
        for part in _parts(recent, _GAP_SPACINGS * max(interval, 60.0))
    ]
    words = f"Unread log groups in the last hour, at most {highest:,.0f}"
    return tag(
        "svg",
        tag("title", words),
        *lines,
        class_="plot",
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        width=str(_WIDTH),
        height=str(_HEIGHT),
        role="img",
        aria_label=words,
    )


def _place(point: Point, now: float, top: float) -> str:
    x = _WIDTH * (1 - max(0.0, now - point.at) / HOUR)
    y = _HEIGHT - 1 - point.unread / top * (_HEIGHT - 2)
    return f"{x:.1f},{y:.1f}"


def _parts(points: Sequence[Point], gap: float) -> Iterator[Sequence[Point]]:
    """Yield the runs of samples without a longer gap between them."""
    starts = [0, *(place for place, (a, b) in enumerate(pairwise(points), 1) if b.at - a.at > gap)]
    for first, last in pairwise([*starts, len(points)]):
        yield points[first:last]
