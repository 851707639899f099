"""Plots as inline SVG: sharp on any screen and on paper, readable by screen readers, no script and no request.

Each has a title and a description, and stands beside a table with the same numbers. Series differ in lightness and
dash, not in hue alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rtm_pipeline.publication.facts.plots import Series
from rtm_pipeline.publication.html.tags import Html, tag

__all__ = ["Axis", "forest_plot", "line_chart"]

INK = "#1d1b22"
MUTED = "#5b5866"
GRID = "#dedbe3"
WIDTH, HEIGHT = 520.0, 330.0
LEFT, RIGHT, TOP, BOTTOM = 60.0, 168.0, 14.0, 44.0
_LINE = 15.0  # of text


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis: its title, where ticks are, and how values map to it."""

    title: str
    ticks: tuple[tuple[float, str], ...]
    low: float
    high: float
    log: bool = False

    def at(self, value: float) -> float:
        """Position of a value, 0 to 1; values beyond the ends are held there."""
        low, high, shown = self.low, self.high, value
        if self.log:
            low, high, shown = math.log(low), math.log(high), math.log(max(value, self.low))
        return min(max((shown - low) / (high - low), 0.0), 1.0)


def line_chart(identity: str, title: str, description: str, x: Axis, y: Axis, series: Sequence[Series]) -> Html:
    """Lines over two axes, each named at its right end."""
    across = WIDTH - LEFT - RIGHT
    up = HEIGHT - TOP - BOTTOM

    def px(value: float) -> float:
        return LEFT + across * x.at(value)

    def py(value: float) -> float:
        return TOP + up * (1.0 - y.at(value))

    parts: list[Html] = _frame(x, y, px, py)
    for item in series:
        parts.extend(_line(item, px, py))
    ends = _apart([py(item.points[-1].y) for item in series if item.points])
    for item, end in zip((item for item in series if item.points), ends, strict=True):
        last = item.points[-1]
        parts.append(_path([(px(last.x) + 4, py(last.y)), (LEFT + across + 12, end)], item.color, 1.0, "1 2"))
        strong = "600" if item.marks else None
        parts.append(_text(LEFT + across + 15, end + 4, item.name, fill=item.color, weight=strong))
    return _svg(identity, title, description, parts, WIDTH, HEIGHT)


def forest_plot(
    identity: str,
    title: str,
    description: str,
    rows: Sequence[tuple[str, float, float | None, float | None]],
    axis: Axis,
) -> Html:
    """One line a row: a point with its interval on a common axis; the reference value 1 is drawn through."""
    wide, label, row = 460.0, 176.0, 34.0
    height = row * len(rows) + 46.0

    def px(value: float) -> float:
        return label + (wide - label - 14.0) * axis.at(value)

    parts: list[Html] = []
    bottom = row * len(rows) + 6.0
    for value, text in axis.ticks:
        dark = value == 1.0
        parts.append(_path([(px(value), 4), (px(value), bottom)], MUTED if dark else GRID, 1.0))
        parts.append(_text(px(value), bottom + 14, text, anchor="middle", fill=MUTED))
    parts.append(_text((label + wide) / 2, bottom + 31, axis.title, anchor="middle", fill=MUTED))
    for at, (name, value, low, high) in enumerate(rows):
        middle = row * at + row / 2 + 4
        first, second = _two_lines(name)
        parts.append(_text(label - 8, middle + (4 if not second else -3), first, anchor="end"))
        if second:
            parts.append(_text(label - 8, middle + 11, second, anchor="end"))
        if low is not None and high is not None:
            parts.append(_path([(px(low), middle), (px(high), middle)], "#3b0f51", 2.0))
        parts.append(tag("circle", cx=_n(px(value)), cy=_n(middle), r="5", fill="#3b0f51"))
    return _svg(identity, title, description, parts, wide, height)


