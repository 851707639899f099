"""The published surfaces, as data: what each is called, which edition carries it, its unit, values and legend.

One file with one band a surface; the values are those of the study cells, so reports and maps that draw the same
surface take it from here. The rasters that explain them (contributions, factors) are in `explanations`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.publication.content import FORECAST, PUBLIC, RESTRICTED, RISK_TERRAIN, ReleaseContent
from rtm_pipeline.publication.provenance import barred_sources, horizon_words, layers_behind_terrain, raster_tags
from rtm_pipeline.publication.rasters import legends
from rtm_pipeline.publication.rasters.geotiff import Band, to_classes, to_raster, write_cog
from rtm_pipeline.publication.rasters.styles import (
    RasterClass,
    class_sizes,
    paletted_renderer,
    shaded_renderer,
    write_attribute_table,
    write_qml,
)

__all__ = ["SURFACES", "Surface", "SurfaceSpec", "surfaces_of", "write_surface"]

Values = NDArray[Any]


@dataclass(frozen=True, slots=True)
class SurfaceSpec:
    """How one surface is published.

    Attributes
    ----------
    name : str
        Stem of the file.
    title : str
        For people; stands as the band's description.
    meaning : str
        A sentence more.
    of : str
        ``risk_terrain`` or ``forecast``: whose accuracy it shares.
    editions : tuple of str
    values : callable
        Values of the cells, or None where the night has none. uint8: tiers, 0 for none; else NaN for none.
    unit : callable
        Unit of the values.
    legend : callable
        Classes, given content and values; upper bounds of values, tier numbers for tiers.
    """

    name: str
    title: str
    meaning: str
    of: str
    editions: tuple[str, ...]
    values: Callable[[ReleaseContent], Values | None]
    unit: Callable[[ReleaseContent], str]
    legend: Callable[[ReleaseContent, Values], tuple[RasterClass, ...]]


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """One surface of one release.

    Attributes
    ----------
    spec : SurfaceSpec
    unit : str
    values : ndarray of float or uint8, shape (n_cells,)
        NaN (0 for tiers) where there is none.
    legend : tuple of RasterClass
    statement : str or None
        How accurate it is.
    """

    spec: SurfaceSpec
    unit: str
    values: Values
    legend: tuple[RasterClass, ...]
    statement: str | None

    @property
    def classed(self) -> bool:
        """Whether values are classes."""
        return bool(self.values.dtype == np.uint8)


def _incidents(content: ReleaseContent) -> str:
    return f"{content.unit}s in {horizon_words(content)}"


def _forecast(field: str) -> Callable[[ReleaseContent], Values | None]:
    def values(content: ReleaseContent) -> Values | None:
        return None if content.forecast is None else np.asarray(getattr(content.forecast, field))

    return values


def _tier(surface: str) -> Callable[[ReleaseContent], Values | None]:
    return lambda content: content.tiers.get(surface)


def _terrain_legend(content: ReleaseContent, values: Values) -> tuple[RasterClass, ...]:
    return legends.tier_value_legend(values, content.tiers[RISK_TERRAIN])


def _forecast_legend(content: ReleaseContent, values: Values) -> tuple[RasterClass, ...]:
    """Bounds of the forecast's tiers, also for its interval: one color means one number of incidents."""
    expected = values if content.forecast is None else content.forecast.expected
    return legends.tier_value_legend(expected, content.tiers[FORECAST], "expected")


def _change(content: ReleaseContent) -> Values | None:
    earlier = content.compared
    if earlier is None:
        return None
    if earlier.surface == FORECAST:
        return None if content.forecast is None else np.asarray(content.forecast.expected - earlier.values)
    return np.asarray(content.terrain.rrs - earlier.values)


def _change_unit(content: ReleaseContent) -> str:
    forecast = content.compared is not None and content.compared.surface == FORECAST
    return _incidents(content) if forecast else "relative risk score"


_PRIVATE = (RESTRICTED,)
_BOTH = (PUBLIC, RESTRICTED)

