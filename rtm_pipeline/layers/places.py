"""Where the rows of a layer lie: read, judged for plausibility, and set against the study area."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from rtm_pipeline.errors import ConfigError, SchemaError
from rtm_pipeline.layers.account import Fate, Fates
from rtm_pipeline.layers.columns import TextColumns
from rtm_pipeline.layers.frame import Frame
from rtm_pipeline.layers.location_text import read_locations
from rtm_pipeline.layers.projection import WGS84, guess_crs, project_points, project_shapes
from rtm_pipeline.layers.shapes import Shapes, points_of, read_shapes, repair
from rtm_pipeline.layers.spec import GeometrySpec, LayerSpec
from rtm_pipeline.layers.value_shapes import shapes_of
from rtm_pipeline.sources.source_read import GEOMETRY

__all__ = ["Places", "read_places"]

Coordinates = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """The places of n rows in the city's CRS.

    Attributes
    ----------
    x, y : ndarray of float64, shape (n,)
        CRS units; NaN where the row has no usable place.
    shapes : ndarray of object, shape (n,), optional
        Lines and polygons; None where all rows are points.
    inside : ndarray of bool, shape (n,)
        In the study area (lines and polygons: meeting it), whatever the fate.
    default_geocode : ndarray of bool, shape (n,)
        On a declared default geocode.
    fates : ndarray of int8, shape (n,)
        `Fate.KEPT` for what lies in the study area or within the buffer around it.
    notes : mapping
        Facts for people.
    """

    x: Coordinates
    y: Coordinates
    shapes: Shapes | None
    inside: NDArray[np.bool_]
    default_geocode: NDArray[np.bool_]
    fates: Fates
    notes: Mapping[str, object]

    @property
    def located(self) -> NDArray[np.bool_]:
        """Rows (n,) that have readable coordinates, wherever they lie."""
        without = [Fate.NO_LOCATION, Fate.UNREADABLE_LOCATION, Fate.UNSUPPORTED_GEOMETRY, Fate.INVALID_GEOMETRY]
        return ~np.isin(self.fates, without)

    @property
    def usable(self) -> NDArray[np.bool_]:
        """Rows (n,) whose place is believed, inside the study area or not."""
        return np.isin(self.fates, [Fate.KEPT, Fate.OUTSIDE_STUDY_AREA])


@dataclass(slots=True, eq=False)
class _Raw:
    """Coordinates as they stand in the source, in the order x, y, with their CRS."""

    x: Coordinates
    y: Coordinates
    shapes: Shapes | None
    crs: str
    fates: Fates


def read_places(spec: LayerSpec, columns: TextColumns, frame: Frame, source_crs: str | None) -> Places:
    """Read the places of all rows and judge them.

    Reasons come in this order: no or unreadable location, default geocode, swapped coordinates, implausible location,
    invalid geometry, outside the study area.

    Parameters
    ----------
    spec : LayerSpec
    columns : TextColumns of n rows
    frame : Frame
    source_crs : str or None
        CRS of a vector source, used where the layer's geometry names none.
    """
    raw = _read_raw(spec, spec.geometry, columns, source_crs)
    fates = raw.fates
    _mark_missing(spec.geometry, raw)
    for other in spec.geometry.alternatives:
        _fill_in(spec, raw, other, columns)
    piled = _on_default_geocode(spec, raw) & (fates == Fate.KEPT)
    fates[piled] = Fate.DEFAULT_GEOCODE
    notes = _unread_numbers(spec.geometry, columns, fates)
    if raw.shapes is None:
        x, y = project_points(raw.x, raw.y, raw.crs, frame.crs)
        shapes = None
        _judge_points(raw, x, y, frame)
        inside = frame.inside(x, y)
        near = frame.near(x, y, inside)
    else:
        shapes = project_shapes(raw.shapes, raw.crs, frame.crs)
        _judge_shapes(raw, shapes, frame)
        repaired, x, y = repair(shapes, fates)
        near, inside = _near_shapes(shapes, frame)
        if repaired:
            notes["repaired_geometries"] = repaired
        notes["geometry_types"] = _count_types(shapes[fates == Fate.KEPT])
    fates[(fates == Fate.KEPT) & ~near] = Fate.OUTSIDE_STUDY_AREA
    _hint(raw, frame, notes)
    return Places(x, y, shapes, inside, piled, fates, notes)


def _fill_in(spec: LayerSpec, raw: _Raw, other: GeometrySpec, columns: TextColumns) -> None:
    """Take from an alternative the points of rows that have no readable place yet, in the CRS of the first."""
    if raw.shapes is not None:
        raise ConfigError(
            f"Layer {spec.name!r}: alternatives of a geometry are for points; {raw.crs} shapes were read."
        )
    more = _read_raw(spec, other, columns, None)
    if more.shapes is not None:
        raise ConfigError(f"Layer {spec.name!r}: the alternative {other.kind} geometry holds more than points.")
    _mark_missing(other, more)
    wanted = np.isin(raw.fates, [Fate.NO_LOCATION, Fate.UNREADABLE_LOCATION]) & (more.fates == Fate.KEPT)
    rows = np.flatnonzero(wanted)
    if rows.size:
        raw.x[rows], raw.y[rows] = project_points(more.x[rows], more.y[rows], more.crs, raw.crs)
        raw.fates[rows] = Fate.KEPT
    # A value that can't be read tells more than one that is not there.
    raw.fates[(raw.fates == Fate.NO_LOCATION) & (more.fates == Fate.UNREADABLE_LOCATION)] = Fate.UNREADABLE_LOCATION


def _read_raw(spec: LayerSpec, geometry: GeometrySpec, columns: TextColumns, source_crs: str | None) -> _Raw:
    kind = geometry.kind
    crs = WGS84 if geometry.latitude_first else geometry.crs or source_crs
    if crs is None:
        raise ConfigError(
            f"Layer {spec.name!r}: no CRS is known for its {kind} geometry. Give geometry.crs, such as EPSG:4326, or "
            "for a vector file the crs of the source."
        )
    if kind in ("xy", "latlon"):
        return _read_numbers(geometry, columns, crs)
    if kind == "location":
        return _read_location(geometry, columns)
    if kind == "native":
        if GEOMETRY not in columns.table.column_names:
            raise SchemaError(
                f"Layer {spec.name!r} takes its places from the geometry of its source, but the source has none. Name "
                "the columns with the coordinates: geometry: {x: ..., y: ..., crs: ...} or {lat: ..., lon: ...}."
            )
        values = columns.table.column(GEOMETRY).combine_chunks()
    else:
        values = columns.text(geometry.columns[0])
    shapes, fates = read_shapes(kind, values)
    x, y, only_points = points_of(shapes)
    return _Raw(x, y, None if only_points else shapes, crs, fates)


def _read_numbers(geometry: GeometrySpec, columns: TextColumns, crs: str) -> _Raw:
    first, second = (columns.numbers(name) for name in geometry.columns)
    fates = np.full(len(columns), Fate.KEPT, np.int8)
    fates[first.unreadable | second.unreadable] = Fate.UNREADABLE_LOCATION
    fates[first.missing | second.missing] = Fate.NO_LOCATION
    if geometry.latitude_first:
        return _Raw(second.values, first.values, None, crs, fates)
    return _Raw(first.values, second.values, None, crs, fates)


def _unread_numbers(geometry: GeometrySpec, columns: TextColumns, fates: Fates) -> dict[str, object]:
    """What coordinates look like that are no numbers."""
    unread = np.flatnonzero(fates == Fate.UNREADABLE_LOCATION)
    if not unread.size or geometry.kind not in ("xy", "latlon"):
        return {}
    found: dict[str, object] = {}
    for name in geometry.columns:
        bad = unread[columns.numbers(name).unreadable[unread]]
        if bad.size:
            found[f"unreadable_{name}"] = shapes_of(columns.text(name).take(pa.array(bad)))
    return found


def _read_location(geometry: GeometrySpec, columns: TextColumns) -> _Raw:
    column = columns.distinct(geometry.columns[0])
    latitude, longitude, without = read_locations(column.values)
    lat = column.spread(latitude, np.nan).astype(np.float64)
    lon = column.spread(longitude, np.nan).astype(np.float64)
    fates = np.full(len(columns), Fate.KEPT, np.int8)
    fates[np.isnan(lat) | np.isnan(lon)] = Fate.UNREADABLE_LOCATION
    fates[column.spread(without, True).astype(bool)] = Fate.NO_LOCATION
    return _Raw(lon, lat, None, WGS84, fates)


def _mark_missing(geometry: GeometrySpec, raw: _Raw) -> None:
    """Pairs that stand for "no place"."""
    for first, second in ((0.0, 0.0), *geometry.missing):
        x, y = (second, first) if geometry.latitude_first else (first, second)
        raw.fates[(raw.fates == Fate.KEPT) & (raw.x == x) & (raw.y == y)] = Fate.NO_LOCATION
    gone = raw.fates != Fate.KEPT
    raw.x[gone], raw.y[gone] = np.nan, np.nan


def _on_default_geocode(spec: LayerSpec, raw: _Raw) -> NDArray[np.bool_]:
    piled = np.zeros(raw.x.size, bool)
    for spot in spec.default_geocodes:
        x, y = (spot.second, spot.first) if spec.geometry.latitude_first else (spot.first, spot.second)
        piled |= (np.abs(raw.x - x) <= spot.tolerance) & (np.abs(raw.y - y) <= spot.tolerance)
    return piled


def _judge_points(raw: _Raw, x: Coordinates, y: Coordinates, frame: Frame) -> None:
    west, south, east, north = frame.plausible_box
    plausible = (x >= west) & (x <= east) & (y >= south) & (y <= north)
    _judge_implausible(raw, np.flatnonzero((raw.fates == Fate.KEPT) & ~plausible), frame)


def _judge_shapes(raw: _Raw, shapes: Shapes, frame: Frame) -> None:
    west, south, east, north = frame.plausible_box
    bounds = shapely.bounds(shapes)
    plausible = (bounds[:, 2] >= west) & (bounds[:, 0] <= east) & (bounds[:, 3] >= south) & (bounds[:, 1] <= north)
    _judge_implausible(raw, np.flatnonzero((raw.fates == Fate.KEPT) & ~plausible), frame)


def _judge_implausible(raw: _Raw, rows: NDArray[np.int64], frame: Frame) -> None:
    """Far from the city: swapped if the exchanged pair lies in it, else simply wrong."""
    raw.fates[rows] = Fate.IMPLAUSIBLE_LOCATION
    exchanged = project_points(raw.y[rows], raw.x[rows], raw.crs, frame.crs)
    raw.fates[rows[frame.inside(*exchanged)]] = Fate.SWAPPED_COORDINATES


def _near_shapes(shapes: Shapes, frame: Frame) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    inside = np.asarray(shapely.intersects(frame.area, shapes), dtype=bool)
    near = inside.copy()
    if frame.buffer_u > 0:
        rest = np.flatnonzero(~near & ~shapely.is_missing(shapes))
        near[rest] = shapely.dwithin(frame.area, shapes[rest], frame.buffer_u)
    return near, inside


def _count_types(shapes: Shapes) -> dict[str, int]:
    types, numbers = np.unique(shapely.get_type_id(shapes), return_counts=True)
    names = {int(kind): kind.name.lower() for kind in shapely.GeometryType}
    return {names[int(kind)]: int(number) for kind, number in zip(types, numbers, strict=True)}


def _hint(raw: _Raw, frame: Frame, notes: dict[str, object]) -> None:
    """Say what the coordinates look like if most of them lie nowhere near the city."""
    wrong = np.flatnonzero(np.isin(raw.fates, [Fate.IMPLAUSIBLE_LOCATION, Fate.SWAPPED_COORDINATES]))
    located = np.count_nonzero(~np.isin(raw.fates, [Fate.NO_LOCATION, Fate.UNREADABLE_LOCATION]))
    if not wrong.size or 2 * wrong.size <= located:
        return
    x, y = raw.x[wrong], raw.y[wrong]
    if raw.shapes is not None:
        x, y = shapely.bounds(raw.shapes[wrong])[:, :2].T
    notes["implausible_rows"] = f"{wrong.size:,} of {located:,} located rows lie nowhere near the city"
    looks_like = guess_crs(x, y, raw.crs, frame)
    if looks_like is not None:
        notes["coordinates_look_like"] = f"{looks_like}, but were read as {raw.crs}"