def _frame(x: Axis, y: Axis, px: Callable[[float], float], py: Callable[[float], float]) -> list[Html]:
    across, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = []
    for value, text in y.ticks:
        parts.append(_path([(LEFT, py(value)), (across, py(value))], GRID, 1.0))
        parts.append(_text(LEFT - 6, py(value) + 4, text, anchor="end", fill=MUTED))
    for value, text in x.ticks:
        parts.append(_path([(px(value), bottom), (px(value), bottom + 4)], MUTED, 1.0))
        parts.append(_text(px(value), bottom + 17, text, anchor="middle", fill=MUTED))
    parts.append(_path([(LEFT, bottom), (across, bottom)], MUTED, 1.0))
    parts.append(_text((LEFT + across) / 2, HEIGHT - 8, x.title, anchor="middle", fill=MUTED))
    parts.append(
        tag(
            "text",
            y.title,
            x="0",
            y="0",
            fill=MUTED,
            text_anchor="middle",
            transform=f"translate(12 {_n((TOP + bottom) / 2)}) rotate(-90)",
        )
    )
    return parts


def _line(item: Series, px: Callable[[float], float], py: Callable[[float], float]) -> list[Html]:
    parts = [_path([(px(p.x), py(p.y)) for p in item.points], item.color, item.width, item.dash)]
    for p in item.points:
        if item.marks and p.low is not None and p.high is not None and abs(py(p.low) - py(p.high)) > 1.0:
            parts.append(_path([(px(p.x), py(p.low)), (px(p.x), py(p.high))], item.color, 1.2))
        if item.marks:
            parts.append(tag("circle", cx=_n(px(p.x)), cy=_n(py(p.y)), r=_n(1.4 + item.width), fill=item.color))
    return parts


def _apart(wanted: Sequence[float]) -> list[float]:
    """Positions of labels near where they are wanted, none over another, within the plot."""
    order = sorted(range(len(wanted)), key=lambda at: (wanted[at], at))
    placed = [0.0] * len(wanted)
    floor = TOP + 4
    for at in order:
        placed[at] = max(wanted[at], floor)
        floor = placed[at] + _LINE
    ceiling = HEIGHT - BOTTOM + 2
    for at in reversed(order):
        placed[at] = min(placed[at], ceiling)
        ceiling = placed[at] - _LINE
    return placed


def _two_lines(text: str, width: int = 26) -> tuple[str, str]:
    """Text cut at a blank into two lines of some length; what is longer still is cut with an ellipsis."""
    if len(text) <= width:
        return text, ""
    cut = text.rfind(" ", 0, width + 1)
    first, second = (text[:width], text[width:]) if cut < width // 3 else (text[:cut], text[cut + 1 :])
    return first, second if len(second) <= width + 2 else second[: width + 1].rstrip() + "\u2026"


def _path(points: Sequence[tuple[float, float]], color: str, width: float, dash: str = "") -> Html:
    line = " ".join(f"{'M' if at == 0 else 'L'}{_n(x)} {_n(y)}" for at, (x, y) in enumerate(points))
    return tag("path", d=line, fill="none", stroke=color, stroke_width=_n(width), stroke_dasharray=dash or None)


def _text(x: float, y: float, text: str, *, anchor: str = "start", fill: str = INK, weight: str | None = None) -> Html:
    return tag("text", text, x=_n(x), y=_n(y), text_anchor=anchor, fill=fill, font_weight=weight)


def _svg(identity: str, title: str, description: str, parts: Sequence[Html], width: float, height: float) -> Html:
    return tag(
        "svg",
        tag("title", title, id=f"{identity}-title"),
        tag("desc", description, id=f"{identity}-desc"),
        *parts,
        class_="chart",
        viewBox=f"0 0 {_n(width)} {_n(height)}",
        role="img",
        aria_labelledby=f"{identity}-title {identity}-desc",
    )


def _n(value: float) -> str:
    """A coordinate with a tenth of a pixel."""
    return f"{value:.1f}".rstrip("0").rstrip(".")
