"""Cloud Optimized GeoTIFFs that tell everything a planner must know, and have the same bytes every time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import PublishError
from rtm_pipeline.grid import locate
from rtm_pipeline.grid.spec import GridSpec, StudyGrid

__all__ = ["NODATA", "NO_CLASS", "Band", "Palette", "to_classes", "to_raster", "write_cog"]

NODATA = -9999.0  # NaN as nodata breaks web clients and overviews
NO_CLASS = 0
BLOCK = 512

Palette = Mapping[int, tuple[int, int, int]]


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """One band.

    Attributes
    ----------
    name : str
        Its description, for people.
    unit : str
        Unit of the values; empty for classes.
    image : ndarray of float32 or uint8, shape (n_rows, n_cols)
        `NODATA` (float) or `NO_CLASS` (byte) outside.
    """

    name: str
    unit: str
    image: NDArray[Any]


def to_raster(grid: StudyGrid, values: NDArray[np.generic], fill: float = NODATA) -> NDArray[np.float32]:
    """Values of the study cells as a (n_rows, n_cols) float32 raster; ``fill`` outside and where not finite."""
    _check_length(grid, values)
    numbers = values.astype(np.float32)
    return locate.to_raster(grid, np.where(np.isfinite(numbers), numbers, np.float32(fill)), np.float32(fill))


def to_classes(grid: StudyGrid, classes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Classes of the study cells as a (n_rows, n_cols) byte raster; `NO_CLASS` outside."""
    _check_length(grid, classes)
    return locate.to_raster(grid, classes.astype(np.uint8), np.uint8(NO_CLASS))


def write_cog(
    path: Path,
    bands: Sequence[Band],
    spec: GridSpec,
    tags: Mapping[str, str],
    *,
    palette: Palette | None = None,
) -> None:
    """Write bands of one type as a COG: float32 values, or bytes of classes.

    The GeoTIFF is made in memory and copied by GDAL's COG driver, which has crashed when opened for writing.

    Parameters
    ----------
    path : Path
    bands : sequence of Band
        Overviews are averages of values, and the most frequent of classes.
    spec : GridSpec
    tags : mapping of str to str
        Run id, windows, digests, disclaimer ...
    palette : mapping of int to (int, int, int), optional
        Red, green, blue (0 to 255) of each class.

    Raises
    ------
    PublishError
        A band does not fit the grid, or GDAL could not write.
    """
    from rasterio._err import CPLE_BaseError  # what a copy raises; rasterio has no public name for it
    from rasterio.errors import RasterioError

    for band in bands:
        if band.image.shape != (spec.n_rows, spec.n_cols):
            expected = (spec.n_rows, spec.n_cols)
            raise PublishError(f"{path.name}: band {band.name!r} is {band.image.shape}; its grid is {expected}.")
    if not bands or len({band.image.dtype for band in bands}) != 1:
        raise PublishError(f"{path.name}: a raster needs bands of one type; found {len(bands)} bands.")
    try:
        _write(path, bands, spec, tags, palette)
    except (RasterioError, CPLE_BaseError) as error:
        raise PublishError(f"GDAL could not write {path.name}: {error}.") from None


def _write(path: Path, bands: Sequence[Band], spec: GridSpec, tags: Mapping[str, str], palette: Palette | None) -> None:
    import rasterio
    from rasterio.crs import CRS
    from rasterio.enums import Resampling
    from rasterio.io import MemoryFile
    from rasterio.shutil import copy
    from rasterio.transform import Affine

    classed = bands[0].image.dtype == np.uint8
    nodata = NO_CLASS if classed else NODATA
    with rasterio.Env(GDAL_NUM_THREADS=1, GTIFF_WRITE_TOWGS84=False), MemoryFile() as memory:
        with memory.open(
            driver="GTiff",
            width=spec.n_cols,
            height=spec.n_rows,
            count=len(bands),
            dtype=bands[0].image.dtype.name,
            crs=CRS.from_user_input(spec.crs),
            transform=Affine(spec.cell_size_u, 0.0, spec.west_u, 0.0, -spec.cell_size_u, spec.north_u),
            nodata=nodata,
            tiled=True,
            blockxsize=BLOCK,
            blockysize=BLOCK,
            interleave="band",
        ) as file:
            for number, band in enumerate(bands, start=1):
                file.write(band.image, number)
                file.set_band_description(number, band.name)
                file.update_tags(number, **_statistics(band.image, nodata))
            file.units = tuple(band.unit for band in bands)
            file.scales, file.offsets = (1.0,) * len(bands), (0.0,) * len(bands)
            file.update_tags(AREA_OR_POINT="Area", **tags)
            if palette is not None:
                file.write_colormap(1, {value: (*color, 255) for value, color in palette.items()})
            levels = _overview_levels(spec)
            if levels:
                file.build_overviews(levels, Resampling.mode if classed else Resampling.average)
        copy(
            memory.name,
            path,
            driver="COG",
            COMPRESS="DEFLATE",
            PREDICTOR="NO" if classed else "FLOATING_POINT",
            BLOCKSIZE=BLOCK,
            OVERVIEWS="FORCE_USE_EXISTING" if levels else "NONE",
            OVERVIEW_RESAMPLING="MODE" if classed else "AVERAGE",
        )


def _check_length(grid: StudyGrid, values: NDArray[Any]) -> None:
    if values.shape != (grid.n_cells,):
        raise PublishError(f"A surface must have one value a cell: {grid.n_cells:,}; found shape {values.shape}.")


def _statistics(image: NDArray[Any], nodata: float) -> dict[str, str]:
    valid = image[image != image.dtype.type(nodata)].astype(np.float64)
    if valid.size == 0:
        return {"STATISTICS_VALID_PERCENT": "0"}
    return {
        "STATISTICS_MINIMUM": repr(float(valid.min())),
        "STATISTICS_MAXIMUM": repr(float(valid.max())),
        "STATISTICS_MEAN": repr(float(valid.mean())),
        "STATISTICS_STDDEV": repr(float(valid.std())),
        "STATISTICS_VALID_PERCENT": f"{100.0 * valid.size / image.size:.4g}",
    }


def _overview_levels(spec: GridSpec) -> list[int]:
    levels, factor = [], 2
    while max(spec.n_rows, spec.n_cols) / factor > BLOCK / 2:
        levels.append(factor)
        factor *= 2
    return levels
