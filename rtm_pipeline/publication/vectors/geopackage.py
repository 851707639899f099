"""GeoPackages that open styled: default styles, names for people, map tips, and the same bytes every time."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path

import pyarrow as pa
import shapely

from rtm_pipeline.errors import PublishError
from rtm_pipeline.publication.content import RESTRICTED
from rtm_pipeline.publication.vectors.feature_tables import FeatureTable
from rtm_pipeline.publication.vectors.looks import look_of
from rtm_pipeline.publication.vectors.styles import qml

__all__ = ["GEOMETRY", "write_geopackage"]

GEOMETRY = "geom"
VERSION = "1.3"  # GDAL would write 1.4, at which its older versions warn

_STYLES = (
    "CREATE TABLE layer_styles (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, f_table_catalog TEXT(256), "
    "f_table_schema TEXT(256), f_table_name TEXT(256), f_geometry_column TEXT(256), styleName TEXT(30), "
    "styleQML TEXT, styleSLD TEXT, useAsDefault BOOLEAN, description TEXT, owner TEXT(30), ui TEXT(30), "
    "update_time DATETIME)"
)


def write_geopackage(
    path: Path, tables: Sequence[FeatureTable], *, crs: str, as_of: date, edition: str = RESTRICTED
) -> None:
    """Write layers and tables, with their styles.

    Parameters
    ----------
    path : Path
        Must not exist.
    tables : sequence of FeatureTable
    crs : str
        Authority code of the geometries.
    as_of : date
        Stands for the time of the last change.
    edition : str
        Whose looks the layers get.

    Raises
    ------
    PublishError
        It could not be written.
    """
    from pyogrio.errors import DataLayerError, DataSourceError, FeatureError, FieldError, GeometryError

    moment = f"{as_of.isoformat()}T00:00:00.000Z"
    try:
        with _fixed_date(moment):
            for item in tables:
                _write_layer(path, item, crs)
        with closing(sqlite3.connect(path)) as connection, connection:
            _write_styles(connection, tables, moment, edition)
    except (DataSourceError, DataLayerError, FeatureError, FieldError, GeometryError, sqlite3.Error) as error:
        raise PublishError(f"{path.name} could not be written: {error}.") from None


def _write_layer(path: Path, item: FeatureTable, crs: str) -> None:
    import pyogrio

    table, options = _with_names(item), {"DESCRIPTION": item.title}
    if item.geometry is not None:
        wkb = pa.array(shapely.to_wkb(item.geometry), pa.binary())
        table = table.append_column(pa.field(GEOMETRY, pa.binary()), wkb)
        options["GEOMETRY_NAME"] = GEOMETRY
    pyogrio.write_arrow(
        table,
        path,
        layer=item.name,
        driver="GPKG",
        geometry_name=None if item.geometry is None else GEOMETRY,
        geometry_type=item.geometry_type,
        crs=None if item.geometry is None else crs,
        dataset_options={"VERSION": VERSION},
        layer_options=options,
    )


def _with_names(item: FeatureTable) -> pa.Table:
    """Columns whose metadata GDAL takes for alternative name and comment (the table gpkg_data_columns)."""
    aliases = item.aliases()
    fields = []
    for field in item.table.schema:
        said = {"GDAL:OGR:alternative_name": aliases[field.name]}
        description = (field.metadata or {}).get(b"description", b"").decode()
        if description:
            said["GDAL:OGR:comment"] = description
        fields.append(pa.field(field.name, field.type, metadata=said))
    return pa.Table.from_arrays(item.table.columns, schema=pa.schema(fields))


def _write_styles(connection: sqlite3.Connection, tables: Sequence[FeatureTable], moment: str, edition: str) -> None:
    connection.execute(_STYLES)
    connection.execute(
        "INSERT INTO gpkg_contents (table_name, data_type, identifier, description, last_change, srs_id) "
        "VALUES ('layer_styles', 'attributes', 'layer_styles', 'QGIS styles', ?, 0)",
        (moment,),
    )
    rows = []
    for item in tables:
        look = look_of(item, edition)
        if look is not None:
            rows.append((item.name, GEOMETRY, item.title[:30], qml(look, item.aliases()), moment))
    connection.executemany(
        "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, f_geometry_column, styleName, "
        "styleQML, styleSLD, useAsDefault, description, owner, ui, update_time) "
        "VALUES ('', '', ?, ?, ?, ?, '', 1, 'default', '', NULL, ?)",
        rows,
    )


@contextmanager
def _fixed_date(moment: str) -> Iterator[None]:
    """GDAL writes this time instead of the clock's."""
    import pyogrio

    before = pyogrio.get_gdal_config_option("OGR_CURRENT_DATE")
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": moment})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": before})
