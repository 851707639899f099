"""A risk factor at every study cell: compact 0/1 variables, distance, and what was decided on the way."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ConfigError
from rtm_pipeline.factors.spec import Variable
from rtm_pipeline.grid.spec import GridSpec

__all__ = ["Clustering", "DensityCut", "Factor", "FrozenCuts"]


@dataclass(frozen=True, slots=True)
class Clustering:
    """Clark and Evans' nearest-neighbor test of the features in the study area, with Donnelly's edge correction.

    Attributes
    ----------
    n : int
        Features in the study area (lines and polygons by a point on them).
    mean_distance_u : float
        Mean distance to the nearest other feature, CRS units; NaN with fewer than two.
    expected_u : float
        What it would be, were the same number scattered at random over the study area.
    index : float
        Their ratio: below 1 clustered, above 1 spread out.
    z : float
        Standard score of the mean distance.
    clustered : bool
        Whether they are significantly clustered (one-sided, 5 %).
    """

    n: int
    mean_distance_u: float
    expected_u: float
    index: float
    z: float
    clustered: bool


@dataclass(frozen=True, slots=True)
class DensityCut:
    """The distribution of one band's density at the fit.

    Attributes
    ----------
    band_u : float
        Bandwidth, CRS units.
    mean, sd : float
        Over the (known) study cells, unweighted; population standard deviation.
    threshold : float
        Mean + 2 SD, rounded to 30 bits: above it the variable is 1.
    """

    band_u: float
    mean: float
    sd: float
    threshold: float


@dataclass(frozen=True, slots=True)
class FrozenCuts:
    """Everything about a factor that is decided by the fit and must not change when the model is applied.

    Attributes
    ----------
    factor : str
    operationalization : str
        As chosen: ``proximity``, ``density`` or ``both``.
    grid : GridSpec
        The grid that it was decided on.
    variables : tuple of Variable
        Those kept, in column order.
    density : tuple of DensityCut
        One for each density band that was computed.
    known_at : date
        Vintage of the fit.
    """

    factor: str
    operationalization: str
    grid: GridSpec
    variables: tuple[Variable, ...]
    density: tuple[DensityCut, ...]
    known_at: date

    def cut(self, band_u: float) -> DensityCut:
        """The cut of a band; ConfigError if it was not computed at the fit."""
        for cut in self.density:
            if cut.band_u == band_u:
                return cut
        found = ", ".join(f"{cut.band_u:g}" for cut in self.density) or "none"
        raise ConfigError(
            f"Factor {self.factor!r}: the density of band {band_u:g} was not computed at the fit (there: {found}). Ask "
            "for it with keep_density when the factor is fitted."
        )


@dataclass(frozen=True, slots=True, eq=False)
class Factor:
    """One layer as a risk factor, as it was known at a date.

    Attributes
    ----------
    name, layer : str
    known_at : date
        The vintage.
    grid : GridSpec
    operationalization : str
        As asked for or chosen: ``proximity``, ``density`` or ``both``.
    variables : tuple of Variable, length k
        Candidates that vary: proximity ascending, then density ascending.
    codes : ndarray of uint8 or uint16, shape (n,)
        State of each cell; column j of the design is ``bits[codes, j]``.
    bits : ndarray of uint8, shape (n_states, k)
        0 or 1.
    distance_u : ndarray of float32, shape (n,)
        Distance from the cell center to the nearest feature, CRS units, exact and uncapped; 0 inside polygons,
        infinite without any feature, NaN where the layer is unknown.
    density : ndarray of float32, shape (b, n), optional
        Kernel sums of the bands asked for, not normalized; NaN where unknown.
    density_bands_u : tuple of float, length b
        Their bandwidths.
    geometry : str
        ``points``, ``lines``, ``polygons``, ``mixed`` or ``none``.
    cuts : FrozenCuts
        Pass it to `rtm_pipeline.factors.at` to see a later vintage through the eyes of this one.
    dropped : tuple of (Variable, str)
        Candidates left out, with the reason.
    clustering : Clustering, optional
        Where ``auto`` had to choose.
    n_features : int
        Features that counted.
    known : ndarray of bool, shape (n,), optional
        Cells that the layer's coverage covers; elsewhere states mean nothing. None: the layer covers everything.
    assumed : bool
        Whether it rests on a layer whose past states are assumed, not recorded.
    earliest_known : date, optional
        The first date at which anything of the layer was known.
    """

    name: str
    layer: str
    known_at: date
    grid: GridSpec
    operationalization: str
    variables: tuple[Variable, ...]
    codes: NDArray[np.uint8] | NDArray[np.uint16]
    bits: NDArray[np.uint8]
    distance_u: NDArray[np.float32]
    density: NDArray[np.float32] | None
    density_bands_u: tuple[float, ...]
    geometry: str
    cuts: FrozenCuts
    dropped: tuple[tuple[Variable, str], ...]
    clustering: Clustering | None
    n_features: int
    known: NDArray[np.bool_] | None
    assumed: bool
    earliest_known: date | None

    def column(self, variable: int) -> NDArray[np.uint8]:
        """One 0/1 column of the design, shape (n,)."""
        column: NDArray[np.uint8] = self.bits[:, variable][self.codes]
        return column

    def shares(self) -> NDArray[np.float64]:
        """Share of the (known) cells where each variable is 1, shape (k,)."""
        codes = self.codes if self.known is None else self.codes[self.known]
        cells = np.bincount(codes, minlength=self.bits.shape[0])
        return np.asarray(cells @ self.bits, np.float64) / max(int(codes.size), 1)

    def intensity(self, band_u: float) -> NDArray[np.float32]:
        """Density of one band as people read it, shape (n,).

        Parameters
        ----------
        band_u : float
            One of ``density_bands_u``.

        Returns
        -------
        ndarray of float32
            Points per square kilometer, kilometers of line per square kilometer, or share of area in polygons
            (0 to 1), by the normalized kernel ``3 / (pi h^2) (1 - d^2 / h^2)^2``.
        """
        if self.density is None or band_u not in self.density_bands_u:
            raise ConfigError(
                f"Factor {self.name!r} was made without the density of band {band_u:g}; ask for it with keep_density."
            )
        unit_km = self.grid.unit_m / 1000.0
        per_unit = {"lines": unit_km, "polygons": unit_km**2}.get(self.geometry, 1.0) / unit_km**2
        scale = np.float32(per_unit * 3.0 / (math.pi * band_u**2))
        intensity: NDArray[np.float32] = self.density[self.density_bands_u.index(band_u)] * scale
        return intensity
