"""Why a place is rated as it is, read from a release: score, forecast, rank, tier, factors, what multiplies what."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ConfigError
from rtm_pipeline.grid.spec import StudyGrid
from rtm_pipeline.publication.content import FORECAST, RESTRICTED, RISK_TERRAIN
from rtm_pipeline.publication.release.reading import ReleaseFolder
from rtm_pipeline.surface.tiers import TIERS, tiers_of

__all__ = ["FactorHere", "Part", "PlaceRating", "Standing", "cell_at", "rate_place"]


@dataclass(frozen=True, slots=True)
class Standing:
    """A cell's value on a surface, and where that stands among all cells.

    Attributes
    ----------
    value : float
    unit : str
    tier : int
        1 (highest) to 5.
    tier_label : str
    rank_first, rank_last : int
        1 is the highest; cells with the same value share the ranks from first to last.
    of : int
        Number of cells.
    """

    value: float
    unit: str
    tier: int
    tier_label: str
    rank_first: int
    rank_last: int
    of: int


@dataclass(frozen=True, slots=True)
class Part:
    """One band of a contributions raster at the cell: the product of all parts is the surface's value."""

    name: str
    unit: str
    value: float


@dataclass(frozen=True, slots=True)
class FactorHere:
    """A risk factor at the cell.

    Attributes
    ----------
    factor, label : str
    distance_m : float or None
        From the cell's center to the nearest feature; None where none is near enough to be known.
    variable : str or None
        The variable of it that is in the model; None if the model has none.
    rrv : float or None
        What it multiplies the score by where it holds.
    holds : bool or None
        Whether it holds here.
    densities : tuple of Part
        Of the bandwidths that the release carries.
    """

    factor: str
    label: str
    distance_m: float | None
    variable: str | None
    rrv: float | None
    holds: bool | None
    densities: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class PlaceRating:
    """All that a release tells of one cell.

    Attributes
    ----------
    run_id, as_of, city : str
    lat, lon : float
        The place asked for.
    row, col : int
        Of its cell in the rasters, from the north-west, 0-based.
    x_u, y_u : float
        Center of the cell in ``crs``.
    neighborhood : str or None
    risk_terrain : Standing
    forecast : Standing or None
    interval : tuple of float or None
        90 % interval of the rate.
    p_top5, uncertainty : float or None
    terrain_parts, forecast_parts : tuple of Part
    factors : tuple of FactorHere
        Those of the model first, then by distance.
    """

    run_id: str
    as_of: str
    city: str
    lat: float
    lon: float
    crs: str
    cell_size_m: float
    row: int
    col: int
    x_u: float
    y_u: float
    neighborhood: str | None
    risk_terrain: Standing
    forecast: Standing | None
    interval: tuple[float, float] | None
    p_top5: float | None
    uncertainty: float | None
    terrain_parts: tuple[Part, ...]
    forecast_parts: tuple[Part, ...]
    factors: tuple[FactorHere, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def rate_place(release: ReleaseFolder, lat: float, lon: float) -> PlaceRating:
    """What a release says of the cell at a place.

    Parameters
    ----------
    release : ReleaseFolder
    lat, lon : float
        Degrees, WGS84.

    Raises
    ------
    ConfigError
        The place is outside the study area, or in a part of it that has no cell; the message says which and how far.
    PublishError
        A file of the release can't be read.
    """
    grid = release.grid()
    cell = cell_at(release, grid, lat, lon)
    manifest = release.facts("manifest.json")

    def one(name: str) -> float | None:
        bands = release.bands(name, grid)
        return _number(bands[0][2][cell]) if bands else None

    low, high = one("forecast_low"), one("forecast_high")
    standing = {name: _standing(release, grid, name, cell) for name in (RISK_TERRAIN, FORECAST)}
    terrain = standing[RISK_TERRAIN]
    if terrain is None:
        raise ConfigError(f"The release {release.path} has no risk terrain.")
    return PlaceRating(
        run_id=release.run_id,
        as_of=str(manifest["as_of"]),
        city=str(manifest["city"]),
        lat=lat,
        lon=lon,
        crs=grid.spec.crs,
        cell_size_m=grid.spec.cell_size_m,
        row=int(grid.rows[cell]),
        col=int(grid.cols[cell]),
        x_u=float(grid.center_x_u[cell]),
        y_u=float(grid.center_y_u[cell]),
        neighborhood=_neighborhood(release, grid, lat, lon),
        risk_terrain=terrain,
        forecast=standing[FORECAST],
        interval=None if low is None or high is None else (low, high),
        p_top5=one("p_top5"),
        uncertainty=one("uncertainty"),
        terrain_parts=_parts(release, grid, RISK_TERRAIN, cell),
        forecast_parts=_parts(release, grid, FORECAST, cell),
        factors=_factors(release, grid, cell),
    )


def cell_at(release: ReleaseFolder, grid: StudyGrid, lat: float, lon: float) -> int:
    """Index of the cell at a place; ConfigError that says why there is none."""
    from rtm_pipeline.grid.locate import cells_of

    if not (-90 <= lat <= 90 and -180 <= lon <= 180):
        hint = " The latitude comes first." if abs(lon) <= 90 and abs(lat) <= 180 else ""
        raise ConfigError(
            f"{lat:.10g} {lon:.10g} is no latitude and longitude: write LAT LON in degrees, as in 39.05 -94.58.{hint}"
        )
    x, y = _projected(grid, lat, lon)
    cell = int(cells_of(grid, x, y)[0])
    if cell >= 0:
        return cell
    shape = _study_area(release)
    if shape is not None:
        import shapely

        point = shapely.Point(float(x[0]), float(y[0]))
        if shape.covers(point):
            raise ConfigError(
                f"{lat:g} {lon:g} lies in the study area, but in a part that is excluded from it (water, an airfield), "
                "so it has no cell and no rating."
            )
        away = float(shape.distance(point)) * grid.spec.unit_m
        swapped = abs(lon) <= 90 and bool((cells_of(grid, *_projected(grid, lon, lat)) >= 0)[0])
        hint = f"Did you mean {lon:g} {lat:g}? The latitude comes first." if swapped else _lies(grid)
        raise ConfigError(f"{lat:g} {lon:g} lies {_far(away)} outside the study area, so it has no rating. {hint}")
    raise ConfigError(f"{lat:g} {lon:g} lies in no cell of the release.")


def _lies(grid: StudyGrid) -> str:
    """Where the cells are, in degrees, for whoever does not know the city."""
    from pyproj import Transformer

    to_degrees = Transformer.from_crs(grid.spec.crs, "EPSG:4326", always_xy=True)
    lon, lat = to_degrees.transform(grid.center_x_u, grid.center_y_u)
    return (
        f"Its cells lie between latitude {lat.min():.4f} and {lat.max():.4f}, longitude {lon.min():.4f} and "
        f"{lon.max():.4f}."
    )


def _far(meters: float) -> str:
    return f"{meters / 1000:,.1f} km" if meters >= 1000 else f"{meters:,.0f} m"


def _projected(grid: StudyGrid, lat: float, lon: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    from pyproj import Transformer

    x, y = Transformer.from_crs("EPSG:4326", grid.spec.crs, always_xy=True).transform(lon, lat)
    return np.array([x]), np.array([y])


def _shapes(release: ReleaseFolder, table: str) -> Any:
    import geopandas

    path = release.path / RESTRICTED / f"{table}.parquet"
    return geopandas.read_parquet(path) if path.is_file() else None


def _study_area(release: ReleaseFolder) -> Any:
    frame = _shapes(release, "study_area")
    return None if frame is None or frame.empty else frame.geometry.union_all()


def _neighborhood(release: ReleaseFolder, grid: StudyGrid, lat: float, lon: float) -> str | None:
    import shapely

    frame = _shapes(release, "neighborhoods")
    if frame is None or "area" not in frame:
        return None
    if "level" in frame:
        frame = frame[frame["level"] == "neighborhood"]
    x, y = _projected(grid, lat, lon)
    inside = frame[shapely.covers(frame.geometry.values, shapely.Point(float(x[0]), float(y[0])))]
    return str(inside["area"].iloc[0]) if len(inside) else None


def _number(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None


def _standing(release: ReleaseFolder, grid: StudyGrid, name: str, cell: int) -> Standing | None:
    bands = release.bands(name, grid)
    if not bands or not np.isfinite(bands[0][2][cell]):
        return None
    _, unit, values = bands[0]
    known = values[np.isfinite(values)]
    tier = int(tiers_of(values)[cell])
    label = next((tier_.label for tier_ in TIERS if tier_.number == tier), "")
    larger = int(np.count_nonzero(known > values[cell]))
    as_large = int(np.count_nonzero(known >= values[cell]))
    return Standing(float(values[cell]), unit, tier, label, larger + 1, as_large, int(known.size))


def _parts(release: ReleaseFolder, grid: StudyGrid, name: str, cell: int) -> tuple[Part, ...]:
    bands = release.bands(f"contributions/{name}", grid)
    return tuple(Part(band, unit, float(values[cell])) for band, unit, values in bands)


def _factors(release: ReleaseFolder, grid: StudyGrid, cell: int) -> tuple[FactorHere, ...]:
    model = release.facts("model.json")
    terms = {str(term["factor"]): (index, term) for index, term in enumerate(model.get("terms", ()))}
    multipliers = release.bands(f"contributions/{RISK_TERRAIN}", grid) if terms else []
    found = []
    for path in sorted((release.path / RESTRICTED / "factors").glob("*.tif")):
        bands = release.bands(f"factors/{path.stem}", grid)
        index, term = terms.get(path.stem, (None, None))
        holds = None if index is None else bool(multipliers[index][2][cell] != 1.0)
        distance = _number(bands[0][2][cell])
        found.append(
            FactorHere(
                factor=path.stem,
                label=_label(path),
                distance_m=None if distance is None else distance * grid.spec.unit_m,
                variable=str(term["variable"]) if term else None,
                rrv=float(term["rrv"]) if term else None,
                holds=holds,
                densities=tuple(Part(name, unit, float(values[cell])) for name, unit, values in bands[1:]),
            )
        )
    far = float("inf")
    found.sort(key=lambda f: (f.variable is None, f.distance_m if f.distance_m is not None else far, f.factor))
    return tuple(found)


def _label(path: Any) -> str:
    import rasterio

    with rasterio.open(path) as file:
        return str(file.tags().get("TITLE", path.stem)).removeprefix("Risk factor: ")
