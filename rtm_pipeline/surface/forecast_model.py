"""What tuning hands to forecasting: everything that was chosen before the cut-off."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.surface.columns import Columns
from rtm_pipeline.surface.heterogeneity import CellPrior
from rtm_pipeline.units import Window

__all__ = ["ForecastModel"]


@dataclass(frozen=True, slots=True, eq=False)
class ForecastModel:
    """Everything chosen before the cut-off.

    Attributes
    ----------
    cutoff : date
    decay : float
    decay_reason : str
    ladder : tuple of float
        Bandwidths of the surroundings in cells, wide to narrow.
    strengths : tuple of float
        Pseudo-incidents that hold each surrounding's ratio at 1.
    powers : tuple of float
        Exponent of each surrounding's ratio.
    columns : Columns
        Continuous features used, p of them, and how they are scaled.
    coefficients : ndarray of float64, shape (p,)
        Of the standardized features before the surroundings are looked at.
    corrections : ndarray of float64, shape (p,)
        What is added to them afterwards.
    intercept : float
    ridge : float
        Penalty of ``coefficients``, chosen on held-out spatial blocks; infinite where there were none.
    prior : CellPrior
        How cells differ from their prior means: gives the expected incidents.
    interval_prior : CellPrior or None
        The same where prior means may be off (`surface.mean_error`): gives the interval of the rate. None where no
        period before the cut-off could tell: then ``prior``, with means held to be right.
    windows : tuple of Window
        Periods whose outcome was used.
    log_likelihood : float
        Of the training windows given what was known before them; NaN without any.
    fitted : ndarray of float64, shape (n,), or None
        Expected (distinct) incidents of the newest training window, as seen from its start and scaled to its total.
    """

    cutoff: date
    decay: float
    decay_reason: str
    ladder: tuple[float, ...]
    strengths: tuple[float, ...]
    powers: tuple[float, ...]
    columns: Columns
    coefficients: NDArray[np.float64]
    corrections: NDArray[np.float64]
    intercept: float
    ridge: float
    prior: CellPrior
    interval_prior: CellPrior | None
    windows: tuple[Window, ...]
    log_likelihood: float
    fitted: NDArray[np.float64] | None
