"""Parquet for analysts: every table of the restricted edition, those with a place as GeoParquet, and the quarantine."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from rtm_pipeline.publication.content import ReleaseContent
from rtm_pipeline.publication.vectors.feature_tables import FeatureTable

__all__ = ["quarantine_table", "write_parquet", "write_plain_parquet"]


def write_parquet(path: Path, item: FeatureTable, *, crs: str) -> None:
    """Write a table; with a place as GeoParquet, whose metadata geopandas makes."""
    if item.geometry is None:
        write_plain_parquet(path, item.table)
        return
    import geopandas

    frame = geopandas.GeoDataFrame(item.table.to_pandas(types_mapper=_nullable), geometry=item.geometry, crs=crs)
    frame.to_parquet(path, index=False, compression="zstd", schema_version="1.1.0")


def write_plain_parquet(path: Path, table: pa.Table) -> None:
    """Write a table without a place."""
    pq.write_table(table, path, compression="zstd")


def quarantine_table(content: ReleaseContent) -> pa.Table | None:
    """All rows that were set aside, of all layers: layer, file, row, reason and the declared columns as they were read.

    A column that a layer does not have is null in its rows. None where nothing was set aside.
    """
    parts = []
    for name, result in content.layers.items():
        rows = result.quarantine
        if rows.num_rows:
            parts.append(rows.add_column(0, "_layer", pa.array([name] * rows.num_rows, pa.string())))
    if not parts:
        return None
    first = ["_layer", "_reason", "_file", "_row"]
    table = pa.concat_tables([_as_text(part, first) for part in parts], promote_options="default")
    return table.select(first + [name for name in table.column_names if name not in first])


def _as_text(table: pa.Table, known: list[str]) -> pa.Table:
    """Other columns as text (binary stays), so that layers that share a name can stand in one table."""
    for index, field in enumerate(table.schema):
        if field.name not in known and not pa.types.is_binary(field.type):
            table = table.set_column(index, field.name, table.column(index).cast(pa.string()))
    return table


def _nullable(kind: pa.DataType) -> object:
    """Pandas types that keep null integers and booleans as they are."""
    import pandas as pd

    return {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}.get(kind)
