"""What the evaluation of finished work takes and gives: treated sites, candidates for controls, estimates."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.priorities.followup.displacement import DidResult, PairCounts, WddResult

__all__ = ["ControlPool", "EffectEstimate", "TreatedSites"]


@dataclass(frozen=True, slots=True)
class TreatedSites:
    """The register of treated sites.

    Attributes
    ----------
    site_id, program : ndarray of str, shape (n,)
    xy : ndarray of float64, shape (n, 2)
        CRS units.
    started, ended : ndarray of datetime64[D], shape (n,)
        First day of the work, and the day after its last.
    target : ndarray of int64, shape (n,)
        0 lot, 1 building.
    forecast : ndarray of float64, shape (n,)
        Expected incidents a year within the radius, as forecast before the work.
    """

    site_id: NDArray[np.str_]
    program: NDArray[np.str_]
    xy: NDArray[np.float64]
    started: NDArray[np.datetime64]
    ended: NDArray[np.datetime64]
    target: NDArray[np.int64]
    forecast: NDArray[np.float64]

    def only(self, mask: NDArray[np.bool_] | NDArray[np.int64]) -> TreatedSites:
        """Some of the sites."""
        return TreatedSites(**{field.name: getattr(self, field.name)[mask] for field in fields(self)})


@dataclass(frozen=True, slots=True)
class ControlPool:
    """Eligible sites that were not funded: where controls come from. Fields as in `TreatedSites`."""

    site_id: NDArray[np.str_]
    xy: NDArray[np.float64]
    target: NDArray[np.int64]
    forecast: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class EffectEstimate:
    """What one program did in one year.

    Attributes
    ----------
    program : str
    year : int
    design : str
        ``matched`` or ``randomized``.
    n_treated : int
        Sites in the register.
    n_apart : int
        Those of them whose circles do not overlap: the others are inside a circle that is counted.
    n_pairs : int
    refused : dict of str to int
        Treated sites without a control, by reason.
    imbalance : dict of str to float
        Standardized mean difference of each covariate within the pairs.
    counts : PairCounts
    wdd : WddResult
    did : DidResult or None
        None where there are too few incidents, with the reason in ``note``.
    note : str
    """

    program: str
    year: int
    design: str
    n_treated: int
    n_apart: int
    n_pairs: int
    refused: dict[str, int]
    imbalance: dict[str, float]
    counts: PairCounts
    wdd: WddResult
    did: DidResult | None
    note: str

    def row(self) -> dict[str, object]:
        """The estimate as one row of plain JSON values."""
        sums = {field.name: int(getattr(self.counts, field.name).sum()) for field in fields(self.counts)}
        effect = self.did
        return {
            "program": self.program,
            "year": self.year,
            "design": self.design,
            "n_treated": self.n_treated,
            "n_apart": self.n_apart,
            "n_pairs": self.n_pairs,
            "refused": dict(self.refused),
            "imbalance": dict(self.imbalance),
            **sums,
            "wdd": self.wdd.wdd,
            "wdd_se": self.wdd.se,
            "wdd_p": self.wdd.p,
            "local": self.wdd.local,
            "ring": self.wdd.ring,
            "relative_change": None if effect is None else effect.relative_change,
            "low": None if effect is None else effect.low,
            "high": None if effect is None else effect.high,
            "note": self.note,
        }
