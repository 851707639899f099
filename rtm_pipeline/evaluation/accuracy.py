"""accuracy.json: every surface of a run, judged on the same later period and the same cells, beside the baselines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ModelError
from rtm_pipeline.evaluation.compare import VERDICT_RULE, Comparison, compare, mean_log_pai
from rtm_pipeline.evaluation.measures import SHARES, SurfaceMeasures, measure
from rtm_pipeline.grid.spec import StudyGrid
from rtm_pipeline.surface.past import BASELINES, Baselines
from rtm_pipeline.units import Window

__all__ = ["Accuracy", "Scored", "judge", "table_accuracy"]

SURFACES = ("risk_terrain", "forecast", *BASELINES, "perfect")


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """A surface to be judged, or why there is none.

    Attributes
    ----------
    score : ndarray, shape (n,), or None
    in_incidents : bool
        Whether it is in expected incidents of the horizon; only then has it an RRI.
    reason : str or None
        Why ``score`` is None.
    """

    score: NDArray[np.floating] | None
    in_incidents: bool = False
    reason: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Accuracy:
    """The judgement of a run.

    Attributes
    ----------
    cutoff : date
    horizon : Window or None
        None where no outcome could be scored.
    n_cells : int
    area_cells : float
        Study area in cells.
    n_events : int or None
    surfaces : dict of str to SurfaceMeasures or None
    missing : dict of str to str
        Why a surface is None.
    comparison : Comparison or None
        The forecast against the baseline chosen before the cut-off.
    baseline_chosen, baseline_reason : str
    left_out : tuple of (str, str)
        Factors not known at the cut-off, with the reason.
    with_assumed : dict of str to SurfaceMeasures or None, optional
        The same with factors whose history is assumed.
    not_judged : str or None
        Why there is no verdict.
    baselines_ahead : tuple of str
        Rules that, looking back, caught more than the forecast over all shares (mean log PAI), chosen or not.
    comparison_assumed : Comparison or None
        As ``comparison``, of the forecast with factors whose history is assumed; it decides nothing.
    """

    cutoff: date
    horizon: Window | None
    n_cells: int
    area_cells: float
    n_events: int | None
    surfaces: dict[str, SurfaceMeasures | None]
    missing: dict[str, str]
    comparison: Comparison | None
    baseline_chosen: str
    baseline_reason: str
    left_out: tuple[tuple[str, str], ...] = ()
    with_assumed: dict[str, SurfaceMeasures | None] | None = None
    not_judged: str | None = None
    baselines_ahead: tuple[str, ...] = ()
    comparison_assumed: Comparison | None = None

    @property
    def verdict(self) -> str:
        """``better``, ``not_better`` or ``not_judged``."""
        return "not_judged" if self.comparison is None else self.comparison.verdict

    def as_json(self) -> dict[str, object]:
        """The content of accuracy.json, plain values only."""
        compared: dict[str, object] = {
            "baseline_chosen": self.baseline_chosen,
            "interval_level": 0.95,
            "difference": {},
            "mean_log_ratio": {"value": None, "low": None, "high": None},
            "verdict": "not_judged",
            "verdict_reason": self.not_judged,
            "verdict_rule": VERDICT_RULE,
        }
        if self.comparison is not None:
            compared |= self.comparison.as_json()
        return {
            "cutoff": self.cutoff.isoformat(),
            "horizon": None if self.horizon is None else [self.horizon.start.isoformat(), self.horizon.end.isoformat()],
            "n_cells": self.n_cells,
            "area_cells": self.area_cells,
            "n_events": self.n_events,
            "surfaces": _block(self.surfaces),
            "missing": dict(self.missing),
            **compared,
            "baseline_reason": self.baseline_reason,
            "baselines_ahead": list(self.baselines_ahead),
            "left_out": [{"factor": factor, "reason": reason} for factor, reason in self.left_out],
            "with_assumed": None if self.with_assumed is None else _block(self.with_assumed),
            "with_assumed_difference": _differences(self.comparison_assumed),
        }


def _differences(comparison: Comparison | None) -> dict[str, object] | None:
    if comparison is None:
        return None
    block = comparison.as_json()
    return {name: block[name] for name in ("difference", "mean_log_ratio")}


def _block(surfaces: Mapping[str, SurfaceMeasures | None]) -> dict[str, object]:
    return {name: None if value is None else value.as_json() for name, value in surfaces.items()}


def judge(
    grid: StudyGrid,
    observed: NDArray[np.integer] | None,
    cutoff: date,
    horizon: Window | None,
    surfaces: Mapping[str, Scored],
    baselines: Baselines,
    baseline: tuple[str, str],
    blocks: NDArray[np.integer],
    *,
    left_out: tuple[tuple[str, str], ...] = (),
    with_assumed: Mapping[str, Scored] | None = None,
    shares: tuple[float, ...] = SHARES,
    seed: int = 0,
) -> Accuracy:
    """Measure all surfaces on the outcome and compare the forecast with the chosen baseline.

    Parameters
    ----------
    grid : StudyGrid
    observed : ndarray of int, shape (n,), or None
        The outcome's rows of the horizon; None: there is nothing to judge on (yet).
    cutoff : date
    horizon : Window or None
    surfaces : mapping of str to Scored
        ``risk_terrain`` and ``forecast`` (and others, if any) as of the cut-off.
    baselines : Baselines
        Past surfaces as of the cut-off.
    baseline : (str, str)
        Name of the rule to beat, chosen before the cut-off, and the reason.
    blocks : ndarray of int, shape (n,)
        Spatial blocks of the bootstrap.
    left_out : tuple of (str, str)
    with_assumed : mapping of str to Scored, optional
        The same surfaces with factors whose history is assumed.
    shares : tuple of float
    seed : int

    Raises
    ------
    ModelError
        If a surface does not speak of the cells of the grid.
    """
    name, reason = baseline
    if observed is None or horizon is None:
        why = "no outcome after the cut-off to score"
        return Accuracy(
            cutoff,
            horizon,
            grid.n_cells,
            float(grid.exposure.sum()),
            None,
            dict.fromkeys(SURFACES),
            dict.fromkeys(SURFACES, why),
            None,
            name,
            reason,
            left_out,
            None,
            why,
        )
    everything = dict(surfaces)
    for rule in BASELINES:
        everything[rule] = Scored(baselines.surfaces.get(rule), reason=baselines.missing.get(rule))
    everything["perfect"] = Scored(observed.astype(np.float64))
    measured, missing = _measure_all(grid, observed, everything, shares)
    comparison, why_not = None, None
    mine, theirs = everything.get("forecast", Scored(None)).score, baselines.surfaces.get(name)
    if mine is None:
        why_not = f"there is no forecast: {missing.get('forecast', 'none was made')}"
    elif theirs is None:
        why_not = f"the chosen baseline {name} could not be made: {baselines.missing.get(name)}"
    else:
        comparison = compare(observed, mine, theirs, name, blocks, shares=shares, seed=seed)
    assumed = None if with_assumed is None else _measure_all(grid, observed, with_assumed, shares)[0]
    labelled = None if with_assumed is None else with_assumed.get("forecast", Scored(None)).score
    return Accuracy(
        cutoff=cutoff,
        horizon=horizon,
        n_cells=grid.n_cells,
        area_cells=float(grid.exposure.sum()),
        n_events=int(observed.sum()),
        surfaces=measured,
        missing=missing,
        comparison=comparison,
        baseline_chosen=name,
        baseline_reason=reason,
        left_out=left_out,
        with_assumed=assumed,
        not_judged=why_not,
        baselines_ahead=() if mine is None else _ahead(observed, mine, baselines, shares),
        comparison_assumed=None
        if labelled is None or theirs is None
        else compare(observed, labelled, theirs, name, blocks, shares=shares, seed=seed),
    )


def _ahead(
    observed: NDArray[np.integer], mine: NDArray[np.floating], baselines: Baselines, shares: tuple[float, ...]
) -> tuple[str, ...]:
    """Baselines with a higher mean log PAI than the forecast, in hindsight."""
    reached = mean_log_pai(observed, mine, shares)
    return tuple(
        name
        for name in BASELINES
        if name in baselines.surfaces and mean_log_pai(observed, baselines.surfaces[name], shares) > reached
    )


def _measure_all(
    grid: StudyGrid, observed: NDArray[np.integer], surfaces: Mapping[str, Scored], shares: tuple[float, ...]
) -> tuple[dict[str, SurfaceMeasures | None], dict[str, str]]:
    measured: dict[str, SurfaceMeasures | None] = {}
    missing: dict[str, str] = {}
    order = [name for name in SURFACES if name in surfaces] + [name for name in surfaces if name not in SURFACES]
    for name in order:
        item = surfaces[name]
        if item.score is None:
            measured[name] = None
            missing[name] = item.reason or "not made"
            continue
        if item.score.shape != (grid.n_cells,):
            raise ModelError(
                f"The surface {name!r} has shape {item.score.shape}; the grid has {grid.n_cells} cells. Judge surfaces "
                "on the grid that they were made on."
            )
        measured[name] = measure(
            observed, item.score, exposure=grid.exposure, in_incidents=item.in_incidents, shares=shares
        )
    return measured, missing


def table_accuracy(
    observed: NDArray[np.integer] | NDArray[np.floating],
    score: NDArray[np.floating],
    *,
    exposure: NDArray[np.float64] | None = None,
    in_incidents: bool = False,
    shares: tuple[float, ...] = SHARES,
) -> dict[str, object]:
    """Accuracy of a score in any table of cells, as plain values (`rtm accuracy`).

    Parameters
    ----------
    observed, score : ndarray, shape (n,)
    exposure : ndarray of float64, shape (n,), optional
    in_incidents : bool
        The score is in expected incidents, so that there is an RRI.
    shares : tuple of float

    Returns
    -------
    dict
        ``n_cells``, ``n_events``, ``pai``, ``pei``, ``rri``, ``hit_rate``, ``pai_area``, ``distinct_values`` and
        ``perfect_pai``; ``without_score``: rows whose score is missing, which rank last.

    Raises
    ------
    ModelError
        If the columns are not of one length, a count is negative, missing or infinite, an exposure is not positive,
        or a score in incidents is negative.
    """
    found = measure(observed, score, exposure=exposure, in_incidents=in_incidents, shares=shares)
    perfect = measure(observed, np.asarray(observed, np.float64), exposure=exposure, shares=shares)
    return {
        "n_cells": int(np.size(observed)),
        "n_events": float(np.sum(observed)),
        "without_score": int(np.isnan(np.asarray(score, np.float64)).sum()),
        **found.as_json(),
        "perfect_pai": perfect.as_json()["pai"],
    }
