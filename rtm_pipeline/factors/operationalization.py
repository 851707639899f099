"""Layers + grid + a date -> risk factors. `at` is the only way to one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ConfigError, GridError, ModelError, StaleArtifactError
from rtm_pipeline.factors.clustering import nearest_neighbor_test
from rtm_pipeline.factors.factor import Clustering, DensityCut, Factor, FrozenCuts
from rtm_pipeline.factors.features import Features, features_of
from rtm_pipeline.factors.fields import kernel_sums, known_cells, squared_distance
from rtm_pipeline.factors.lattice import Lattice, Workers
from rtm_pipeline.factors.rows import earliest_known, features_known, unknown_at
from rtm_pipeline.factors.spec import DENSITY, PROXIMITY, FactorSpec, Variable
from rtm_pipeline.factors.states import RawStates, settle
from rtm_pipeline.grid.spec import StudyGrid

if TYPE_CHECKING:
    from rtm_pipeline.layers.layer import Layer

__all__ = ["at", "operationalize"]

KeepDensity = Sequence[float] | Literal["all"]


def at(
    layer: Layer,
    grid: StudyGrid,
    spec: FactorSpec,
    known_at: date,
    *,
    frozen: FrozenCuts | None = None,
    keep_density: KeepDensity = (),
    assume_history: bool = False,
    threads: int | None = None,
) -> Factor:
    """A layer as a risk factor, from what was known at the midnight that begins a day.

    Parameters
    ----------
    layer : Layer
        In the grid's CRS.
    grid : StudyGrid
    spec : FactorSpec
    known_at : date
        Rows count that were known by then and had not ceased, of the declared categories, and dated within the
        lookback before it, if there is one.
    frozen : FrozenCuts, optional
        ``cuts`` of the factor at the fit: its operationalization, variables, thresholds and scalings are used instead
        of being decided anew, as when a fitted model is applied to a later date.
    keep_density : sequence of float, or "all"
        Bands whose density is returned too: some of ``spec.bands_u``, or all that are not narrower than a cell.
    assume_history : bool
        Take a layer of assumed history as if it had always stood; accuracy without such layers is the headline.
    threads : int, optional
        By default all processors; results do not depend on it.

    Returns
    -------
    Factor

    Raises
    ------
    ModelError
        The layer was not known at that date at all; or no study cell lies in its coverage.
    GridError
        Layer and grid have different CRS.
    StaleArtifactError
        ``frozen`` belongs to another factor or grid.
    ConfigError
        A category that the layer does not have, a band that is not on the ladder, or bands under a meter apart.
    SchemaError
        Coordinates that are not finite; density of a layer that mixes kinds of geometry.

    Notes
    -----
    Proximity to h is 1 where the distance from the cell's center to the nearest feature is at most h. Density of
    bandwidth h is 1 where the sum of the quartic kernels ``(1 - d^2 / h^2)^2`` at the cell's center exceeds mean +
    2 SD over the study cells. Sums are rounded to 30 bits before they are compared, so that machines which add in
    another order agree.
    """
    from rtm_pipeline.grid.crs import same_crs

    if layer.name != spec.layer:
        raise ConfigError(f"factors.{spec.name} is made of layer {spec.layer!r}; found layer {layer.name!r}.")
    if not same_crs(layer.crs, grid.spec.crs):
        raise GridError(f"Layer {layer.name!r} is in {layer.crs}, the grid in {grid.spec.crs}. Rerun the layer.")
    unknown = unknown_at(layer, known_at)
    if unknown is not None and not assume_history:
        raise ModelError(
            f"factors.{spec.name}: {unknown}. Leave it out of this vintage, or take its history as assumed."
        )
    return operationalize(
        features_of(*features_known(layer, spec, known_at, assume_history=assume_history), layer=layer.name),
        grid,
        spec,
        known_at,
        frozen=frozen,
        keep_density=keep_density,
        coverage=layer.coverage,
        assumed=layer.history == "assumed",
        earliest=earliest_known(layer),
        threads=threads,
    )


def operationalize(
    features: Features,
    grid: StudyGrid,
    spec: FactorSpec,
    known_at: date,
    *,
    frozen: FrozenCuts | None = None,
    keep_density: KeepDensity = (),
    coverage: object | None = None,
    assumed: bool = False,
    earliest: date | None = None,
    threads: int | None = None,
) -> Factor:
    """As `at`, from features that have been selected already."""
    _check_frozen(frozen, grid, spec)
    keep = _bands_to_keep(keep_density, grid, spec)
    with Workers(threads) as workers:
        lattice = Lattice.of(grid, workers.parts)
        known = None
        if coverage is not None:
            known = known_cells(coverage, spec.bands_u[-1], lattice, workers)
            if not known.any():
                raise ModelError(
                    f"factors.{spec.name}: the coverage of layer {spec.layer!r} leaves no study cell known: none lies "
                    f"in it and {spec.bands_u[-1]:g} CRS units from its edge. Check it, or lower max_influence."
                )
        chosen, clustering = _choose(features, grid, spec, frozen, workers)
        candidates, narrow = _candidates(chosen, grid, spec) if frozen is None else (list(frozen.variables), [])
        near = [_band(variable) for variable in candidates if variable.operationalization == PROXIMITY]
        dense = [_band(variable) for variable in candidates if variable.operationalization == DENSITY]
        raw = RawStates.empty(lattice.n_cells, len(near), len(dense), f"factors.{spec.name}")
        distance = _mark_proximity(raw, features, near, known, lattice, workers)
        cuts, density = _mark_density(raw, features, dense, keep, known, lattice, workers, frozen)
        states = settle(raw, candidates, known, spec, workers, keep_all=frozen is not None)
    return Factor(
        name=spec.name,
        layer=spec.layer,
        known_at=known_at,
        grid=grid.spec,
        operationalization=chosen,
        variables=states.variables,
        codes=states.codes,
        bits=states.bits,
        distance_u=distance,
        density=density,
        density_bands_u=keep,
        geometry=features.kind,
        cuts=frozen or FrozenCuts(spec.name, chosen, grid.spec, states.variables, cuts, known_at),
        dropped=(*narrow, *states.dropped),
        clustering=clustering,
        n_features=features.n,
        known=known,
        assumed=assumed,
        earliest_known=earliest,
    )


def _check_frozen(frozen: FrozenCuts | None, grid: StudyGrid, spec: FactorSpec) -> None:
    if frozen is None:
        return
    if frozen.factor != spec.name:
        raise StaleArtifactError(f"Cut-offs of factor {frozen.factor!r} can't serve for {spec.name!r}. Rerun the fit.")
    if frozen.grid != grid.spec:
        raise StaleArtifactError(
            f"Factor {spec.name!r}: the cut-offs were fitted on another grid ({frozen.grid.n_rows} x "
            f"{frozen.grid.n_cols} cells of {frozen.grid.cell_size_u:g}; now {grid.spec.n_rows} x {grid.spec.n_cols} "
            f"of {grid.spec.cell_size_u:g}). Rerun the factor and the model on one grid."
        )


def _bands_to_keep(keep: KeepDensity, grid: StudyGrid, spec: FactorSpec) -> tuple[float, ...]:
    if isinstance(keep, str):
        return tuple(band for band in spec.bands_u if not _too_narrow(band, grid, spec))
    strange = [band for band in keep if band not in spec.bands_u]
    if strange:
        raise ConfigError(f"factors.{spec.name}: no band of {strange[0]:g} CRS units; there are {spec.bands_u}.")
    return tuple(keep)


def _too_narrow(band_u: float, grid: StudyGrid, spec: FactorSpec) -> bool:
    return band_u < spec.smallest_density_cells * grid.spec.cell_size_u


def _choose(
    features: Features, grid: StudyGrid, spec: FactorSpec, frozen: FrozenCuts | None, workers: Workers
) -> tuple[str, Clustering | None]:
    if frozen is not None:
        return frozen.operationalization, None
    if spec.operationalization != "auto":
        return spec.operationalization, None
    test = nearest_neighbor_test(features.x, features.y, grid, workers)
    dense = test.clustered and test.mean_distance_u <= spec.bands_u[-1] and features.kind != "mixed"
    return (DENSITY if dense else PROXIMITY), test


def _candidates(chosen: str, grid: StudyGrid, spec: FactorSpec) -> tuple[list[Variable], list[tuple[Variable, str]]]:
    """Variables to be made, and the density bands narrower than a cell."""
    candidates: list[Variable] = []
    narrow: list[tuple[Variable, str]] = []
    for kind in (PROXIMITY, DENSITY):
        if chosen not in (kind, "both"):
            continue
        for band in spec.bands_u:
            meters = band * grid.spec.unit_m
            variable = Variable(f"{spec.name}_{kind}_{round(meters)}m", spec.name, kind, meters, band)
            if kind == DENSITY and _too_narrow(band, grid, spec):
                narrow.append((variable, f"bandwidth {band:g} is below {spec.smallest_density_cells:g} cell(s)"))
            else:
                candidates.append(variable)
    names = [variable.name for variable in candidates]
    if len(set(names)) < len(names):
        raise ConfigError(f"factors.{spec.name}: bands less than a meter apart have one name: {spec.bands_u}.")
    return candidates, narrow


def _band(variable: Variable) -> float:
    if variable.spatial_influence_u is None:
        raise ConfigError(f"Variable {variable.name!r} has no spatial influence, so it can't be made from a layer.")
    return variable.spatial_influence_u


def _mark_proximity(
    raw: RawStates,
    features: Features,
    bands: list[float],
    known: NDArray[np.bool_] | None,
    lattice: Lattice,
    workers: Workers,
) -> NDArray[np.float32]:
    from rtm_pipeline.factors.state_kernels import mark_levels

    squared = squared_distance(features, lattice, workers)
    limits = np.asarray(bands, np.float64) ** 2
    distance = np.empty(lattice.n_cells, np.float32)
    workers.over(squared.size, lambda first, last: mark_levels(squared, limits, raw.raw, distance, first, last))
    if known is not None:
        distance[~known] = np.nan
    return distance


def _mark_density(
    raw: RawStates,
    features: Features,
    bands: list[float],
    keep: tuple[float, ...],
    known: NDArray[np.bool_] | None,
    lattice: Lattice,
    workers: Workers,
    frozen: FrozenCuts | None,
) -> tuple[tuple[DensityCut, ...], NDArray[np.float32] | None]:
    """One plane at a time: its cut, its bit, and its copy if it is wanted."""
    from rtm_pipeline.factors.state_kernels import mark_above, round_plane

    kept = np.empty((len(keep), lattice.n_cells), np.float32) if keep else None
    plane = np.empty(lattice.n_cells)
    cuts = []
    for band in sorted({*bands, *keep}):
        kernel_sums(features, band, lattice, workers, plane)
        workers.over(plane.size, lambda first, last: round_plane(plane, first, last))
        cut = _cut(band, plane, known, workers) if frozen is None else frozen.cut(band)
        cuts.append(cut)
        if band in bands:
            bit = raw.raw.dtype.type(raw.density_bit(bands.index(band)))
            mark = partial(mark_above, plane, cut.threshold, bit, raw.raw)
            workers.over(plane.size, mark)
        if kept is not None and band in keep:
            kept[keep.index(band)] = plane
    if kept is not None and known is not None:
        kept[:, ~known] = np.nan
    return tuple(cuts), kept


def _cut(band_u: float, plane: NDArray[np.float64], known: NDArray[np.bool_] | None, workers: Workers) -> DensityCut:
    from rtm_pipeline.factors.state_kernels import BLOCK, block_squares, block_sums, round_plane

    mask = np.zeros(0, np.bool_) if known is None else known
    n = plane.size if known is None else int(np.count_nonzero(known))
    sums = np.zeros(-(-plane.size // BLOCK))
    workers.over(sums.size, lambda first, last: block_sums(plane, mask, first, last, sums))
    mean = float(np.cumsum(sums)[-1]) / n
    workers.over(sums.size, lambda first, last: block_squares(plane, mask, mean, first, last, sums))
    sd = float(np.sqrt(np.cumsum(sums)[-1] / n))
    threshold = np.array([mean + 2.0 * sd])
    round_plane(threshold, 0, 1)
    return DensityCut(band_u, mean, sd, float(threshold[0]))
