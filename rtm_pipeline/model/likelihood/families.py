"""Families of counts: Poisson, NB1 and NB2.

With mean mu = exposure * exp(eta) the variances are mu (Poisson), mu + sigma mu (NB1: gamlss NBII, what RTMDx fits)
and mu + alpha mu**2 (NB2: MASS glm.nb with theta = 1 / alpha). Log-likelihoods carry all constants.

References
----------
Rigby & Stasinopoulos 2005 (gamlss); Heffner 2013 (RTMDx statistics).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ModelError

__all__ = ["FAMILIES", "Family", "family_named", "log_likelihood"]


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


def family_named(name: str) -> Family:
    """The family of that name; ModelError with the names there are."""
    if name not in FAMILIES:
        raise ModelError(f"There is no family {name!r}; choose one of {', '.join(FAMILIES)} (or auto).")
    return FAMILIES[name]


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
