"""What a backtest is asked and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.evaluation.accuracy import Accuracy
from rtm_pipeline.evaluation.calibration import Calibration, GroupTotal
from rtm_pipeline.evaluation.crossval import CrossValidation
from rtm_pipeline.evaluation.disparity import Disparity
from rtm_pipeline.evaluation.residuals import Moran
from rtm_pipeline.model.spec import ModelSpec
from rtm_pipeline.surface.forecast import Forecast
from rtm_pipeline.surface.vintage import RiskTerrain
from rtm_pipeline.units import Duration, Vintage, Window

if TYPE_CHECKING:
    from rtm_pipeline.factors import Factor

__all__ = ["AreaGroups", "Backtest", "BacktestPlan", "FactorSet"]


@dataclass(frozen=True, slots=True, eq=False)
class FactorSet:
    """Risk factors of a vintage.

    Attributes
    ----------
    fitted, applied : mapping of str to Factor
        As known when the outcome window began, and as known at the cut-off (with the cut-offs of the fit).
    left_out : tuple of (str, str)
        Factors that were not known then, with the reason.
    """

    fitted: Mapping[str, Factor]
    applied: Mapping[str, Factor]
    left_out: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class AreaGroups:
    """Cells by named area, such as the neighborhoods.

    Attributes
    ----------
    level : str
        Name of the areas layer.
    group : ndarray of int, shape (n,)
        Index into ``names``; -1: none.
    names : tuple of str
    """

    level: str
    group: NDArray[np.int32]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BacktestPlan:
    """What is judged.

    Attributes
    ----------
    vintage : Vintage
        Outcome window of the judged model, and when its factors were known.
    cutoff : date
        Nothing known later may enter a surface.
    judged : Window
        The outcome that decides.
    observed_at : date
        The outcome is taken as it was known then.
    unit : str
    history : Duration, optional
        Reach of the past; None: all.
    model : ModelSpec
    block_side_u : float
    seed : int
    """

    vintage: Vintage
    cutoff: date
    judged: Window
    observed_at: date
    unit: str
    history: Duration | None
    model: ModelSpec
    block_side_u: float
    seed: int


@dataclass(frozen=True, slots=True, eq=False)
class Backtest:
    """The judgement, and the surfaces that were judged.

    Attributes
    ----------
    accuracy : Accuracy
    terrain : RiskTerrain or None
    forecast : Forecast or None
    observed : ndarray of int64, shape (n,)
        The outcome that decided.
    calibration : Calibration or None
    residual_moran : Moran or None
        Of the Pearson residuals of the forecast.
    disparity : mapping of str to Disparity
        By level of areas.
    newest_input : date or None
        Latest date at which anything that entered was known; not after the cut-off.
    cross_validation : tuple of CrossValidation
        The forecast by spatial blocks; the risk terrain by the first level of areas, one left out at a time.
    group_totals : mapping of str to tuple of GroupTotal
        By level of areas: expected and observed incidents, with the interval of the number to be observed.
    """

    accuracy: Accuracy
    terrain: RiskTerrain | None
    forecast: Forecast | None
    observed: NDArray[np.int64]
    calibration: Calibration | None
    residual_moran: Moran | None
    disparity: Mapping[str, Disparity]
    newest_input: date | None
    cross_validation: tuple[CrossValidation, ...] = ()
    group_totals: Mapping[str, tuple[GroupTotal, ...]] = field(default_factory=dict)
