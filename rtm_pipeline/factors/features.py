"""Geometry of a layer as flat arrays: points, segments of lines, edges of polygons, sorted for the compiled loops."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import SchemaError

__all__ = ["Features", "Points", "Segments", "features_of", "polygon_edges"]

Coordinates = NDArray[np.float64]
_POINT, _LINE, _RING, _POLYGON = 0, 1, 2, 3  # shapely.GeometryType; shapely itself is imported where it is needed


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Points sorted from south to north, then west to east, so that no sum over them depends on the input's order.

    Attributes
    ----------
    x, y : ndarray of float64, shape (m,)
        CRS units.
    """

    x: Coordinates
    y: Coordinates

    @classmethod
    def of(cls, x: Coordinates, y: Coordinates) -> Points:
        """Sort points."""
        from rtm_pipeline.factors.state_kernels import sort_ties

        order = np.argsort(y)
        x, y = np.ascontiguousarray(x[order], np.float64), np.ascontiguousarray(y[order], np.float64)
        sort_ties(x, y)
        return cls(x, y)

    def distinct(self) -> Coordinates:
        """Distinct places, shape (2, k)."""
        new = np.ones(self.x.size, np.bool_)
        new[1:] = (np.diff(self.x) != 0) | (np.diff(self.y) != 0)
        return np.vstack([self.x[new], self.y[new]])


@dataclass(frozen=True, slots=True, eq=False)
class Segments:
    """Straight pieces from (ax, ay) to (bx, by), sorted by their southern end; those without length are left out.

    Attributes
    ----------
    ax, ay, bx, by : ndarray of float64, shape (m,)
        CRS units. Edges of polygons have the inside on their left.
    reach : ndarray of float64, shape (m,)
        The northernmost end among the first k + 1 pieces.
    """

    ax: Coordinates
    ay: Coordinates
    bx: Coordinates
    by: Coordinates
    reach: Coordinates

    @classmethod
    def of(cls, vertices: Coordinates, owner: NDArray[np.int64]) -> Segments:
        """Pieces between consecutive vertices (k, 2) of one owner (k,)."""
        first = np.flatnonzero((owner[1:] == owner[:-1]) & (vertices[1:] != vertices[:-1]).any(axis=1))
        (ax, ay), (bx, by) = vertices[first].T, vertices[first + 1].T
        order = np.lexsort((by, bx, ay, ax, np.minimum(ay, by)))
        ax, ay, bx, by = (np.ascontiguousarray(values[order]) for values in (ax, ay, bx, by))
        return cls(ax, ay, bx, by, np.maximum.accumulate(np.maximum(ay, by)) if ax.size else np.zeros(0))

    @property
    def arrays(self) -> tuple[Coordinates, Coordinates, Coordinates, Coordinates, Coordinates]:
        """``ax, ay, bx, by, reach``: the order in which the compiled loops take them."""
        return self.ax, self.ay, self.bx, self.by, self.reach

    def with_slopes(self) -> Coordinates:
        """Rows x, y, dx, dy, 1 / (dx^2 + dy^2), shape (5, m)."""
        dx, dy = self.bx - self.ax, self.by - self.ay
        return np.vstack([self.ax, self.ay, dx, dy, 1.0 / (dx * dx + dy * dy)])


_NONE = Segments.of(np.zeros((0, 2)), np.zeros(0, np.int64))


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """Features of a layer by kind.

    Attributes
    ----------
    x, y : ndarray of float64, shape (n,)
        A place for each feature (row), in the order of the input: points themselves, points on lines and polygons.
    points : Points
    lines, edges : Segments
        Pieces of lines; edges of polygons.
    """

    x: Coordinates
    y: Coordinates
    points: Points
    lines: Segments
    edges: Segments

    @classmethod
    def of_points(cls, x: Coordinates, y: Coordinates, *, layer: str = "points") -> Features:
        """Points (n,); SchemaError if a coordinate is not finite."""
        x, y = np.ascontiguousarray(x, np.float64), np.ascontiguousarray(y, np.float64)
        _check_finite(np.column_stack([x, y]), layer)
        return cls(x, y, Points.of(x, y), _NONE, _NONE)

    @property
    def n(self) -> int:
        """Number of features, those of several parts counted once."""
        return int(self.x.size)

    @property
    def kind(self) -> str:
        """``points``, ``lines``, ``polygons``, ``mixed`` or ``none``."""
        found = [
            name
            for name, size in (
                ("points", self.points.x.size),
                ("lines", self.lines.ax.size),
                ("polygons", self.edges.ax.size),
            )
            if size
        ]
        return found[0] if len(found) == 1 else ("mixed" if found else "none")


def features_of(x: Coordinates, y: Coordinates, geometry: NDArray[np.object_] | None, *, layer: str) -> Features:
    """Take features apart.

    Parameters
    ----------
    x, y : ndarray of float64, shape (n,)
        Places of points; used where there is no geometry.
    geometry : ndarray of object, shape (n,), optional
        shapely geometries, points among them or None for rows whose place is (x, y).
    layer : str
        For messages.

    Returns
    -------
    Features

    Raises
    ------
    SchemaError
        A coordinate is not finite, or a geometry is not of points, lines or polygons.
    """
    if geometry is None:
        return Features.of_points(x, y, layer=layer)
    import shapely

    plain = shapely.is_missing(geometry)
    _check_finite(np.column_stack([x, y]), layer)
    parts = shapely.get_parts(shapely.get_parts(geometry[~plain]))
    parts = shapely.force_2d(parts[~shapely.is_empty(parts)])
    _check_finite(shapely.get_coordinates(parts), layer)
    kind = shapely.get_type_id(parts)
    is_point, is_line, is_polygon = kind == _POINT, np.isin(kind, [_LINE, _RING]), kind == _POLYGON
    if not (is_point | is_line | is_polygon).all():
        found = sorted({part.geom_type for part in parts[~(is_point | is_line | is_polygon)]})
        raise SchemaError(f"Layer {layer!r} has geometries that are no points, lines or polygons: {', '.join(found)}.")
    xy = shapely.get_coordinates(parts[is_point])
    return Features(
        x,
        y,
        Points.of(np.concatenate([x[plain], xy[:, 0]]), np.concatenate([y[plain], xy[:, 1]])),
        Segments.of(*shapely.get_coordinates(parts[is_line], return_index=True)),
        polygon_edges(parts[is_polygon]),
    )


def polygon_edges(polygons: NDArray[np.object_]) -> Segments:
    """Edges of polygons, inside on the left; invalid polygons are repaired first."""
    import shapely

    broken = ~shapely.is_valid(polygons)
    if broken.any():
        polygons = polygons.copy()
        polygons[broken] = shapely.make_valid(polygons[broken], method="structure", keep_collapsed=False)
        polygons = shapely.get_parts(polygons)
    rings = shapely.get_rings(shapely.orient_polygons(polygons))
    return Segments.of(*shapely.get_coordinates(rings, return_index=True))


def _check_finite(vertices: Coordinates, layer: str) -> None:
    bad = np.flatnonzero(~np.isfinite(vertices).all(axis=1))
    if bad.size:
        raise SchemaError(
            f"Layer {layer!r} has {bad.size} coordinates that are not finite, the first {tuple(vertices[bad[0]])}. "
            "Rows without a place belong in quarantine."
        )
