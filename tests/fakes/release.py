"""A small release's content, made in a moment: every product can be tested without a night.

``make_content()`` is a city of 30 by 40 cells in survey feet with all optional parts. Its values are drawn with a fixed
seed and hang together as a night's do (tiers from surfaces, areas from cells), but nothing is fitted. ``hostile=True``
puts text that attacks browsers, databases and spreadsheets wherever a source's text gets through.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from rtm_pipeline.factors.factor import Factor, FrozenCuts
from rtm_pipeline.factors.spec import Variable
from rtm_pipeline.grid import StudyGrid, study_grid
from rtm_pipeline.layers.layer import Layer, LayerCounts, LayerResult
from rtm_pipeline.model.engine import RtmFit
from rtm_pipeline.model.spec import ModelSpec
from rtm_pipeline.model.terrain import FittedTerrain, Term
from rtm_pipeline.priorities.columns import TABLES, Column, build_table
from rtm_pipeline.publication.content import AreaPolygons, ComparedRelease, ReleaseContent, SourceCredit
from rtm_pipeline.sources.snapshots.manifest import Snapshot
from rtm_pipeline.surface.columns import Columns
from rtm_pipeline.surface.forecast import Forecast
from rtm_pipeline.surface.heterogeneity import CellPrior
from rtm_pipeline.surface.seasonal import SeasonalProfile
from rtm_pipeline.surface.tiers import tiers_of
from rtm_pipeline.surface.tuning import ForecastModel
from rtm_pipeline.surface.vintage import RiskTerrain
from rtm_pipeline.units import Duration, Vintage, Window

CRS = "EPSG:3436"  # Illinois West, US survey feet
CELL_U = 250.0
WEST_U, SOUTH_U = 2_070_000.0, 1_550_000.0
UNIT_M = 1200 / 3937
AS_OF = date(2024, 1, 1)
FIT = Window(date(2023, 1, 1), AS_OF)
RUN_ID = "2024-01-01-0123456789ab"
SCRIPT = "<img src=x onerror=alert(1)>"
INJECTION = "'; DROP TABLE priority_lots;--"
FORMULA = '=cmd|"/C calc"!A0'
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Names:
    """Text that comes from sources and configuration."""

    lots: str = "vacant lots"
    park: str = "parks"
    neighborhood: str = "Fourth Ward"
    status: str = "listed"
    address: str = "12 River St"


@dataclass(frozen=True, slots=True)
class Written:
    """A release on disk and what it was made from."""

    content: ReleaseContent
    folder: Path

    @property
    def public(self) -> Path:
        return self.folder / "public"

    @property
    def restricted(self) -> Path:
        return self.folder / "restricted"


def write(content: ReleaseContent, folder: Path) -> Written:
    """Write every product into a new folder."""
    from rtm_pipeline.publication.products import write_release

    folder.mkdir()
    write_release(content, folder)
    return Written(content, folder)


def make_grid(rows: int = 40, cols: int = 30) -> tuple[StudyGrid, Any]:
    """A study area with slanted sides and a hole, and its grid: cells outside, and cells only partly inside."""
    width, height = cols * CELL_U, rows * CELL_U
    corners = [(0, 0.1), (0.5, 0), (1, 0.2), (1, 1), (0.3, 1), (0, 0.6)]
    outline = [(WEST_U + x * width, SOUTH_U + y * height) for x, y in corners]
    hole = shapely.box(
        WEST_U + 0.40 * width + 60, SOUTH_U + 0.70 * height, WEST_U + 0.55 * width, SOUTH_U + 0.80 * height
    )
    area = shapely.Polygon(outline).difference(hole)
    return study_grid(area, crs=CRS, cell_size_u=CELL_U), area


def make_content(
    *, rows: int = 40, cols: int = 30, seed: int = 0, hostile: bool = False, names: Names | None = None
) -> ReleaseContent:
    """A whole night's content; leave parts out with `dataclasses.replace`."""
    if names is None:
        names = Names(SCRIPT, "parks & <b>greens</b>", INJECTION, FORMULA, FORMULA) if hostile else Names()
    rng = np.random.default_rng(seed)
    grid, area = make_grid(rows, cols)
    factors = {
        "vacant_lots": _factor("vacant_lots", grid, rng, "density"),
        "liquor": _factor("liquor", grid, rng, "proximity"),
        "parks": _factor("parks", grid, rng, "proximity", geometry="polygons"),
    }
    terrain = _terrain(grid, factors, rng)
    forecast = _forecast(grid, terrain.rrs, rng)
    areas = {"neighborhood": _areas(area, names), "district": _districts(area)}
    return ReleaseContent(
        city="testville",
        label="Testville",
        run_id=RUN_ID,
        as_of=AS_OF,
        vintage=Vintage(FIT.start, FIT),
        judged=FIT,
        horizon=Duration(1, "y"),
        outcome="violence",
        unit="incident",
        grid=grid,
        area=area,
        terrain=terrain,
        tiers={"risk_terrain": tiers_of(terrain.rrs), "forecast": tiers_of(forecast.expected)},
        factors=factors,
        left_out=({"factor": "schools", "reason": "nothing of it was known at 2023-01-01"},),
        layers=_layers(grid, names),
        snapshots={name: _snapshot(name) for name in ("police", "registry", "park_land")},
        labels={
            "vacant_lots": names.lots,
            "liquor": "liquor outlets",
            "parks": names.park,
            "violence": "violent crime",
        },
        credits=(
            SourceCredit("police", "Testville Police Department", "https://data.example.org/terms"),
            SourceCredit(
                "registry", "Testville Land Bank", "https://data.example.org/terms", "CC-BY-4.0", "As is, no warranty."
            ),
            SourceCredit("park_land", names.park, None),
        ),
        timezone="America/Chicago",
        layer_sources={"violence": "police", "vacant_lots": "registry", "parks": "park_land"},
        forecast=forecast,
        compared=ComparedRelease("2023-12-01-aaaaaaaaaaaa", date(2023, 12, 1), "forecast", _earlier(forecast, rng)),
        statements={
            "forecast": "Not judged: this city is made up.",
            "risk_terrain": "Says why here; ranks places worse than past counts do.",
        },
        accuracy={"verdict": "not_judged", "cutoff": "2023-01-01"},
        tables=_tables(grid, forecast, terrain.rrs, areas, names, rng),
        areas=areas,
        sexual="none",
    )


