"""Raw coordinates -> the city's CRS, and a guess at what they are if they do not land there."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import shapely
from numpy.typing import NDArray

from rtm_pipeline.errors import ConfigError
from rtm_pipeline.layers.frame import Frame
from rtm_pipeline.layers.shapes import Shapes

__all__ = ["guess_crs", "project_points", "project_shapes"]

Coordinates = NDArray[np.float64]
WGS84 = "EPSG:4326"
FOOT_M = 0.3048
SAMPLE = 1000


@lru_cache(maxsize=32)
def _transformer(source: str, target: str) -> object | None:
    """A transformer in the order x, y; None where both are the same CRS."""
    from pyproj import CRS, Transformer
    from pyproj.exceptions import CRSError

    try:
        if CRS.from_user_input(source) == CRS.from_user_input(target):
            return None
        return Transformer.from_crs(source, target, always_xy=True)
    except CRSError as error:
        raise ConfigError(
            f"{source!r} is not a coordinate reference system that is known here ({error}). Use an authority code such "
            "as EPSG:4326 or ESRI:102696."
        ) from error


def project_points(x: Coordinates, y: Coordinates, source: str, target: str) -> tuple[Coordinates, Coordinates]:
    """Points (n,) of CRS ``source`` in CRS ``target``, both in the order x (east), y (north); NaN where impossible."""
    transformer = _transformer(source, target)
    if transformer is None:
        return x.copy(), y.copy()
    # NaN passes through; what has no place in the target comes out infinite.
    east, north = transformer.transform(x, y)  # type: ignore[attr-defined]
    impossible = ~(np.isfinite(east) & np.isfinite(north))
    return np.where(impossible, np.nan, east), np.where(impossible, np.nan, north)


def project_shapes(shapes: Shapes, source: str, target: str) -> Shapes:
    """Shapes (n,) of CRS ``source`` in CRS ``target``; None where a vertex has no place there."""
    if _transformer(source, target) is None:
        return shapes.copy()

    def move(vertices: Coordinates) -> Coordinates:
        return np.column_stack(project_points(vertices[:, 0], vertices[:, 1], source, target))

    moved = np.asarray(shapely.transform(shapes, move), dtype=object)
    # The bounds skip NaN, so vertices are counted by shape.
    vertices, owner = shapely.get_coordinates(moved, return_index=True)
    moved[np.unique(owner[~np.isfinite(vertices).all(axis=1)])] = None
    return moved


def guess_crs(x: Coordinates, y: Coordinates, declared: str, frame: Frame) -> str | None:
    """What coordinates (n,) that do not lie near the city as declared seem to be; None if nothing fits.

    The first reading under which at least half of a sample falls into the study area.
    """
    usable = np.flatnonzero(np.isfinite(x) & np.isfinite(y))[:SAMPLE]
    if not usable.size:
        return None
    x, y = x[usable], y[usable]
    for what, crs, first, second in _readings(x, y, declared, frame):
        if np.mean(frame.inside(*project_points(first, second, crs, frame.crs))) >= 0.5:
            return what
    return None


def _readings(
    x: Coordinates, y: Coordinates, declared: str, frame: Frame
) -> Iterator[tuple[str, str, Coordinates, Coordinates]]:
    yield "degrees of longitude and latitude (EPSG:4326)", WGS84, x, y
    yield "degrees with latitude first (EPSG:4326, x and y exchanged)", WGS84, y, x
    yield "web-mercator meters (EPSG:3857)", "EPSG:3857", x, y
    yield f"the city's own CRS ({frame.crs})", frame.crs, x, y
    for crs in dict.fromkeys((declared, frame.crs)):
        yield f"{crs} with x and y exchanged", crs, y, x
        yield f"{crs} in meters instead of feet", crs, x / FOOT_M, y / FOOT_M
        yield f"{crs} in feet instead of meters", crs, x * FOOT_M, y * FOOT_M
