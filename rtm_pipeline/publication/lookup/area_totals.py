"""A published raster summed by the areas of any file of polygons."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import PublishError, SchemaError
from rtm_pipeline.grid.crs import resolve_crs
from rtm_pipeline.grid.locate import area_shares
from rtm_pipeline.grid.spec import GridSpec, StudyGrid

__all__ = ["raster_by_area"]


def raster_by_area(raster: Path, areas: Path, name: str) -> dict[str, float]:
    """Sum of a raster in each area; a cell on a border is split by its share of area.

    Parameters
    ----------
    raster : Path
        Band 1 of a GeoTIFF of square cells in a projected CRS, such as ``restricted/forecast.tif`` of a release.
    areas : Path
        Polygons, in any CRS.
    name : str
        Column with the areas' names; polygons of one name are one area, those without are left out.

    Raises
    ------
    PublishError
        The raster can't be read.
    SchemaError
        The polygons can't be read, have no such column or no CRS.
    """
    import geopandas
    from pyogrio.errors import DataSourceError

    grid, values = _read(raster)
    try:
        frame = geopandas.read_file(areas)
    except (DataSourceError, OSError) as error:
        raise SchemaError(f"{areas} can't be read as polygons: {error}.") from None
    if name not in frame.columns:
        raise SchemaError(f"{areas} has no column {name!r}; it has: {', '.join(map(str, frame.columns))}.")
    if frame.crs is None:
        raise SchemaError(f"{areas} does not say its CRS, so its polygons can't be laid on the raster.")
    frame = frame[frame[name].notna() & frame.geometry.notna()]
    merged = frame.to_crs(grid.spec.crs).dissolve(by=name).geometry.make_valid()
    totals = area_shares(grid, list(merged)).totals(values, by="share")
    return {str(area): float(total) for area, total in zip(merged.index, totals, strict=True)}


def _read(path: Path) -> tuple[StudyGrid, NDArray[np.float64]]:
    import rasterio
    from rasterio.errors import RasterioError

    try:
        with rasterio.open(path) as raster:
            transform, crs, nodata = raster.transform, raster.crs, raster.nodata
            image = raster.read(1).astype(np.float64)
    except RasterioError as error:
        raise PublishError(f"{path} can't be read: {error}.") from None
    if crs is None or crs.to_authority() is None or abs(transform.a + transform.e) > 1e-6 * transform.a:
        raise PublishError(f"{path} must have square cells and a CRS with an authority code.")
    info = resolve_crs(":".join(crs.to_authority()))
    size = float(transform.a)
    south = transform.f - size * image.shape[0]
    west_index, south_index = math.floor(transform.c / size), math.floor(south / size)
    spec = GridSpec(
        crs=info.code,
        unit_m=info.unit_m,
        cell_size_u=size,
        west_index=west_index,
        south_index=south_index,
        n_rows=int(image.shape[0]),
        n_cols=int(image.shape[1]),
        offset_x_u=transform.c - west_index * size,
        offset_y_u=south - south_index * size,
    )
    flat = np.flatnonzero(np.isfinite(image) & (image != nodata)).astype(np.int32)
    values = image.reshape(-1)[flat]
    return StudyGrid(spec, flat, np.ones(flat.size), np.zeros(flat.size, np.bool_)), values