def _factor(name: str, grid: StudyGrid, rng: np.random.Generator, kind: str, *, geometry: str = "points") -> Factor:
    """Distances to a dozen random points, a kernel of them, and the 0/1 variables that follow."""
    x, y = grid.center_x_u, grid.center_y_u
    at = rng.choice(grid.n_cells, 12, replace=False)
    gap = np.hypot(x[:, None] - x[at] - 30.0, y[:, None] - y[at] + 45.0)
    distance = gap.min(axis=1).astype(np.float32)
    bands = (500.0, 1000.0)
    density = np.stack([np.where(gap < h, (1 - (gap / h) ** 2) ** 2, 0).sum(axis=1) for h in bands]).astype(np.float32)
    variables = tuple(Variable(f"{name}_{kind}_{h * UNIT_M:.0f}m", name, kind, round(h * UNIT_M, 1), h) for h in bands)
    inside = distance[:, None] <= np.array(bands) if kind == "proximity" else density.mean(axis=1) < density.T
    bits = np.array([[i & 1, i >> 1] for i in range(4)], np.uint8)
    return Factor(
        name=name,
        layer=name,
        known_at=AS_OF,
        grid=grid.spec,
        operationalization=kind,
        variables=variables,
        codes=(inside[:, 0] + 2 * inside[:, 1]).astype(np.uint8),
        bits=bits,
        distance_u=distance,
        density=density if kind == "density" else None,
        density_bands_u=bands if kind == "density" else (),
        geometry=geometry,
        cuts=FrozenCuts(name, kind, grid.spec, variables, (), FIT.start),
        dropped=(),
        clustering=None,
        n_features=12,
        known=None,
        assumed=False,
        earliest_known=date(2000, 1, 1),
    )


