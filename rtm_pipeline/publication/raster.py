"""Cloud Optimized GeoTIFFs: one band, one meaning, everything a planner must know inside the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import PublishError
from rtm_pipeline.grid.spec import GridSpec, StudyGrid

__all__ = ["NODATA", "RasterBand", "to_raster", "write_cog"]

NODATA = -9999.0  # NaN as nodata breaks web clients and overviews
BLOCK = 512


@dataclass(frozen=True, slots=True)
class RasterBand:
    """What is told of a raster inside the file.

    Attributes
    ----------
    description : str
        Name of the band for people.
    unit : str
        Unit of the values.
    tags : mapping of str to str
        Run id, windows, digests, disclaimer ...
    resampling : str
        Of the overviews: ``average``, or ``mode`` for classes.
    """

    description: str
    unit: str
    tags: Mapping[str, str] = field(default_factory=dict)
    resampling: str = "average"


def to_raster(grid: StudyGrid, values: NDArray[np.generic], fill: float = NODATA) -> NDArray[np.float32]:
    """Values of the study cells as a (n_rows, n_cols) float32 raster; ``fill`` outside and where not finite."""
    if values.shape != (grid.n_cells,):
        raise PublishError(f"A surface must have one value a cell: {grid.n_cells:,}; found shape {values.shape}.")
    raster = np.full(grid.spec.n_rows * grid.spec.n_cols, fill, np.float32)
    numbers = values.astype(np.float32)
    raster[grid.flat] = np.where(np.isfinite(numbers), numbers, np.float32(fill))
    return raster.reshape(grid.spec.n_rows, grid.spec.n_cols)


def write_cog(path: Path, raster: NDArray[np.float32], spec: GridSpec, band: RasterBand) -> None:
    """Write a single-band float32 raster as a COG.

    The GeoTIFF is made in memory and copied by GDAL's COG driver, which has crashed when opened for writing.

    Raises
    ------
    PublishError
        The raster does not fit the grid, or GDAL could not write.
    """
    import rasterio
    from rasterio.crs import CRS
    from rasterio.enums import Resampling
    from rasterio.errors import RasterioError
    from rasterio.io import MemoryFile
    from rasterio.shutil import copy
    from rasterio.transform import Affine

    if raster.shape != (spec.n_rows, spec.n_cols):
        raise PublishError(f"The raster is {raster.shape}; its grid has {(spec.n_rows, spec.n_cols)} rows and columns.")
    transform = Affine(spec.cell_size_u, 0.0, spec.west_u, 0.0, -spec.cell_size_u, spec.north_u)
    try:
        with rasterio.Env(GDAL_NUM_THREADS=1, GTIFF_WRITE_TOWGS84=False), MemoryFile() as memory:
            with memory.open(
                driver="GTiff",
                width=spec.n_cols,
                height=spec.n_rows,
                count=1,
                dtype="float32",
                crs=CRS.from_user_input(spec.crs),
                transform=transform,
                nodata=NODATA,
                tiled=True,
                blockxsize=BLOCK,
                blockysize=BLOCK,
            ) as file:
                file.write(raster, 1)
                file.set_band_description(1, band.description)
                file.units = (band.unit,)
                file.scales, file.offsets = (1.0,), (0.0,)
                file.update_tags(AREA_OR_POINT="Area", **band.tags)
                file.update_tags(1, **_statistics(raster))
                levels = _overview_levels(spec)
                if levels:
                    file.build_overviews(levels, Resampling[band.resampling])
            copy(
                memory.name,
                path,
                driver="COG",
                COMPRESS="DEFLATE",
                PREDICTOR="FLOATING_POINT",
                BLOCKSIZE=BLOCK,
                OVERVIEWS="FORCE_USE_EXISTING" if levels else "NONE",
                OVERVIEW_RESAMPLING=band.resampling.upper(),
            )
    except RasterioError as error:
        raise PublishError(f"GDAL could not write {path.name}: {error}.") from None


def _statistics(raster: NDArray[np.float32]) -> dict[str, str]:
    valid = raster[raster != np.float32(NODATA)].astype(np.float64)
    if valid.size == 0:
        return {"STATISTICS_VALID_PERCENT": "0"}
    return {
        "STATISTICS_MINIMUM": repr(float(valid.min())),
        "STATISTICS_MAXIMUM": repr(float(valid.max())),
        "STATISTICS_MEAN": repr(float(valid.mean())),
        "STATISTICS_STDDEV": repr(float(valid.std())),
        "STATISTICS_VALID_PERCENT": f"{100.0 * valid.size / raster.size:.4g}",
    }


def _overview_levels(spec: GridSpec) -> list[int]:
    levels, factor = [], 2
    while max(spec.n_rows, spec.n_cols) / factor > BLOCK / 2:
        levels.append(factor)
        factor *= 2
    return levels
