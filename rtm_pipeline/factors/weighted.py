"""A risk factor whose points do not all count alike, such as requests corrected for how fast places report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ModelError
from rtm_pipeline.factors.factor import Factor, FrozenCuts
from rtm_pipeline.factors.features import Features
from rtm_pipeline.factors.operationalization import operationalize
from rtm_pipeline.factors.rows import features_known
from rtm_pipeline.factors.spec import FactorSpec
from rtm_pipeline.grid.spec import StudyGrid

if TYPE_CHECKING:
    from rtm_pipeline.layers.layer import Layer

__all__ = ["Weight", "weighted_at"]

Weight = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]
_PARTS = 10  # weights are counted in tenths


def weighted_at(
    layer: Layer,
    grid: StudyGrid,
    spec: FactorSpec,
    known_at: date,
    weight: Weight,
    like: Factor,
    *,
    frozen: FrozenCuts | None = None,
    assume_history: bool = False,
) -> Factor:
    """As `rtm_pipeline.factors.at`, each point counting by its weight in every density; distances are the same.

    Parameters
    ----------
    layer : Layer
        Of points.
    grid : StudyGrid
    spec : FactorSpec
    known_at : date
    weight : callable
        Coordinates x, y of points, each shape (m,), CRS units -> their weights, shape (m,); about 1 on average. They
        are rounded to tenths, of which each point counts at least one: what is compared with mean + 2 SD, and what
        the continuous form divides by, grow alike, so only ratios of weights matter.
    like : Factor
        The factor without weights: its operationalization and bands are used, so that nothing but the weights differs.
    frozen : FrozenCuts, optional
        Of the weighted factor at the fit.
    assume_history : bool

    Raises
    ------
    ModelError
        The layer has lines or polygons.
    """
    x, y, geometry = features_known(layer, spec, known_at, assume_history=assume_history)
    if geometry is not None:
        raise ModelError(f"factors.{spec.name}: only points can be weighted; layer {layer.name!r} has shapes.")
    times = np.maximum(np.rint(weight(x, y) * _PARTS), 1).astype(np.int64)
    return operationalize(
        Features.of_points(np.repeat(x, times), np.repeat(y, times), layer=layer.name),
        grid,
        replace(spec, operationalization=like.operationalization),
        known_at,
        frozen=frozen,
        keep_density=like.density_bands_u,
        coverage=layer.coverage,
        assumed=layer.history == "assumed",
    )
