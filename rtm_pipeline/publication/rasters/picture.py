"""A styled picture of a surface, fit to be shown to a colleague: boundary, legend, scale, north, title, date."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.grid.spec import StudyGrid
from rtm_pipeline.publication.rasters.geotiff import to_raster

__all__ = ["Picture", "curve", "draw_picture", "thumbnail"]

SURFACE_GREY = "#f4f4f2"
BOUNDARY = "#222222"


@dataclass(frozen=True, slots=True)
class Picture:
    """What stands on the picture beside the map."""

    title: str
    subtitle: str
    note: str


def draw_picture(
    path: Path,
    grid: StudyGrid,
    classes: NDArray[np.integer[Any]],
    labels: Sequence[str],
    colors: Sequence[str],
    area: Any,
    picture: Picture,
) -> None:
    """Draw classed cells.

    Parameters
    ----------
    path : Path
        PNG to write.
    classes : ndarray of int, shape (n_cells,)
        1-based class of each cell.
    labels, colors : sequence of str
        Of class 1, 2, ...; the highest class first.
    area : shapely geometry
        Study area, in the CRS of the grid.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import ListedColormap
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    spec = grid.spec
    # Excluded parts (water) have no cells, but the boundary runs around them.
    west, south, east, north = area.bounds
    west, south, east, north = (
        min(west, spec.west_u),
        min(south, spec.south_u),
        max(east, spec.east_u),
        max(north, spec.north_u),
    )
    width, height = east - west, north - south
    tall = min(12.0, max(5.5, 7.4 * height / width) + 2.0)
    figure = Figure(figsize=(8.0, tall), dpi=150, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.04, 0.6 / tall, 0.92, 1.0 - 2.0 / tall))
    raster = to_raster(grid, classes.astype(np.float64), fill=np.nan)
    masked = np.ma.masked_invalid(raster)
    axes.imshow(
        masked,
        cmap=ListedColormap(list(colors)),
        vmin=0.5,
        vmax=len(colors) + 0.5,
        extent=(spec.west_u, spec.east_u, spec.south_u, spec.north_u),
        interpolation="nearest",
    )
    _outline(axes, area)
    axes.set_xlim(west - 0.01 * width, east + 0.01 * width)
    axes.set_ylim(south - 0.09 * height, north + 0.01 * height)  # room for scale and arrow under the map
    axes.set_aspect("equal")
    axes.set_axis_off()
    handles = [
        Patch(facecolor=color, edgecolor="#777777", linewidth=0.4, label=label)
        for color, label in zip(colors, labels, strict=True)
    ]
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(0.04, 1.0 - 0.92 / tall),
        ncols=len(handles),
        fontsize=8.5,
        frameon=False,
        columnspacing=1.4,
        handlelength=1.4,
    )
    _scale_bar(axes, grid)
    _north_arrow(axes)
    figure.text(0.05, 1.0 - 0.25 / tall, picture.title, fontsize=15, weight="bold", va="top", color="#111111")
    figure.text(0.05, 1.0 - 0.62 / tall, picture.subtitle, fontsize=9.5, va="top", color="#444444")
    figure.text(0.05, 0.15 / tall, picture.note, fontsize=7.5, color="#555555", wrap=True)
    figure.savefig(path, metadata={"Software": None})


def thumbnail(grid: StudyGrid, values: NDArray[np.generic], *, cmap: str = "cividis", pixels: int = 360) -> bytes:
    """A small plain PNG of one value a cell (well under 100 kB), for asset metadata."""
    import io

    from matplotlib import colormaps
    from matplotlib.image import imsave

    raster = to_raster(grid, np.asarray(values, np.float64), fill=np.nan)
    step = max(1, int(np.ceil(max(raster.shape) / pixels)))
    small = raster[::step, ::step]
    # A small city's cells become squares that can be seen.
    zoom = max(1, pixels // (2 * max(small.shape)))
    small = small.repeat(zoom, axis=0).repeat(zoom, axis=1)
    finite = np.isfinite(small)
    shade = np.zeros(small.shape)
    if finite.any():
        low, high = np.nanpercentile(small, [2, 98])
        shade = np.clip((np.where(finite, small, low) - low) / max(high - low, 1e-12), 0, 1)
    colors = colormaps[cmap](shade)
    colors[~finite] = (1.0, 1.0, 1.0, 0.0)
    buffer = io.BytesIO()
    imsave(buffer, colors, format="png")
    return buffer.getvalue()


def curve(
    x: NDArray[np.float64], y: NDArray[np.float64], error: NDArray[np.float64], chosen: int, x_name: str, y_name: str
) -> bytes:
    """A small PNG of a curve with error bars over a falling logarithmic axis; a line marks the point chosen."""
    import io

    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6, 2.8), dpi=90, layout="constrained")
    axes = figure.subplots()
    axes.errorbar(x, y, yerr=error, color="#3b0f51", ecolor="#b8a9c0", linewidth=1.2, elinewidth=0.7)
    axes.axvline(x[chosen], color="#b3402e", linestyle="--", linewidth=1.0)
    # A path of one penalty, 0, is what is left where no variable may enter: there is nothing to put on a log axis.
    scale = "log" if (x > 0).any() else "linear"
    axes.set(xscale=scale, xlabel=f"{x_name} (chosen: {x[chosen]:.3g})", ylabel=y_name)
    axes.invert_xaxis()
    axes.spines[["top", "right"]].set_visible(False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _outline(axes: Any, area: Any) -> None:
    polygons = getattr(area, "geoms", [area])
    for polygon in polygons:
        for ring in (polygon.exterior, *polygon.interiors):
            x, y = ring.xy
            axes.plot(x, y, color=BOUNDARY, linewidth=0.7)


def _scale_bar(axes: Any, grid: StudyGrid) -> None:
    """A bar of a round number of miles (foot CRS) or kilometers, about a fifth of the map."""
    spec = grid.spec
    unit_m, name = (1609.344, "mi") if spec.unit_m < 0.5 else (1000.0, "km")
    target = 0.2 * (spec.east_u - spec.west_u) * spec.unit_m / unit_m
    length = max((step for step in (0.1, 0.25, 0.5, 1, 2, 5, 10, 20) if step <= target), default=0.1)
    length_u = length * unit_m / spec.unit_m
    x0 = spec.west_u + 0.03 * (spec.east_u - spec.west_u)
    y0 = spec.south_u - 0.03 * (spec.north_u - spec.south_u)
    axes.plot([x0, x0 + length_u], [y0, y0], color="#222222", linewidth=2.5, solid_capstyle="butt")
    under = {"xytext": (0, -4), "textcoords": "offset points", "ha": "center", "va": "top", "fontsize": 8}
    axes.annotate(f"{length:g} {name}", (x0 + length_u / 2, y0), **under)


def _north_arrow(axes: Any) -> None:
    axes.annotate(
        "N",
        xy=(0.97, 0.075),
        xytext=(0.97, 0.012),
        xycoords="axes fraction",
        ha="center",
        va="center",
        fontsize=10,
        arrowprops={"arrowstyle": "-|>", "color": "#222222"},
    )
