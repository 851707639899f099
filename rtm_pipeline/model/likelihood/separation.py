"""Whether a maximum likelihood estimate exists: some 0/1 terms have none, their coefficients run to infinity.

For counts with log link the estimate is infinite exactly if a direction of the coefficients leaves the linear
predictor unchanged where there are incidents, raises it nowhere, and lowers it somewhere. A linear program decides.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ModelError

__all__ = ["SUSPICIOUS", "estimate_exists"]

SUSPICIOUS = 10.0
"""Coefficients beyond this (an RRV above 22,000) are checked; Newton's method stops at some 20 on a separated term."""


def estimate_exists(bits: NDArray[np.uint8], has_events: NDArray[np.bool_]) -> bool:
    """Decide whether all coefficients, the intercept included, have finite estimates.

    Parameters
    ----------
    bits : ndarray of uint8, shape (n_rows, n_terms)
        Distinct patterns that occur.
    has_events : ndarray of bool, shape (n_rows,)
        Whether cells of the pattern have incidents.

    Returns
    -------
    bool
    """
    from scipy.optimize import linprog

    design = np.column_stack([np.ones(len(bits)), bits]).astype(float)
    quiet, busy = design[~has_events], design[has_events]
    if not len(quiet):
        return True
    result = linprog(
        quiet.sum(axis=0),
        A_ub=quiet,
        b_ub=np.zeros(len(quiet)),
        A_eq=busy if len(busy) else None,
        b_eq=np.zeros(len(busy)) if len(busy) else None,
        bounds=(-1.0, 1.0),
        method="highs",
    )
    if result.fun is None:
        raise ModelError(f"The check for infinite coefficients failed: {result.message}")
    return bool(result.fun > -1e-7)
