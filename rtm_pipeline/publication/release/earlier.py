"""Reading an earlier release back, on tonight's cells: what tonight's change is measured against."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import PublishError
from rtm_pipeline.grid.spec import StudyGrid
from rtm_pipeline.publication.content import FORECAST, RESTRICTED, RISK_TERRAIN, ComparedRelease
from rtm_pipeline.publication.rasters.geotiff import NODATA
from rtm_pipeline.publication.release.files import manifest_of

__all__ = ["read_release", "read_surface"]

_SNAP = 1e-6  # of a cell: grids whose corners are nearer than this to tonight's cells are the same grid


def read_release(folder: Path, grid: StudyGrid) -> ComparedRelease | None:
    """The forecast of a release, or its risk terrain if it has none.

    Parameters
    ----------
    folder : Path
        The release's folder.
    grid : StudyGrid
        Tonight's cells. The other release may cover another extent; cells that it has not got are NaN.

    Returns
    -------
    ComparedRelease or None
        None if its cells are not tonight's (another cell size, CRS or anchor): no cell can be compared then.

    Raises
    ------
    PublishError
        The release is not readable.
    """
    try:
        manifest = manifest_of(folder)
        run_id, as_of = str(manifest["run_id"]), date.fromisoformat(manifest["as_of"])
    except (PublishError, ValueError, KeyError, TypeError) as error:
        raise PublishError(
            f"The release in {folder} can't be compared with: its manifest is unreadable ({error})."
        ) from None
    for surface in (FORECAST, RISK_TERRAIN):
        path = folder / RESTRICTED / f"{surface}.tif"
        if path.is_file():
            values = read_surface(path, grid)
            return None if values is None else ComparedRelease(run_id, as_of, surface, values)
    return None


def read_surface(path: Path, grid: StudyGrid) -> NDArray[np.float64] | None:
    """Band 1 of a published raster at the study cells, NaN where it has no value; None on another grid."""
    from rasterio.crs import CRS
    from rasterio.errors import RasterioError
    from rasterio.io import MemoryFile

    spec = grid.spec
    try:
        with MemoryFile(path.read_bytes()) as file, file.open() as raster:
            transform = raster.transform
            left = (transform.c - spec.west_u) / spec.cell_size_u
            top = (spec.north_u - transform.f) / spec.cell_size_u
            same_size = (
                abs(transform.a / spec.cell_size_u - 1) < _SNAP and abs(transform.e / -spec.cell_size_u - 1) < _SNAP
            )
            aligned = abs(left - round(left)) < _SNAP and abs(top - round(top)) < _SNAP
            if not (same_size and aligned and raster.crs == CRS.from_user_input(spec.crs)):
                return None
            image = raster.read(1)
    except (RasterioError, OSError) as error:
        raise PublishError(f"{path} can't be read: {error}.") from None
    rows, cols = grid.rows - round(top), grid.cols - round(left)
    inside = (rows >= 0) & (rows < image.shape[0]) & (cols >= 0) & (cols < image.shape[1])
    values = np.full(grid.n_cells, np.nan)
    values[inside] = image[rows[inside], cols[inside]]
    values[values == NODATA] = np.nan
    return values