def _terrain(grid: StudyGrid, factors: Mapping[str, Factor], rng: np.random.Generator) -> RiskTerrain:
    chosen = [(factors["vacant_lots"], 0, 0.9), (factors["liquor"], 1, 0.5)]
    terms = tuple(
        Term(factor.variables[j], beta, 0.1, np.exp(beta - 0.2), np.exp(beta + 0.2), 1.0, np.exp(beta + 0.3), 0.97)
        for factor, j, beta in chosen
    )
    log_rrs = sum(beta * factor.column(j).astype(np.float64) for factor, j, beta in chosen)
    rrs = np.exp(log_rrs - np.min(log_rrs))
    counts = rng.poisson(grid.exposure * 0.3 * rrs)
    fitted = FittedTerrain(
        family="nb1",
        dispersion=0.4,
        dispersion_name="sigma",
        variance="mu + sigma * mu",
        intercept=-1.2,
        intercept_se=0.05,
        terms=terms,
        log_likelihood=-900.0,
        deviance=1800.0,
        aic=1808.0,
        bic=1828.0,
        n_parameters=4,
        n_cells=grid.n_cells,
        n_events=int(counts.sum()),
        steps=(),
    )
    fit = RtmFit(fitted, ModelSpec(), None, tuple(term.variable.name for term in terms), (), None, None, (), ())
    return RiskTerrain(fit, np.ones(grid.n_cells, bool), rrs, rrs, counts)


def _forecast(grid: StudyGrid, rrs: NDArray[np.float64], rng: np.random.Generator) -> Forecast:
    background = grid.exposure * 0.2
    lots, past = rrs**0.5, rng.gamma(2.0, 0.5, grid.n_cells)
    contributions = np.stack([background, lots, past], axis=1)
    expected = contributions.prod(axis=1)
    order = np.argsort(np.argsort(-expected, kind="stable"), kind="stable")
    nothing = np.empty(0)
    model = _partly(
        ForecastModel,
        cutoff=AS_OF,
        decay=0.7,
        decay_reason="fewer than three prior years",
        ladder=(4.0, 2.0),
        strengths=(5.0, 5.0),
        powers=(0.5, 0.5),
        columns=Columns((), (), np.empty(0), np.empty(0), ()),
        factors=(),
        centers=nothing,
        scales=nothing,
        coefficients=nothing,
        corrections=nothing,
        intercept=0.0,
        ridge=float("inf"),
        prior=CellPrior((0.5,), 0.0),
        interval_prior=CellPrior((0.5,), 0.0),
        windows=(FIT,),
        left_out=(),
        log_likelihood=float("nan"),
    )
    return _partly(
        Forecast,
        cutoff=AS_OF,
        horizon=Window(AS_OF, date(2025, 1, 1)),
        expected=expected,
        low=expected * 0.6,
        high=expected * 1.6,
        sd=expected * rng.uniform(0.2, 1.1, grid.n_cells),
        p_top5=np.clip(1.2 - order / (0.06 * grid.n_cells), 0, 1).astype(np.float32),
        contributions=contributions,
        contribution_names=("background", "vacant_lots", "past_here"),
        annual_level=float(expected.sum()),
        horizon_years=1.0,
        profile=SeasonalProfile(),
        model=model,
    )


def _partly(kind: Callable[..., T], **known: Any) -> T:
    """An instance with what products read of it; all other fields are None."""
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    return kind(**{name: known.get(name) for name in names})


