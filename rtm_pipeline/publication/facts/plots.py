"""Lines of the accuracy plots: the same surfaces, colors and dashes on a screen and on paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rtm_pipeline.publication.content import FORECAST, RISK_TERRAIN
from rtm_pipeline.publication.facts.accuracy import AccuracyFacts
from rtm_pipeline.publication.facts.measures import PERFECT, UNIFORM
from rtm_pipeline.publication.facts.words import surface_name

__all__ = ["PLOT_COLORS", "Point", "Series", "plot_series"]

PLOT_COLORS = {FORECAST: "#3b0f51", RISK_TERRAIN: "#b3314f"}
BASELINE_COLOR = "#1f6391"
OTHER_COLOR = "#6f6c78"


@dataclass(frozen=True, slots=True)
class Point:
    """A value at a place of the x axis, with an interval or tie bounds."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a plot.

    Attributes
    ----------
    name : str
        Stands at its right end.
    points : tuple of Point
    color : str
    width : float
    dash : str
        SVG dash pattern; empty: solid.
    marks : bool
        Whether its points, and their intervals, are marked.
    """

    name: str
    points: tuple[Point, ...]
    color: str
    width: float = 2.0
    dash: str = ""
    marks: bool = True


def plot_series(accuracy: AccuracyFacts, measure: str, *, skip: Sequence[str] = ()) -> list[Series]:
    """One line a surface; where ties leave a range, it is drawn."""
    found = []
    for item in accuracy.surfaces:
        values = getattr(item, measure)
        if not values or item.name in skip:
            continue
        points = tuple(Point(share, at.expected, at.minimum, at.maximum) for share, at in values.items())
        chosen = item.name == accuracy.baseline
        color = PLOT_COLORS.get(item.name, BASELINE_COLOR if chosen else OTHER_COLOR)
        dash = {PERFECT: "6 4", UNIFORM: "1 4"}.get(item.name, "" if item.name in PLOT_COLORS or chosen else "4 2")
        width = 3.0 if item.name == FORECAST else 2.0 if item.name in PLOT_COLORS or chosen else 1.3
        found.append(Series(surface_name(item.name, short=True), points, color, width, dash, marks=width > 1.5))
    return found
