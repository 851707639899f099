"""Rasters that say why: what makes up the score and the forecast of a cell, and the risk factors themselves.

``contributions/`` and ``factors/`` of the restricted edition; several named bands a file.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import PublishError
from rtm_pipeline.factors.spec import DENSITY
from rtm_pipeline.publication.content import FORECAST, RISK_TERRAIN, ReleaseContent
from rtm_pipeline.publication.provenance import horizon_words, raster_tags
from rtm_pipeline.publication.rasters import legends
from rtm_pipeline.publication.rasters.geotiff import Band, to_raster, write_cog
from rtm_pipeline.publication.rasters.styles import RasterClass, shaded_renderer, write_qml
from rtm_pipeline.surface.names import PART_LABELS

if TYPE_CHECKING:
    from rtm_pipeline.factors import Factor

__all__ = ["Explanation", "explanations_of", "write_explanation"]

_log = logging.getLogger(__name__)
_DENSITY_UNITS = {"lines": "km per km2", "polygons": "share of area"}


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """One raster of several bands.

    Attributes
    ----------
    path : str
        Relative to the edition's folder.
    title : str
        For people.
    names, units : tuple of str, length b
        Of the bands.
    values : tuple of ndarray of float, each of shape (n_cells,)
    shown : int
        Band that is shown first, from 1.
    legend : tuple of RasterClass
        Of that band.
    meaning : str
        A sentence more.
    """

    path: str
    title: str
    names: tuple[str, ...]
    units: tuple[str, ...]
    values: tuple[NDArray[np.floating], ...]
    shown: int
    legend: tuple[RasterClass, ...]
    meaning: str


def explanations_of(content: ReleaseContent) -> Iterator[Explanation]:
    """All rasters that say why, one after the other: few are in memory at once."""
    if content.terrain.fit.terrain.terms:
        yield _terrain_terms(content)
    if content.forecast is not None:
        yield _forecast_parts(content)
    for factor in content.factors.values():
        yield _factor_bands(content, factor)


def write_explanation(content: ReleaseContent, explanation: Explanation, folder: Path) -> None:
    """Write the raster and its QGIS style."""
    path = folder / explanation.path
    path.parent.mkdir(exist_ok=True)
    parts = zip(explanation.names, explanation.units, explanation.values, strict=True)
    bands = [Band(name, unit, to_raster(content.grid, values)) for name, unit, values in parts]
    tags = raster_tags(content) | {"TITLE": explanation.title, "MEANING": explanation.meaning}
    write_cog(path, bands, content.grid.spec, tags)
    write_qml(path.with_suffix(".qml"), explanation_renderer(explanation))


def explanation_renderer(explanation: Explanation) -> str:
    """QGIS renderer of the band that is shown first, as XML."""
    values = explanation.values[explanation.shown - 1]
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    return shaded_renderer(explanation.legend, low, high, band=explanation.shown)


def _terrain_terms(content: ReleaseContent) -> Explanation:
    """What each term of the model multiplies the score by; the product of all bands is the score."""
    rrs = content.terrain.rrs
    names, values = [], []
    product = np.ones(content.grid.n_cells)
    for term in content.terrain.fit.terrain.terms:
        column = _column(content, term.variable.factor, term.variable.name)
        multiplier = np.where(np.isfinite(rrs), np.where(column == 1, term.rrv, 1.0), np.nan)
        product *= multiplier
        names.append(f"{content.name_of(term.variable.factor)} ({term.variable.name})")
        values.append(multiplier)
    scale = rrs / product
    if not np.allclose(scale[np.isfinite(scale)], 1.0, rtol=1e-12, atol=0.0):
        names.append("scale (so that the lowest score is 1)")
        values.append(scale)
    return Explanation(
        path=f"contributions/{RISK_TERRAIN}.tif",
        title="Risk terrain: what each factor multiplies the score by",
        names=tuple(names),
        units=("multiplier",) * len(names),
        values=tuple(values),
        shown=1,
        legend=legends.multiplier_legend(),
        meaning="One band a term of the model: its relative risk value where the variable is 1, else 1. The product "
        "of all bands is risk_terrain.tif.",
    )


def _column(content: ReleaseContent, factor: str, variable: str) -> NDArray[np.uint8]:
    found = content.factors.get(factor)
    names = [] if found is None else [item.name for item in found.variables]
    if found is None or variable not in names:
        raise PublishError(
            f"The model selected {variable!r}, but the factor {factor!r} as applied has not got it (there: "
            f"{', '.join(names) or 'no factor'}). Rerun the factor, then the model."
        )
    return found.column(names.index(variable))


def _forecast_parts(content: ReleaseContent) -> Explanation:
    """The forecast's own product: a background in incidents, and multipliers."""
    forecast = content.forecast
    if forecast is None:
        raise PublishError("There is no forecast to take apart.")
    names = tuple(PART_LABELS.get(name, content.name_of(name)) for name in forecast.contribution_names)
    incidents = f"{content.unit}s in {horizon_words(content)}"
    units = tuple(incidents if name == "background" else "multiplier" for name in forecast.contribution_names)
    first = next((at for at, unit in enumerate(units) if unit == "multiplier"), 0)
    columns = tuple(forecast.contributions[:, at] for at in range(len(names)))
    legend = legends.multiplier_legend() if units[first] == "multiplier" else legends.quantile_legend(columns[first])
    return Explanation(
        path=f"contributions/{FORECAST}.tif",
        title="Forecast: what makes up the expected incidents",
        names=names,
        units=units,
        values=columns,
        shown=first + 1,
        legend=legend,
        meaning="The background is in incidents, every other band multiplies it. The product of all bands is "
        "forecast.tif.",
    )