def _earlier(forecast: Forecast, rng: np.random.Generator) -> NDArray[np.float64]:
    values = forecast.expected * rng.uniform(0.7, 1.3, forecast.expected.size)
    values[:7] = np.nan  # cells that the earlier release did not have
    return values


def _areas(area: Any, names: Names) -> AreaPolygons:
    """Five neighborhoods side by side, the third in two parts; the last has a few cells only."""
    west, south, east, north = area.bounds
    edges = west + (east - west) * np.array([0.0, 0.25, 0.5, 0.75, 0.97, 1.0])
    polygons = [area.intersection(shapely.box(a, south, b, north)) for a, b in itertools.pairwise(edges)]
    labels = ("Riverside", "O'Fallon Place", "Peña Heights", names.neighborhood, "The Point")
    return AreaPolygons("neighborhood", labels, np.array(polygons, dtype=object))


def _districts(area: Any) -> AreaPolygons:
    west, south, east, north = area.bounds
    middle = (south + north) / 2
    halves = [area.intersection(shapely.box(west, a, east, b)) for a, b in ((middle, north), (south, middle))]
    return AreaPolygons("district", ("District 1", "District 2"), np.array(halves, dtype=object))


def _layers(grid: StudyGrid, names: Names) -> dict[str, LayerResult]:
    lots = pa.table(
        {
            "PARCEL_ID": pa.array(["17", None], pa.string()),
            "SITUS_ADDRESS": pa.array([names.address, "9 Elm"], pa.string()),
            "_file": pa.array([0, 0], pa.int32()),
            "_row": pa.array([3, 8], pa.int64()),
            "_reason": ["no_location", "no_date"],
        }
    )
    violence = pa.table(
        {
            "ReportNo": pa.array(["R-1"], pa.string()),
            "geometry": pa.array([shapely.to_wkb(shapely.Point(0, 0))], pa.binary()),
            "_file": pa.array([1], pa.int32()),
            "_row": pa.array([5], pa.int64()),
            "_reason": ["implausible_location"],
        }
    )
    empty = lots.slice(0, 0)
    return {
        "vacant_lots": LayerResult(
            _layer("vacant_lots", "sites"), LayerCounts(10, 8, 0, 0, {"no_location": 1, "no_date": 1}), lots
        ),
        "violence": LayerResult(
            _incidents(grid),
            LayerCounts(100, 90, 6, 3, {"implausible_location": 1}, {"where": 6}),
            violence,
        ),
        "parks": LayerResult(_layer("parks", "sites"), LayerCounts(4, 4, 0, 0), empty),
    }


def _incidents(grid: StudyGrid, n: int = 900) -> Layer:
    """Incidents of the year, more of them in the west and in the evening."""
    rng = np.random.default_rng(7)
    weight = 1.0 + 4.0 * (grid.center_x_u < WEST_U + 0.4 * (grid.center_x_u.max() - WEST_U))
    cell = rng.choice(grid.n_cells, n, p=weight / weight.sum())
    hour = np.minimum(rng.triangular(0, 22, 24, n), 23.9)
    seconds = (rng.integers(0, 365, n) * 86400 + hour * 3600).astype("timedelta64[s]")
    plain = _layer("violence", "events")
    return dataclasses.replace(
        plain,
        x=grid.center_x_u[cell],
        y=grid.center_y_u[cell],
        time=np.datetime64("2023-01-01", "s") + seconds,
        known_at=np.full(n, np.datetime64("2023-01-01", "s")),
        until=np.full(n, np.datetime64("NaT"), "datetime64[s]"),
        category=np.full(n, -1, np.int16),
        incident=np.arange(n),
        flags={"sexual": rng.random(n) < 0.1},
        attributes=pa.table({"_file": pa.array(np.zeros(n, np.int32)), "_row": pa.array(np.arange(n))}),
    )


