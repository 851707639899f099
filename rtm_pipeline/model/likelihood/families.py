"""Families of counts: Poisson, NB1 and NB2, by maximum likelihood.

With mean mu = exposure * exp(eta) the variances are mu (Poisson), mu + sigma mu (NB1: gamlss NBII, what RTMDx fits)
and mu + alpha mu**2 (NB2: MASS glm.nb with theta = 1 / alpha). Log-likelihoods carry all constants. Standard errors
come from the observed information of all parameters together, the dispersion included.

References
----------
Rigby & Stasinopoulos 2005 (gamlss); Heffner 2013 (RTMDx statistics).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ModelError

if TYPE_CHECKING:
    from rtm_pipeline.model.likelihood.sufficient import Rows

__all__ = ["FAMILIES", "Family", "FamilyFit", "family_named", "fit_family", "log_likelihood"]


@dataclass(frozen=True, slots=True)
class Family:
    """A distribution of counts with log link.

    Attributes
    ----------
    name : str
        ``poisson``, ``nb1`` or ``nb2``.
    kind : int
        Its number in the compiled loops.
    dispersion_name : str or None
        Name of the dispersion parameter.
    variance : str
        Variance in terms of the mean ``mu`` and the dispersion.
    """

    name: str
    kind: int
    dispersion_name: str | None
    variance: str

    @property
    def n_dispersion(self) -> int:
        """Number of dispersion parameters; BIC counts them."""
        return 0 if self.dispersion_name is None else 1


FAMILIES = {
    "poisson": Family("poisson", 0, None, "mu"),
    "nb1": Family("nb1", 1, "sigma", "mu + sigma * mu"),
    "nb2": Family("nb2", 2, "alpha", "mu + alpha * mu**2"),
}


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


def family_named(name: str) -> Family:
    """The family of that name; ModelError with the names there are."""
    if name not in FAMILIES:
        raise ModelError(f"There is no family {name!r}; choose one of {', '.join(FAMILIES)} (or auto).")
    return FAMILIES[name]


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


def log_likelihood(
    family: Family, counts: NDArray[np.integer], means: NDArray[np.float64], dispersion: float | None = None
) -> float:
    """Log-likelihood of counts with given means, cell by cell, with all constants.

    The formulas of the textbook in gamma functions: slow and independent of the compiled ones.

    Parameters
    ----------
    family : Family
    counts : ndarray of int, shape (n,)
    means : ndarray of float64, shape (n,)
        Positive.
    dispersion : float, optional
        sigma (NB1) or alpha (NB2); 0 is Poisson.

    Returns
    -------
    float
    """
    from scipy.special import gammaln

    y, mu = np.asarray(counts, float), np.asarray(means, float)
    if family.name == "poisson" or not dispersion:
        return float(np.sum(y * np.log(mu) - mu - gammaln(y + 1)))
    if family.name == "nb1":
        r = mu / dispersion
        terms = gammaln(y + r) - gammaln(r) + y * np.log(dispersion) - (y + r) * np.log1p(dispersion)
    else:
        theta = 1.0 / dispersion
        terms = gammaln(y + theta) - gammaln(theta) + y * np.log(dispersion * mu) - (y + theta) * np.log1p(dispersion * mu)  # fmt: skip # noqa: E501
    return float(np.sum(terms - gammaln(y + 1)))
