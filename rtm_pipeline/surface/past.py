"""Past surfaces: the simple rules that any forecast has to beat, with their settings chosen before the cut-off.

All are in the outcome's own unit (rows), cell by cell, and are rankings: their scale does not matter. At the edge of
the study area the kernel density loses what lies outside, as it does in the tools that analysts use.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ModelError
from rtm_pipeline.grid.spec import StudyGrid
from rtm_pipeline.surface.history import DAYS_PER_YEAR, History
from rtm_pipeline.surface.lattice import smooth
from rtm_pipeline.surface.regression import poisson_deviance
from rtm_pipeline.surface.windows import training_windows
from rtm_pipeline.units import Duration, Window

__all__ = ["BASELINES", "DEFAULT_DECAY", "Baselines", "choose_bandwidth", "choose_decay", "past_surfaces"]

BASELINES = ("counts_1y", "counts_2y", "counts_decayed", "kde", "uniform")
DEFAULT_DECAY = 0.7
_DECAYS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_BANDWIDTHS_CELLS = (1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0, 8.0, 12.0)
_PRIOR_YEARS = 3
_AREA_DIGITS = 6  # rounding of coordinates must not rank cells that are wholly inside


@dataclass(frozen=True, slots=True, eq=False)
class Baselines:
    """Past surfaces as known at a cut-off.

    Attributes
    ----------
    surfaces : dict of str to ndarray of float64, shape (n,)
        Those that could be made, of `BASELINES`.
    missing : dict of str to str
        The others, with the reason.
    decay : float
        Weight of an incident that is a year older.
    decay_reason : str
    bandwidth_cells : float
        Standard deviation of the kernel density, in cells.
    bandwidth_reason : str
    """

    surfaces: dict[str, NDArray[np.float64]]
    missing: dict[str, str]
    decay: float
    decay_reason: str
    bandwidth_cells: float
    bandwidth_reason: str


def past_surfaces(
    grid: StudyGrid,
    history: History,
    cutoff: date,
    *,
    decay: tuple[float, str] | None = None,
    bandwidth: tuple[float, str] | None = None,
) -> Baselines:
    """Make every baseline that the history allows.

    Parameters
    ----------
    grid : StudyGrid
    history : History
        Rows known by the cut-off only.
    cutoff : date
    decay, bandwidth : (float, str), optional
        Settings chosen before, with the reason; by default they are chosen here, before the cut-off.

    Raises
    ------
    ModelError
        If the history holds rows known after the cut-off.
    """
    history.refuse_known_after(cutoff)
    chosen_decay, decay_reason = decay if decay is not None else choose_decay(history, cutoff)
    chosen_width, width_reason = bandwidth if bandwidth is not None else choose_bandwidth(grid, history, cutoff)
    surfaces: dict[str, NDArray[np.float64]] = {}
    missing: dict[str, str] = {}
    end = min(history.observed.end, cutoff)
    for name, years in (("counts_1y", 1), ("counts_2y", 2)):
        window = Window(Duration(years, "y").before(end), end)
        if history.covers(window):
            surfaces[name] = history.rows(window).astype(np.float64)
        else:
            missing[name] = f"needs {window}; the record covers {history.observed}{_gaps(history)}"
    decayed = history.decayed(cutoff, chosen_decay, by_row=True)
    if decayed.total > 0:
        surfaces["counts_decayed"] = decayed.counts
        everything = history.decayed(cutoff, 1.0, by_row=True).counts
        surfaces["kde"] = smooth(grid, everything, chosen_width)
    else:
        missing |= dict.fromkeys(("counts_decayed", "kde"), f"no incident is known before {cutoff}")
    surfaces["uniform"] = np.round(grid.exposure, _AREA_DIGITS)
    return Baselines(surfaces, missing, chosen_decay, decay_reason, chosen_width, width_reason)


def _gaps(history: History) -> str:
    return "" if not history.gaps else f" without {', '.join(str(gap) for gap in history.gaps)}"


def choose_decay(history: History, cutoff: date) -> tuple[float, str]:
    """Decay of the past by the deviance of rolling earlier years; 0.7 a year where there are too few to choose.

    Each candidate's decayed counts, shrunk to the mean cell by as much as serves it best, forecast every training
    window that has at least two years before it.

    Returns
    -------
    decay : float
    reason : str
    """
    past = history.known_by(cutoff)
    windows = [
        window
        for window in training_windows(past, cutoff)
        if (window.start - past.observed.start).days >= 2 * DAYS_PER_YEAR - 1
    ]
    years = past.observed.days / DAYS_PER_YEAR
    if not windows or years < _PRIOR_YEARS - 0.01:
        return DEFAULT_DECAY, f"{years:.1f} years on record, too few to choose from: {DEFAULT_DECAY} a year is assumed"
    losses = dict.fromkeys(_DECAYS, 0.0)
    for window in windows:
        future = past.incidents(window).astype(np.float64)
        before = past.known_by(window.start)
        for decay in _DECAYS:
            losses[decay] += _shrunk_loss(before.decayed(window.start, decay).counts, future)
    best = min(_DECAYS, key=lambda decay: losses[decay])
    spans = ", ".join(str(window) for window in windows)
    return best, f"lowest held-out deviance of {len(_DECAYS)} candidates on {spans}"


def choose_bandwidth(grid: StudyGrid, history: History, cutoff: date) -> tuple[float, str]:
    """Bandwidth of the kernel density, in cells, by the deviance of earlier windows.

    The narrowest candidate is one cell: a narrower kernel degenerates to counts at cell centers.

    Returns
    -------
    bandwidth_cells : float
    reason : str
    """
    past = history.known_by(cutoff)
    windows = training_windows(past, cutoff)
    if not windows:
        assumed = 2.0
        return assumed, f"no earlier window to choose on: {assumed:g} cells are assumed"
    losses = dict.fromkeys(_BANDWIDTHS_CELLS, 0.0)
    for window in windows:
        future = past.rows(window).astype(np.float64)
        before = past.known_by(window.start).decayed(window.start, 1.0, by_row=True).counts
        for width in _BANDWIDTHS_CELLS:
            losses[width] += _mixed_loss(smooth(grid, before, width), grid.exposure, future)
    best = min(_BANDWIDTHS_CELLS, key=lambda width: losses[width])
    spans = ", ".join(str(window) for window in windows)
    return best, f"lowest held-out deviance of {len(_BANDWIDTHS_CELLS)} candidates on {spans}"


def _least(loss: Callable[[float], float], low: float, high: float) -> float:
    from scipy import optimize

    return float(optimize.minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 0.05}).fun)


def _shrunk_loss(counts: NDArray[np.float64], future: NDArray[np.float64]) -> float:
    """Deviance of counts plus the constant that serves them best, scaled to the total of the future."""
    average, total = float(counts.mean()), float(future.sum())
    if average <= 0:
        return poisson_deviance(future, np.full(future.size, total / future.size))

    def loss(log_strength: float) -> float:
        guess = counts + average * np.exp(log_strength)
        return poisson_deviance(future, guess * (total / guess.sum()))

    return _least(loss, -6.0, 6.0)


def _mixed_loss(density: NDArray[np.float64], exposure: NDArray[np.float64], future: NDArray[np.float64]) -> float:
    """Deviance of a density mixed with as much of the uniform surface as serves it best."""
    total = float(future.sum())
    if float(density.sum()) <= 0 or total <= 0:
        raise ModelError("A bandwidth can't be chosen on windows without incidents.")
    share, flat = density / density.sum(), exposure / exposure.sum()

    def loss(log_odds: float) -> float:
        uniform = 1.0 / (1.0 + np.exp(-log_odds))
        return poisson_deviance(future, total * ((1.0 - uniform) * share + uniform * flat))

    return _least(loss, -7.0, 4.0)