def _layer(name: str, kind: str) -> Layer:
    point = np.array([WEST_U + 3000.0])
    return Layer(
        name=name,
        kind=kind,
        origin="registry",
        crs=CRS,
        x=point,
        y=np.array([SOUTH_U + 4000.0]),
        geometry=None,
        time=np.array(["NaT"], "datetime64[s]"),
        known_at=np.array(["2020-01-01"], "datetime64[s]"),
        until=np.array(["NaT"], "datetime64[s]"),
        category=np.array([-1], np.int16),
        category_names=(),
        incident=np.array([0]),
        flags={},
        attributes=pa.table({"_file": pa.array([0], pa.int32()), "_row": pa.array([1], pa.int64())}),
    )


def _snapshot(source: str) -> Snapshot:
    digest = (source.encode().hex() * 8)[:64].ljust(64, "0")
    when = "2024-01-01T08:00:00Z"
    return Snapshot("testville", source, digest, when, when, 100, (), (), CRS, False, (), ())


def _tables(
    grid: StudyGrid,
    forecast: Forecast,
    rrs: NDArray[np.float64],
    areas: Mapping[str, AreaPolygons],
    names: Names,
    rng: np.random.Generator,
) -> dict[str, pa.Table]:
    area_rows = pa.concat_tables([_area_table(level, grid, forecast, rrs, areas, names) for level in areas])
    return {
        "priority_lots": _site_table("priority_lots", 60, grid, forecast, names, rng, "L"),
        "priority_buildings": _site_table("priority_buildings", 12, grid, forecast, names, rng, "B"),
        "neighborhoods": area_rows,
        "zones": _zone_table(grid, forecast),
        "frontier": _filled("frontier", 3, {"budget_usd": [1e5, 2e5, 3e5], "expected_prevented": [1.0, 1.8, 2.2]}),
        "evidence_311": _evidence(names),
    }


def _evidence(names: Names) -> pa.Table:
    """Two kinds of request; one has too little behind it for most of the columns."""
    band = {
        "incidents": [30, 9],
        "rate_ratio": [2.5, None],
        "rate_ratio_low": [1.9, None],
        "rate_ratio_high": [3.3, None],
    }
    return pa.table(
        {
            "category": ["illegal_dumping", names.status],
            "requests": [40, 12],
            "requests_latest": [30, 12],
            "requests_before": [40, None],
            "change": [-0.25, None],
            **{f"{name}_0_76m": values for name, values in band.items()},
            **{f"{name}_76_152m": values for name, values in band.items()},
            "selection_frequency": [0.6, None],
            "rrv": [1.4, None],
            "rrv_low": [1.2, None],
            "rrv_high": [1.7, None],
            "reports_per_month": [0.31, None],
        }
    )