def _factor_bands(content: ReleaseContent, factor: Factor) -> Explanation:
    """Distance, and the density of the selected bandwidth (all that were kept, on request)."""
    from rtm_pipeline.grid.crs import resolve_crs

    unit = resolve_crs(content.grid.spec.crs).unit_name
    short = "ft" if "foot" in unit else "m"
    names, units = [f"distance to the nearest ({unit})"], [unit]
    values: list[NDArray[np.floating]] = [factor.distance_u]
    for band_u in _density_bands(content, factor):
        names.append(f"density, bandwidth {band_u:,.0f} {short}" + _also_meters(band_u, factor, short))
        units.append(_DENSITY_UNITS.get(factor.geometry, "per km2"))
        values.append(factor.intensity(band_u))
    label = content.name_of(factor.name)
    influences = [v.spatial_influence_u for v in factor.variables if v.spatial_influence_u is not None]
    return Explanation(
        path=f"factors/{factor.name}.tif",
        title=f"Risk factor: {label}",
        names=tuple(names),
        units=tuple(units),
        values=tuple(values),
        shown=1,
        legend=legends.distance_legend(influences, short),
        meaning=f"{label}, {factor.n_features:,} features as known at {factor.known_at}; distances are from the cell "
        "center and exact, 0 inside polygons.",
    )


def _also_meters(band_u: float, factor: Factor, short: str) -> str:
    return "" if short == "m" else f" ({band_u * factor.grid.unit_m:,.0f} m)"


def _density_bands(content: ReleaseContent, factor: Factor) -> tuple[float, ...]:
    if content.all_factor_bands:
        return factor.density_bands_u
    selected = [
        term.variable.spatial_influence_u
        for term in content.terrain.fit.terrain.terms
        if term.variable.factor == factor.name and term.variable.operationalization == DENSITY
    ]
    kept = tuple(band for band in factor.density_bands_u if band in selected)
    if len(kept) < len(selected):
        _log.warning("factor %s: the density of the selected bandwidth was not kept, its raster lacks it", factor.name)
    return kept
