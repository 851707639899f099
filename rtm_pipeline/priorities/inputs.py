"""What a night knows when it comes to the work."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ConfigError
from rtm_pipeline.grid.spec import StudyGrid
from rtm_pipeline.priorities.outcome import CellForecast, Shares
from rtm_pipeline.priorities.sites import Sites
from rtm_pipeline.priorities.why import Contributions

__all__ = ["PriorityInputs"]

_NOBODY = np.empty(0, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class PriorityInputs:
    """What the night knows when it comes to the work.

    Attributes
    ----------
    grid : StudyGrid
    sites : Sites
        With eligibility applied; ``neighborhood`` and ``district`` index the names below.
    forecast : CellForecast
        Of the whole outcome, incidents a year.
    neighborhoods, districts : tuple of str
    neighborhood_of_cell, district_of_cell : ndarray of int32, shape (n_cells,)
        -1 for none.
    shares : Shares, optional
        Of the subset that evidence reads, by neighborhood.
    assumed_share : float, optional
        Configured in their place.
    outcome_is : tuple of str
        Names by which evidence may read the whole outcome.
    risk : ndarray of float64, shape (n_cells,), optional
        Relative risk score.
    contributions : Contributions, optional
    request_x, request_y : ndarray of float64
        311 requests of the last year (`PrioritySpec.request_days`), CRS units.
    open_x, open_y : ndarray of float64
        Open 311 requests.
    poverty : ndarray of float64, shape (a,), optional
        Poverty rate of each neighborhood, NaN where not known.
    doubts : tuple of str
        What can't be right in the registers and in the list of required sites, in sentences.
    """

    grid: StudyGrid
    sites: Sites
    forecast: CellForecast
    neighborhoods: tuple[str, ...]
    districts: tuple[str, ...]
    neighborhood_of_cell: NDArray[np.int32]
    district_of_cell: NDArray[np.int32]
    shares: Shares | None = None
    assumed_share: float | None = None
    outcome_is: tuple[str, ...] = ()
    risk: NDArray[np.float64] | None = None
    contributions: Contributions | None = None
    request_x: NDArray[np.float64] = field(default_factory=lambda: _NOBODY)
    request_y: NDArray[np.float64] = field(default_factory=lambda: _NOBODY)
    open_x: NDArray[np.float64] = field(default_factory=lambda: _NOBODY)
    open_y: NDArray[np.float64] = field(default_factory=lambda: _NOBODY)
    poverty: NDArray[np.float64] | None = None
    doubts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        n = self.grid.n_cells
        for name in ("neighborhood_of_cell", "district_of_cell", "risk"):
            values = getattr(self, name)
            if values is not None and values.shape != (n,):
                raise ConfigError(f"{name} must have one value for each of the {n} cells; found {values.shape}.")
        for name, index, names in (
            ("neighborhood", self.sites.neighborhood, self.neighborhoods),
            ("district", self.sites.district, self.districts),
        ):
            if index.size and int(index.max()) >= len(names):
                raise ConfigError(f"Sites lie in {name} {int(index.max())}, but only {len(names)} have names.")
