"""The path of the screening: what cross-validation saw at each penalty, and where it stopped."""

from __future__ import annotations

import math

from rtm_pipeline.model.screening import Screening
from rtm_pipeline.publication.facts.plots import Point, Series
from rtm_pipeline.publication.html.charts import Axis, line_chart
from rtm_pipeline.publication.html.tags import Html, tag

__all__ = ["screening_figure"]

CURVE, CHOICE = "#3b0f51", "#b3402e"
_TICKS = 4


def screening_figure(screening: Screening) -> Html | None:
    """Held-out deviance against the penalty, with one standard error, and the penalty that was chosen.

    Parameters
    ----------
    screening : Screening

    Returns
    -------
    Html or None
        None where the path is a single point.
    """
    if screening.penalties.size < 2:
        return None
    low = float((screening.cv_deviance - screening.cv_se).min())
    high = float((screening.cv_deviance + screening.cv_se).max())
    points = [
        Point(1.0 / float(penalty), float(deviance), float(deviance - se), float(deviance + se))
        for penalty, deviance, se in zip(screening.penalties, screening.cv_deviance, screening.cv_se, strict=True)
    ]
    chosen = points[screening.chosen]
    kept, last = int(screening.n_nonzero[screening.chosen]), int(screening.n_nonzero[-1])
    x = Axis("variables kept, as the penalty weakens", _penalty_ticks(screening), points[0].x, points[-1].x, log=True)
    y = Axis("held-out deviance a cell", _even_ticks(low, high), low, high)
    upright = (Point(chosen.x, low), Point(chosen.x, high))
    series = (
        Series(f"{last} variables", tuple(points), CURVE, width=1.4, marks=False),
        Series(f"chosen: {kept}", upright, CHOICE, width=1.4, dash="4 3", marks=False),
    )
    words = (
        f"The deviance falls from {points[0].y:.5f} without variables to {chosen.y:.5f} (standard error "
        f"{float(screening.cv_se[screening.chosen]):.5f}) at the chosen penalty {screening.penalty:.3g}, where {kept} "
        "variables are kept."
    )
    chart = line_chart("screening", "Screening: held-out deviance along the path of penalties", words, x, y, series)
    return tag("figure", chart, tag("figcaption", words))


def _penalty_ticks(screening: Screening) -> tuple[tuple[float, str], ...]:
    """A few penalties of the path, at their number of variables."""
    at = sorted({round(i * (screening.penalties.size - 1) / _TICKS) for i in range(_TICKS + 1)})
    return tuple((1.0 / float(screening.penalties[i]), f"{int(screening.n_nonzero[i])}") for i in at)


def _even_ticks(low: float, high: float) -> tuple[tuple[float, str], ...]:
    digits = max(0, 1 - math.floor(math.log10(max(high - low, 1e-12))))
    step = (high - low) / _TICKS
    return tuple((low + step * i, f"{low + step * i:.{min(digits, 6)}f}") for i in range(_TICKS + 1))