SURFACES: tuple[SurfaceSpec, ...] = (
    SurfaceSpec(
        RISK_TERRAIN,
        "Risk terrain: relative risk score",
        "How many times the risk of the least risky place, from features of the landscape alone. For prevention work.",
        RISK_TERRAIN,
        _BOTH,
        lambda content: content.terrain.rrs,
        lambda _: "relative risk score",
        _terrain_legend,
    ),
    SurfaceSpec(
        "risk_tier",
        "Risk terrain: tiers by share of cells",
        "1 is the top 1 % of cells, 2 to 5 %, 3 to 10 %, 4 to 20 %, 5 the rest; ties raise the class together.",
        RISK_TERRAIN,
        _BOTH,
        _tier(RISK_TERRAIN),
        lambda _: "tier",
        lambda *_: legends.tier_legend(),
    ),
    SurfaceSpec(
        FORECAST,
        "Forecast: expected incidents",
        "Expected incidents of each cell in the horizon. Cells rank by it.",
        FORECAST,
        _PRIVATE,
        _forecast("expected"),
        _incidents,
        _forecast_legend,
    ),
    SurfaceSpec(
        "forecast_low",
        "Forecast: lower end of the 90 % interval of the rate",
        "The cell's rate is above it with at least 95 % probability.",
        FORECAST,
        _PRIVATE,
        _forecast("low"),
        _incidents,
        _forecast_legend,
    ),
    SurfaceSpec(
        "forecast_high",
        "Forecast: upper end of the 90 % interval of the rate",
        "The cell's rate is below it with at least 95 % probability.",
        FORECAST,
        _PRIVATE,
        _forecast("high"),
        _incidents,
        _forecast_legend,
    ),
    SurfaceSpec(
        "uncertainty",
        "Forecast: uncertainty (SD over mean of the rate)",
        "How loosely the rate is known, relative to its size.",
        FORECAST,
        _PRIVATE,
        _forecast("uncertainty"),
        lambda _: "ratio",
        lambda *_: legends.uncertainty_legend(),
    ),
    SurfaceSpec(
        "p_top5",
        "Forecast: probability of being among the top 5 % of cells",
        "How sure it is that the cell belongs to the 5 % of cells with the highest rates.",
        FORECAST,
        _PRIVATE,
        _forecast("p_top5"),
        lambda _: "probability",
        lambda *_: legends.probability_legend(),
    ),
    SurfaceSpec(
        "forecast_tier",
        "Forecast: tiers by share of cells",
        "1 is the top 1 % of cells, 2 to 5 %, 3 to 10 %, 4 to 20 %, 5 the rest; ties raise the class together.",
        FORECAST,
        _PRIVATE,
        _tier(FORECAST),
        lambda _: "tier",
        lambda *_: legends.tier_legend(),
    ),
    SurfaceSpec(
        "change",
        "Change since the compared release",
        "Now minus then; no value where the other release has none.",
        FORECAST,
        _PRIVATE,
        _change,
        _change_unit,
        lambda _, values: legends.change_legend(values),
    ),
)


def surfaces_of(content: ReleaseContent, edition: str) -> tuple[Surface, ...]:
    """The surfaces that an edition carries tonight, in the order of `SURFACES`.

    A surface of the public edition is left out if the terms of a source behind it don't allow it there.
    """
    barred = barred_sources(content, edition, layers_behind_terrain(content)) if edition == PUBLIC else ()
    found = []
    for spec in SURFACES:
        values = spec.values(content) if edition in spec.editions and not barred else None
        if values is not None:
            statement = content.statements.get(spec.of)
            found.append(Surface(spec, spec.unit(content), values, spec.legend(content, values), statement))
    return tuple(found)


def write_surface(content: ReleaseContent, surface: Surface, folder: Path) -> None:
    """Write ``NAME.tif`` and the files beside it by which GIS programs show it as it is meant."""
    spec, grid = surface.spec, content.grid
    path = folder / f"{spec.name}.tif"
    tags = raster_tags(content, surface.statement) | {"MEANING": spec.meaning}
    if spec.name == "change" and content.compared is not None:
        tags["COMPARED_WITH"] = f"{content.compared.run_id}, as of {content.compared.as_of}"
    if surface.classed:
        image: Values = to_classes(grid, surface.values)
        palette = {int(c.value): c.rgb for c in surface.legend}
        write_cog(path, [Band(spec.title, surface.unit, image)], grid.spec, tags, palette=palette)
        write_attribute_table(path, surface.legend, class_sizes(surface.values, surface.legend))
    else:
        image = to_raster(grid, surface.values)
        write_cog(path, [Band(spec.title, surface.unit, image)], grid.spec, tags)
    write_qml(path.with_suffix(".qml"), renderer_of(surface))


def renderer_of(surface: Surface) -> str:
    """QGIS renderer of a surface, as XML."""
    if surface.classed:
        return paletted_renderer(surface.legend)
    known = surface.values[np.isfinite(surface.values)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    return shaded_renderer(surface.legend, low, high)
