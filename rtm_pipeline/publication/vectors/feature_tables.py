"""Tables with a place: what GeoPackage, GeoParquet and the QGIS project show, each with names and units for people."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from numpy.typing import NDArray

from rtm_pipeline.grid.spec import StudyGrid
from rtm_pipeline.priorities.columns import TABLES
from rtm_pipeline.publication.content import AreaPolygons, ReleaseContent
from rtm_pipeline.publication.provenance import release_facts

__all__ = [
    "FeatureTable",
    "alias_of",
    "data_dictionary",
    "feature_tables",
    "restored",
    "run_metadata",
    "study_area_table",
]

_log = logging.getLogger(__name__)

TITLES = {
    "priority_lots": "Vacant lots by priority",
    "priority_buildings": "Vacant or dangerous buildings by priority",
    "zones": "Zones of this period",
    "neighborhoods": "Neighborhoods",
    "districts": "Council districts",
    "grants": "Neighborhood grants",
    "frontier": "What the next dollar buys",
    "study_area": "Study area",
    "run_metadata": "About this run",
    "data_dictionary": "What the columns mean",
}
_WORDS = {"usd": "USD", "id": "ID", "km2": "km2", "10k": "10,000"}
_UNIT_IN_NAME = re.compile(r"_(?:per_10k_usd|per_km2|usd|km2|m2)$")


@dataclass(frozen=True, slots=True, eq=False)
class FeatureTable:
    """One layer of a GeoPackage, or one table without a place.

    Attributes
    ----------
    name, title : str
    table : pyarrow.Table
        Fields carry ``description`` and ``unit`` in their metadata.
    geometry : ndarray of object, shape (n,), optional
        shapely points or multipolygons in the CRS of the grid; None where a row has no place.
    geometry_type : str or None
        ``Point``, ``MultiPolygon`` or None.
    """

    name: str
    title: str
    table: pa.Table
    geometry: NDArray[np.object_] | None = None
    geometry_type: str | None = None

    def aliases(self) -> dict[str, str]:
        """Column -> name for people, each once."""
        found: dict[str, str] = {}
        for field in self.table.schema:
            alias = alias_of(field)
            found[field.name] = alias if alias not in found.values() else f"{alias} ({field.name})"
        return found


def alias_of(field: pa.Field) -> str:
    """Name of a column for people: ``cost_usd`` with unit USD is ``Cost (USD)``."""
    unit = _metadata(field, "unit")
    name = _UNIT_IN_NAME.sub("", field.name) if unit else field.name
    words = " ".join(_WORDS.get(part, part) for part in name.split("_"))
    alias = words[:1].upper() + words[1:]
    return f"{alias} ({unit})" if unit else alias


def feature_tables(content: ReleaseContent) -> tuple[FeatureTable, ...]:
    """Everything that the restricted edition has tonight, with a place or without."""
    found = [_sites(content, name) for name in ("priority_lots", "priority_buildings") if name in content.tables]
    if "zones" in content.tables and content.tables["zones"].num_rows:
        found.append(_zones(content.grid, content.tables["zones"]))
    if "neighborhoods" in content.tables:
        found += [
            area_table(content, level, name)
            for level, name in (("neighborhood", "neighborhoods"), ("district", "districts"))
            if pc.any(pc.equal(content.tables["neighborhoods"].column("level"), level)).as_py()
        ]
    found += [_plain(content, name) for name in ("grants", "frontier") if name in content.tables]
    return (*found, study_area_table(content), run_metadata(content))


def area_table(content: ReleaseContent, level: str, name: str, table: pa.Table | None = None) -> FeatureTable:
    """The rows of one level of ``neighborhoods`` with their polygons."""
    rows = restored("neighborhoods", content.tables["neighborhoods"]) if table is None else table
    rows = rows.filter(pc.equal(rows.column("level"), level))
    polygons = content.areas.get(level)
    return FeatureTable(name, TITLES[name], rows, _polygons_of(rows.column("area"), polygons, level), "MultiPolygon")


def study_area_table(content: ReleaseContent) -> FeatureTable:
    """The boundary of the study area, one row."""
    fields = [
        pa.field("city", pa.string(), metadata={"description": "City.", "unit": ""}),
        pa.field("area_km2", pa.float64(), metadata={"description": "Area that is studied.", "unit": "km2"}),
    ]
    km2 = content.grid.area_u2 * content.grid.spec.unit_m**2 / 1e6
    table = pa.Table.from_arrays([pa.array([content.label]), pa.array([km2])], schema=pa.schema(fields))
    return FeatureTable("study_area", TITLES["study_area"], table, _multi(np.array([content.area])), "MultiPolygon")


def run_metadata(content: ReleaseContent) -> FeatureTable:
    """The run in plain lines."""
    facts = release_facts(content)
    fields = [
        pa.field("key", pa.string(), metadata={"description": "What is told.", "unit": ""}),
        pa.field("value", pa.string(), metadata={"description": "Its value.", "unit": ""}),
    ]
    table = pa.Table.from_arrays([pa.array(list(facts)), pa.array(list(facts.values()))], schema=pa.schema(fields))
    return FeatureTable("run_metadata", TITLES["run_metadata"], table)


def data_dictionary(tables: tuple[FeatureTable, ...]) -> FeatureTable:
    """Every column of the tables: name, alias, type, unit and meaning."""
    rows = [
        (
            item.name,
            field.name,
            item.aliases()[field.name],
            str(field.type),
            _metadata(field, "unit"),
            _metadata(field, "description"),
        )
        for item in tables
        for field in item.table.schema
    ]
    names = ("table", "column", "alias", "type", "unit", "description")
    columns = [pa.array([row[at] for row in rows], pa.string()) for at in range(len(names))]
    fields = [pa.field(name, pa.string(), metadata={"description": "", "unit": ""}) for name in names]
    return FeatureTable(
        "data_dictionary", TITLES["data_dictionary"], pa.Table.from_arrays(columns, schema=pa.schema(fields))
    )


def restored(name: str, table: pa.Table) -> pa.Table:
    """The table with description and unit on every documented field, also after a way that dropped them."""
    documented = {column.name: column for column in TABLES.get(name, ())}
    fields = []
    for field in table.schema:
        column = documented.get(field.name)
        known = field.metadata or {}
        if b"description" not in known and column is not None:
            field = field.with_metadata({"description": column.description, "unit": column.unit})
        fields.append(field)
    return pa.Table.from_arrays(table.columns, schema=pa.schema(fields))


def _sites(content: ReleaseContent, name: str) -> FeatureTable:
    table = restored(name, content.tables[name])
    points = shapely.points(_numbers(table, "x"), _numbers(table, "y"))
    return FeatureTable(name, TITLES[name], table, np.asarray(points, dtype=object), "Point")


def _zones(grid: StudyGrid, table: pa.Table) -> FeatureTable:
    """Zones as the outlines of their cells."""
    x, y, half = grid.center_x_u, grid.center_y_u, grid.spec.cell_size_u / 2
    shapes = []
    for text in table.column("zone_cells").to_pylist():
        cells = np.array(str(text).split(), dtype=np.int64)
        shapes.append(
            shapely.union_all(shapely.box(x[cells] - half, y[cells] - half, x[cells] + half, y[cells] + half))
        )
    return FeatureTable(
        "zones", TITLES["zones"], restored("zones", table), _multi(np.array(shapes, dtype=object)), "MultiPolygon"
    )


def _plain(content: ReleaseContent, name: str) -> FeatureTable:
    return FeatureTable(name, TITLES[name], restored(name, content.tables[name]))


def _polygons_of(names: pa.ChunkedArray, areas: AreaPolygons | None, level: str) -> NDArray[np.object_]:
    """Polygon of each row by its name, several polygons of one name together; None, with a warning, without any."""
    found: dict[str, Any] = {}
    if areas is not None:
        for name, shape in zip(areas.names, areas.polygons, strict=True):
            found[name] = shape if name not in found else shapely.union_all([found[name], shape])
    wanted = names.to_pylist()
    missing = [name for name in wanted if found.get(name) is None]
    if missing:
        _log.warning("%d of %d %ss have no polygon, such as %r", len(missing), len(wanted), level, missing[0])
    shapes = np.empty(len(wanted), dtype=object)
    shapes[:] = [found.get(name) for name in wanted]
    return _multi(shapes)


def _multi(shapes: NDArray[np.object_]) -> NDArray[np.object_]:
    """Polygons as multipolygons, so that a layer is of one type."""
    single = shapely.get_type_id(shapes) == shapely.GeometryType.POLYGON
    result = shapes.copy()
    result[single] = [shapely.multipolygons([shape]) for shape in shapes[single]]
    return result


def _numbers(table: pa.Table, name: str) -> NDArray[np.float64]:
    return np.asarray(table.column(name).to_numpy(), np.float64)


def _metadata(field: pa.Field, key: str) -> str:
    value: Any = (field.metadata or {}).get(key.encode(), b"")
    return str(value.decode())
