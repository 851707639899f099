"""Reading a release back: its facts, its cells, and the values of its rasters at them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import PublishError
from rtm_pipeline.grid.spec import GridSpec, StudyGrid
from rtm_pipeline.publication.content import RESTRICTED
from rtm_pipeline.publication.rasters.geotiff import NODATA
from rtm_pipeline.publication.release.files import MANIFEST, manifest_of, release_facts

__all__ = ["ReleaseFolder", "raster_grid"]

_ON_ANCHOR = 1e-6  # of a cell


@dataclass(frozen=True, slots=True)
class ReleaseFolder:
    """A complete release on disk.

    Attributes
    ----------
    path : Path
        Its folder, the restricted edition included.
    """

    path: Path

    @classmethod
    def at(cls, path: Path) -> ReleaseFolder:
        """The release in a folder.

        Raises
        ------
        PublishError
            There is no manifest, or the restricted edition is not there.
        """
        if not (path / MANIFEST).is_file():
            raise PublishError(f"{path} is no release: it has no manifest.json. Run `rtm run` first.")
        if not (path / RESTRICTED / "risk_terrain.tif").is_file():
            raise PublishError(
                f"The release {path} has no restricted edition; ratings of places are told from it only."
            )
        return cls(path)

    def facts(self, name: str) -> dict[str, Any]:
        """Content of one of its JSON files, such as ``model.json``; empty if it is not there."""
        return release_facts(self.path, name) or {}

    @property
    def run_id(self) -> str:
        """Its id."""
        return str(manifest_of(self.path)["run_id"])

    def raster(self, name: str) -> Path | None:
        """Path of a raster of the restricted edition, such as ``forecast`` or ``factors/liquor``; None without it."""
        path = self.path / RESTRICTED / f"{name}.tif"
        return path if path.is_file() else None

    def grid(self) -> StudyGrid:
        """The cells of the release: those that have a risk score."""
        return raster_grid(self.path / RESTRICTED / "risk_terrain.tif")

    def bands(self, name: str, grid: StudyGrid) -> list[tuple[str, str, NDArray[np.float64]]]:
        """Name, unit and values (NaN for none) at the cells, of every band of a raster; none if it is not there."""
        import rasterio
        from rasterio.errors import RasterioError

        path = self.raster(name)
        if path is None:
            return []
        try:
            with rasterio.open(path) as file:
                images = file.read()
                names, units, nodata = file.descriptions, file.units, file.nodata
        except RasterioError as error:
            raise PublishError(f"{path} can't be read: {error}.") from None
        values = images.reshape(images.shape[0], -1)[:, grid.flat].astype(np.float64)
        values[values == (NODATA if nodata is None else nodata)] = np.nan
        return [(str(band), str(unit), row) for band, unit, row in zip(names, units, values, strict=True)]


def raster_grid(path: Path) -> StudyGrid:
    """Grid of a published raster, with the cells that have a value.

    Which share of a border cell lies inside the study area does not stand in a raster: ``exposure`` is 1 everywhere,
    so this grid tells places, not areas.
    """
    import rasterio
    from rasterio.errors import RasterioError

    from rtm_pipeline.grid.crs import resolve_crs

    try:
        with rasterio.open(path) as file:
            transform, crs, nodata = file.transform, file.crs, file.nodata
            image = file.read(1)
    except RasterioError as error:
        raise PublishError(f"{path} can't be read: {error}.") from None
    info = resolve_crs(crs.to_string() if crs.to_authority() is None else ":".join(crs.to_authority()))
    size = float(transform.a)
    south = float(transform.f) + float(transform.e) * image.shape[0]
    west_index, offset_x = _anchored(float(transform.c), size)
    south_index, offset_y = _anchored(south, size)
    n_rows, n_cols = image.shape
    spec = GridSpec(info.code, info.unit_m, size, west_index, south_index, n_rows, n_cols, offset_x, offset_y)
    flat = np.flatnonzero(image != (NODATA if nodata is None else nodata)).astype(np.int32)
    return StudyGrid(spec, flat, np.ones(flat.size), np.zeros(flat.size, np.bool_))


def _anchored(edge: float, size: float) -> tuple[int, float]:
    """An edge as a multiple of the cell size, and what is left over."""
    index = round(edge / size)
    left = edge - index * size
    if abs(left) < _ON_ANCHOR * size:
        return index, 0.0
    index = int(np.floor(edge / size))
    return index, edge - index * size
