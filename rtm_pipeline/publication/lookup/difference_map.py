"""The map of what differs between two releases: a GeoTIFF for a GIS, a picture for everyone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.grid.spec import StudyGrid
from rtm_pipeline.publication.rasters.geotiff import Band, to_raster, write_cog
from rtm_pipeline.publication.release.reading import ReleaseFolder

__all__ = ["draw_difference", "write_difference"]


def write_difference(
    path: Path, grid: StudyGrid, change: NDArray[np.float64], a: ReleaseFolder, b: ReleaseFolder, unit: str
) -> None:
    """Write B minus A as a COG."""
    tags = {"RUN_A": a.run_id, "RUN_B": b.run_id, "MEANING": "Value of run B minus that of run A."}
    write_cog(path, [Band("change from A to B", unit, to_raster(grid, change))], grid.spec, tags)


def draw_difference(path: Path, grid: StudyGrid, change: NDArray[np.float64], title: str, unit: str) -> None:
    """Draw B minus A: red where B is higher, blue where it is lower, grey where A has no value; the scale is even."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    spec = grid.spec
    image = to_raster(grid, change, fill=np.nan)
    known = change[np.isfinite(change)]
    limit = float(np.percentile(np.abs(known), 99)) if known.size else 1.0
    limit = limit or float(np.abs(known).max(initial=0.0)) or 1.0
    shape = spec.n_rows / spec.n_cols
    figure = Figure(figsize=(7.5, min(12.0, 6.2 * shape + 1.4)), dpi=130, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    here = to_raster(grid, np.where(np.isfinite(change), np.nan, 1.0), fill=np.nan)
    extent = (spec.west_u, spec.east_u, spec.south_u, spec.north_u)
    axes.imshow(here, cmap="Greys", vmin=0, vmax=4, extent=extent, interpolation="nearest")
    shown = axes.imshow(image, cmap="RdBu_r", vmin=-limit, vmax=limit, extent=extent, interpolation="nearest")
    axes.set_facecolor("#fafafa")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(title, loc="left", fontsize=11)
    figure.colorbar(shown, ax=axes, shrink=0.7, extend="both", label=f"change, {unit}")
    figure.savefig(path, metadata={"Software": None})