def _site_table(
    table: str,
    n: int,
    grid: StudyGrid,
    forecast: Forecast,
    names: Names,
    rng: np.random.Generator,
    letter: str,
) -> pa.Table:
    at = rng.choice(grid.n_cells, n, replace=False)
    at = at[np.argsort(-forecast.expected[at], kind="stable")]
    fund = [i < n // 4 for i in range(n)]
    inside = grid.exposure[at] > 0.999
    data: dict[str, Any] = {
        "site_id": [f"{letter}{100 + i:04d}" for i in range(n)],
        "address": [f"{i} Main St" if i else names.address for i in range(n)],
        "rank": np.arange(1, n + 1),
        "action": ["greening" if letter == "L" else "repair"] * n,
        "work": ["cleaning and greening" if letter == "L" else "repair and securing"] * n,
        "expected_incidents": forecast.expected[at],
        "expected_prevented": forecast.expected[at] * 0.1,
        "prevented_low": forecast.expected[at] * 0.02,
        "prevented_high": forecast.expected[at] * 0.2,
        "cost_usd": np.where(np.arange(n) % 5 == 4, np.nan, 1600.0),
        "cost_basis": ["sourced"] * n,
        "why": [f"{names.lots} x1.8, past incidents here x1.3"] * n,
        "status": [names.status] * n,
        "owner_type": ["land_bank"] * n,
        "neighborhood": ["Riverside", "O'Fallon Place", "Peña Heights", names.neighborhood] * (n // 4),
        "district": ["District 1"] * n,
        "selectable": [i % 6 != 5 for i in range(n)],
        "excluded_reason": ["" if i % 6 != 5 else "no legal authority" for i in range(n)],
        "funded": [f and i % 6 != 5 for i, f in enumerate(fund)],
        "effect_key": ["greening_firearm"] * n,
        "outcome": ["firearm"] * n,
        "x": grid.center_x_u[at] + np.where(inside, 37.5, 0.0),
        "y": grid.center_y_u[at] - np.where(inside, 12.5, 0.0),
    }
    return _filled(table, n, data)


def _area_table(
    level: str,
    grid: StudyGrid,
    forecast: Forecast,
    rrs: NDArray[np.float64],
    areas: Mapping[str, AreaPolygons],
    names: Names,
) -> pa.Table:
    polygons = areas[level]
    of_cell = np.full(grid.n_cells, -1)
    points = shapely.points(grid.center_x_u, grid.center_y_u)
    for index, polygon in enumerate(polygons.polygons):
        of_cell[(of_cell < 0) & shapely.dwithin(polygon, points, 1.0)] = index
    n = len(polygons.names)
    some = of_cell >= 0

    def total(values: NDArray[Any]) -> NDArray[np.float64]:
        return np.bincount(of_cell[some], weights=values[some], minlength=n)

    cells = total(np.ones(grid.n_cells)).astype(int)
    km2 = total(grid.exposure) * (grid.spec.cell_size_m / 1000) ** 2
    return _filled(
        "neighborhoods",
        n,
        {
            "area": list(polygons.names),
            "level": [level] * n,
            "district": ["District 1" if level == "neighborhood" else ""] * n,
            "cells": cells,
            "area_km2": km2,
            "risk_mean": total(rrs * grid.exposure) / np.maximum(total(grid.exposure), 1e-9),
            "risk_high_share": np.linspace(0.02, 0.2, n),
            "expected_incidents": total(forecast.expected),
            "expected_per_km2": total(forecast.expected) / np.maximum(km2, 1e-9),
            "lots": [3, 14, 20, 8, 2][:n],
            "buildings": [6, 7, 4, 9, 0][:n],
            "open_311": [40, 55, 61, 23, 1][:n],
            "top_factors": [f"{names.lots} x1.8, past incidents here x1.3"] * n,
            "recommended_work": ["funded: 3 lots for cleaning and greening, 1 building for repair"] * n,
        },
    )


def _zone_table(grid: StudyGrid, forecast: Forecast) -> pa.Table:
    best = int(np.argmax(forecast.expected))
    cells = np.flatnonzero((np.abs(grid.rows - grid.rows[best]) <= 1) & (np.abs(grid.cols - grid.cols[best]) <= 1))
    return _filled(
        "zones",
        1,
        {
            "zone": [1],
            "period_start": ["2024-01-01"],
            "period_end": ["2024-01-05T00:00:00"],
            "purpose": ["street outreach"],
            "owner": ["Office of Violence Prevention"],
            "expiry": ["2024-06-01"],
            "cells": [cells.size],
            "zone_cells": [" ".join(map(str, cells.tolist()))],
            "decision": ["new"],
        },
    )


def _filled(table: str, n: int, data: Mapping[str, Any]) -> pa.Table:
    """A documented table; columns that are not given get a plain value of their type."""
    plain = {"string": "", "int": 1, "float": 1.5, "bool": False}

    def column(spec: Column) -> Any:
        return data.get(spec.name, [plain[spec.type]] * n)

    return build_table(TABLES[table], {spec.name: column(spec) for spec in TABLES[table]})
