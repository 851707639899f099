"""Does the risk terrain hang on the grid? One fit on each of several cell sizes, origins and rotations.

Asked for by `rtm stability`; no part of the night. The fits are independent of each other, so they may be mapped over
a Dask cluster; the table is the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from rtm_pipeline.config.city import COVERS_AREA, City
from rtm_pipeline.config.load import LoadedConfig
from rtm_pipeline.errors import ConfigError
from rtm_pipeline.layers.layer import Layer
from rtm_pipeline.model.spec import BootstrapSpec
from rtm_pipeline.model.stability import GridChoice, StabilityRow, stability, stability_choices
from rtm_pipeline.orchestration.paths import Paths
from rtm_pipeline.orchestration.snapshots import source_rows
from rtm_pipeline.orchestration.steps.factors import factor_pair
from rtm_pipeline.orchestration.steps.ingest import place_of, read_layer
from rtm_pipeline.orchestration.steps.model import block_side_u, seeded
from rtm_pipeline.orchestration.values import Place, Rows
from rtm_pipeline.units import Vintage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rtm_pipeline.model.terrain import FittedTerrain

__all__ = ["GridStudy", "grid_study", "stability_of", "stability_records", "stability_text"]


@dataclass(frozen=True, slots=True)
class GridStudy:
    """The city's layers, ready to be put on any grid; called with a `GridChoice` it fits the terrain there.

    Attributes
    ----------
    city : City
    place : Place
        As configured; the grids are laid over its area.
    layers : mapping of str to Layer
        Those of the factors and of the outcome, in the CRS of the city.
    vintage : Vintage
        What is fitted.
    as_of : date
    """

    city: City
    place: Place
    layers: Mapping[str, Layer]
    vintage: Vintage
    as_of: date

    def __call__(self, choice: GridChoice) -> FittedTerrain:
        """The terrain on one grid, without intervals."""
        from rtm_pipeline.grid.area import study_grid
        from rtm_pipeline.surface.vintage import fit_terrain, outcome_counts

        turn = _Turn.about(self.place.area, -choice.rotation_deg)
        area = turn.shape(self.place.area)
        grid = study_grid(
            area,
            crs=self.city.area.crs,
            cell_size_u=choice.cell_size_u,
            exclude=[turn.shape(shape) for shape in self.place.excluded],
            offset_x_u=self.city.area.offset_x_u + choice.shift_x_u,
            offset_y_u=self.city.area.offset_y_u + choice.shift_y_u,
        )
        place = Place(area, grid)
        layers = {name: turn.layer(layer) for name, layer in self.layers.items()}
        pairs = {
            name: factor_pair(
                layers[spec.layer], place, spec, self.vintage.known_at, self.vintage.known_at, assume_history=True
            )
            for name, spec in self.city.factors.items()
        }
        factors = {name: pair.fit for name, pair in pairs.items() if pair.fit is not None}
        outcome = self.city.outcome
        counts = outcome_counts(layers[outcome.layer], grid, self.vintage.outcome, outcome.unit, known_at=self.as_of)
        spec = replace(seeded(self.city, self.as_of), bootstrap=BootstrapSpec(refits=0, selections=0))
        side = max(block_side_u(self.city), 4 * choice.cell_size_u)
        return fit_terrain(factors, factors, counts, grid, spec, block_side_u=side).fit.terrain


@dataclass(frozen=True, slots=True)
class _Turn:
    """A rotation of the plane: turning the city is the same as turning the grid the other way."""

    x0: float
    y0: float
    cosine: float
    sine: float

    @classmethod
    def about(cls, area: Any, degrees: float) -> _Turn:
        from math import cos, radians, sin

        center, angle = area.envelope.centroid, radians(degrees)
        return cls(float(center.x), float(center.y), cos(angle), sin(angle))

    def points(self, x: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        dx, dy = x - self.x0, y - self.y0
        return self.x0 + self.cosine * dx - self.sine * dy, self.y0 + self.sine * dx + self.cosine * dy

    def shape(self, shape: Any) -> Any:
        import numpy as np
        import shapely

        if self.sine == 0.0 and self.cosine == 1.0:
            return shape
        return shapely.transform(shape, lambda xy: np.column_stack(self.points(xy[:, 0], xy[:, 1])))

    def layer(self, layer: Layer) -> Layer:
        if self.sine == 0.0 and self.cosine == 1.0:
            return layer
        x, y = self.points(layer.x, layer.y)
        return replace(
            layer,
            x=x,
            y=y,
            geometry=None if layer.geometry is None else self.shape(layer.geometry),
            coverage=None if layer.coverage is None else self.shape(layer.coverage),
            withdrawn=None if layer.withdrawn is None else self.layer(layer.withdrawn),
        )


def grid_study(loaded: LoadedConfig, paths: Paths, as_of: date | None = None) -> GridStudy:
    """Read the city once.

    Raises
    ------
    RtmError
        A source or a layer fails, or there is no day to stand on.
    """
    from rtm_pipeline.layers.vintage import measured_lag

    city = loaded.city
    day = as_of or city.as_of
    if day is None:
        raise ConfigError("Say as of which day: --as-of 2026-01-31.")
    data_dir, now = paths.data_for(city.name, loaded.path), datetime.now(UTC)
    rows = {}
    for name in city.used_sources:
        read = source_rows(city, name, data_dir)
        rows[name] = Rows(read.table, read.crs, now)
    place = place_of(city, {name: rows[name] for name in city.area_sources})
    wanted = {city.outcome.layer, *(spec.layer for spec in city.factors.values())}
    layers = {}
    for name, spec in city.layers.items():
        if name in wanted:
            covering = rows[spec.coverage] if spec.coverage not in (None, COVERS_AREA) else None
            layers[name] = read_layer(city, name, rows[spec.source], place, covering).layer
    lag = city.outcome.lag if city.outcome.lag is not None else measured_lag(layers[city.outcome.layer], day)
    return GridStudy(city, place, layers, city.fit_vintage(day, lag), day)


def stability_of(
    study: GridStudy, choices: Sequence[GridChoice] | None = None, scheduler: str | None = None
) -> tuple[StabilityRow, ...]:
    """Fit on every grid, here or on a Dask cluster.

    Parameters
    ----------
    study : GridStudy
    choices : sequence of GridChoice, optional
        Default: `stability_choices` of the configured cell size.
    scheduler : str, optional
        Address of a Dask scheduler (``tcp://host:8786``), or ``local`` for a cluster of this machine's processors.
        None: one after the other, in this process.

    Returns
    -------
    tuple of StabilityRow
        The same rows whichever way they were made.
    """
    chosen = tuple(choices or stability_choices(study.city.area.cell_size_u))
    if scheduler is None:
        return stability(study, chosen)
    from rtm_pipeline.orchestration.studies.cluster import cluster_client

    with cluster_client(scheduler) as client:
        return stability(study, chosen, map_calls=lambda fit, items: client.gather(client.map(fit, items)))


def stability_text(rows: Sequence[StabilityRow], unit_m: float) -> str:
    """One line a grid: its model in short; then in how many grids each factor stands."""
    grids: dict[GridChoice, list[StabilityRow]] = {}
    for row in rows:
        grids.setdefault(row.choice, []).append(row)
    lines = []
    for choice, terms in grids.items():
        size, x, y = (round(value * unit_m, 1) for value in (choice.cell_size_u, choice.shift_x_u, choice.shift_y_u))
        head = f"cells of {size:g} m, shifted by ({x:g}, {y:g}) m, turned by {choice.rotation_deg:g} degrees"
        lines.append(f"{head}: {terms[0].family}, {terms[0].n_cells:,} cells")
        named = [(row.variable, row.rrv) for row in terms if row.variable is not None and row.rrv is not None]
        lines += [f"    {variable}  RRV {rrv:.2f}" for variable, rrv in named] or ["    no factor"]
    lines.append("In how many of the grids each risk factor is part of the model:")
    found = {row.factor: {other.choice for other in rows if other.factor == row.factor} for row in rows if row.factor}
    ranked = sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
    lines += [f"    {factor}: {len(where)} of {len(grids)}" for factor, where in ranked]
    return "\n".join(lines)


def stability_records(rows: Sequence[StabilityRow]) -> list[dict[str, Any]]:
    """The rows as JSON values; the grid's numbers beside the term's."""
    return [{**asdict(row.choice), **{k: v for k, v in asdict(row).items() if k != "choice"}} for row in rows]
