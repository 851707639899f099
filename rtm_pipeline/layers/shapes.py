"""Geometries as the source gave them -> shapely, their repair, and their representative points."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from numpy.typing import NDArray
from shapely import GeometryType

from rtm_pipeline.layers.account import Fate, Fates

__all__ = ["Shapes", "points_of", "read_shapes", "repair"]

Shapes = NDArray[np.object_]
_POINTS = (GeometryType.POINT,)
_LINES = (GeometryType.LINESTRING, GeometryType.MULTILINESTRING)
_POLYGONS = (GeometryType.POLYGON, GeometryType.MULTIPOLYGON)


def read_shapes(kind: str, values: pa.Array) -> tuple[Shapes, Fates]:
    """Read WKB (``native``), WKT or GeoJSON.

    Parameters
    ----------
    kind : str
        ``native``, ``wkt`` or ``geojson``.
    values : pyarrow.Array, length n
        Binary for ``native``, else text; null where the row has none.

    Returns
    -------
    shapes : ndarray of object, shape (n,)
        Points, lines and polygons in two dimensions; None where the fate is not `Fate.KEPT`. Multi-points of one point
        become that point.
    fates : ndarray of int8, shape (n,)
    """
    missing = values.is_null().to_numpy(zero_copy_only=False)
    shapes = shapely.force_2d(_parse(kind, values))
    fates = np.full(len(values), Fate.KEPT, np.int8)
    fates[shapely.is_missing(shapes)] = Fate.UNREADABLE_LOCATION
    fates[missing | shapely.is_empty(shapes)] = Fate.NO_LOCATION
    single = np.flatnonzero(
        (shapely.get_type_id(shapes) == GeometryType.MULTIPOINT) & (shapely.get_num_geometries(shapes) == 1)
    )
    shapes[single] = shapely.get_geometry(shapes[single], 0)
    fates[(fates == Fate.KEPT) & ~_is(shapes, *_POINTS, *_LINES, *_POLYGONS)] = Fate.UNSUPPORTED_GEOMETRY
    endless = ~np.isfinite(shapely.bounds(shapes)).all(axis=1)
    fates[(fates == Fate.KEPT) & endless] = Fate.UNREADABLE_LOCATION
    shapes[fates != Fate.KEPT] = None
    return shapes, fates


def _parse(kind: str, values: pa.Array) -> Shapes:
    if kind == "native":
        parsed = shapely.from_wkb(values.to_numpy(zero_copy_only=False), on_invalid="ignore")
    elif kind == "wkt":
        # PostGIS exports put the CRS in front, which plain WKT does not have.
        plain = pc.replace_substring_regex(values, r"(?i)^SRID=\d+;", "")
        parsed = shapely.from_wkt(plain.to_numpy(zero_copy_only=False), on_invalid="ignore")
    else:
        parsed = shapely.from_geojson(values.to_numpy(zero_copy_only=False), on_invalid="ignore")
    return np.asarray(parsed, dtype=object)


def _is(shapes: Shapes, *types: GeometryType) -> NDArray[np.bool_]:
    return np.isin(shapely.get_type_id(shapes), [int(kind) for kind in types])


def points_of(shapes: Shapes) -> tuple[NDArray[np.float64], NDArray[np.float64], bool]:
    """X and y of the points (NaN for what is none), and whether there is nothing but points."""
    is_point = _is(shapes, *_POINTS)
    x, y = np.full(shapes.size, np.nan), np.full(shapes.size, np.nan)
    x[is_point] = shapely.get_x(shapes[is_point])
    y[is_point] = shapely.get_y(shapes[is_point])
    return x, y, bool(np.all(is_point | shapely.is_missing(shapes)))


def repair(shapes: Shapes, fates: Fates) -> tuple[int, NDArray[np.float64], NDArray[np.float64]]:
    """Make polygons valid in place; give what can't be the fate `Fate.INVALID_GEOMETRY`.

    Parameters
    ----------
    shapes : ndarray of object, shape (n,)
        Changed in place. A repaired polygon covers what its rings enclose (holes that overlap are merged); parts that
        collapse to a line are left out.
    fates : ndarray of int8, shape (n,)
        Changed in place; only rows that are `Fate.KEPT` are looked at.

    Returns
    -------
    repaired : int
        Polygons that were mended.
    x, y : ndarray of float64, shape (n,)
        A point on each geometry, NaN where there is none.
    """
    usable = (fates == Fate.KEPT) & ~shapely.is_missing(shapes)
    broken = np.flatnonzero(usable & _is(shapes, *_POLYGONS) & ~shapely.is_valid(shapes))
    mended = 0
    if broken.size:
        shapes[broken] = shapely.make_valid(shapes[broken], method="structure", keep_collapsed=False)
        mended = int(np.count_nonzero(_is(shapes[broken], *_POLYGONS) & (shapely.area(shapes[broken]) > 0)))
    flat = _is(shapes, *_POLYGONS) & ~(shapely.area(shapes) > 0)
    short = _is(shapes, *_LINES) & ~(shapely.length(shapes) > 0)
    known = _is(shapes, *_POINTS, *_LINES, *_POLYGONS)
    invalid = usable & (flat | short | ~known | shapely.is_empty(shapes))
    fates[invalid] = Fate.INVALID_GEOMETRY
    shapes[invalid] = None
    on_it = shapely.point_on_surface(shapes)
    return mended, shapely.get_x(on_it), shapely.get_y(on_it)
