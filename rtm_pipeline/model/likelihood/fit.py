"""One maximum likelihood fit of a family to the rows of a model.

Standard errors come from the observed information of all parameters together, the dispersion included.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ModelError
from rtm_pipeline.model.likelihood.families import Family
from rtm_pipeline.model.likelihood.sufficient import Rows

__all__ = ["FamilyFit", "fit_family"]


@dataclass(frozen=True, slots=True)
class FamilyFit:
    """A maximum likelihood fit.

    Attributes
    ----------
    family : Family
    coefficients : ndarray of float64, shape (1 + n_terms,)
        Intercept first.
    standard_errors : ndarray of float64, shape (1 + n_terms,)
        From the observed information.
    dispersion : float or None
        None for Poisson.
    dispersion_se : float or None
        None for Poisson and at the boundary.
    at_boundary : bool
        The counts are not over-dispersed: the dispersion is 0 and the fit equals Poisson.
    log_likelihood : float
        With all constants.
    n_cells : int
    """

    family: Family
    coefficients: NDArray[np.float64]
    standard_errors: NDArray[np.float64]
    dispersion: float | None
    dispersion_se: float | None
    at_boundary: bool
    log_likelihood: float
    n_cells: int

    @property
    def n_parameters(self) -> int:
        """Intercept, coefficients and dispersion."""
        return self.coefficients.size + self.family.n_dispersion

    @property
    def deviance(self) -> float:
        """-2 log L with constants: the global deviance that gamlss and RTMDx report."""
        return -2.0 * self.log_likelihood

    @property
    def aic(self) -> float:
        """Akaike's criterion."""
        return self.deviance + 2.0 * self.n_parameters

    @property
    def bic(self) -> float:
        """Schwarz's criterion (SBC) with n = number of cells; the dispersion is counted."""
        return self.deviance + float(np.log(self.n_cells)) * self.n_parameters


def fit_family(
    rows: Rows, n_cells: int, start: NDArray[np.float64] | None = None, phi: float | None = None
) -> FamilyFit:
    """Fit the terms of ``rows``.

    Parameters
    ----------
    rows : Rows
    n_cells : int
        Cells that the rows stand for.
    start : ndarray of float64, shape (1 + n_terms,), optional
        Starting coefficients; default: the overall rate.
    phi : float, optional
        Starting dispersion.

    Returns
    -------
    FamilyFit

    Raises
    ------
    ModelError
        If terms are linear combinations of others, or Newton's method does not converge.
    """
    from rtm_pipeline.model.likelihood import newton

    family, p = rows.family, 1 + rows.bits.shape[1]
    beta = np.zeros(p) if start is None else start.astype(float)
    if start is None:
        beta[0] = np.log(rows.arrays.events / float(rows.arrays.size @ rows.arrays.scale))
    first = (0.1 if phi is None else phi) if family.n_dispersion else 0.0
    info = np.zeros((p + 1, p + 1))
    total, phi_hat, status, steps = newton.fit_rows(rows.arrays, beta, first, info)
    if status == newton.SINGULAR:
        raise ModelError(
            f"Family {family.name}: the terms of the model are linear combinations of each other, so their "
            "coefficients can't be told apart. Drop one of the variables that overlap completely."
        )
    if status != newton.CONVERGED or not np.isfinite(total):
        raise ModelError(
            f"Family {family.name}: Newton's method did not converge in {steps} steps (log-likelihood {total:.6g}). "
            "Look for a variable without incidents inside or outside of it, or exposure of very different scales."
        )
    at_boundary = family.n_dispersion == 1 and phi_hat == 0.0
    size = p + 1 if family.n_dispersion and not at_boundary else p
    full = info[:size, :size]
    full = np.tril(full) + np.tril(full, -1).T
    errors = np.sqrt(np.diag(np.linalg.inv(full)))
    return FamilyFit(
        family=family,
        coefficients=beta,
        standard_errors=errors[:p],
        dispersion=float(phi_hat) if family.n_dispersion else None,
        dispersion_se=float(errors[p]) if size > p else None,
        at_boundary=at_boundary,
        log_likelihood=float(total) + rows.constant,
        n_cells=n_cells,
    )
