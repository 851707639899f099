"""``work_orders.csv``: sites as requests for service, by the names of Open311's GeoReport, for work-order systems.

``service_request_id`` is the same for the same site every night, so importing the file again updates what is there.

References
----------
Open311 GeoReport v2.
"""

from __future__ import annotations

from datetime import datetime, time
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rtm_pipeline.publication.content import ReleaseContent

__all__ = ["COLUMNS", "work_orders"]

COLUMNS = (
    *("service_request_id", "service_code", "description", "lat", "long", "address", "requested_datetime"),
    *("parcel_id", "action", "priority_rank", "expected_prevented", "cost_usd", "run_id"),
    *("site_type", "status", "neighborhood", "district"),
)
_SITES = {"priority_lots": "lot", "priority_buildings": "building"}


def work_orders(content: ReleaseContent) -> pa.Table | None:
    """Work to order tonight: what is funded, in the order of the ranks; without a budget, every site that may be
    worked on.

    Returns
    -------
    pyarrow.Table or None
        With `COLUMNS`; None where the night has no sites.
    """
    present = [name for name in _SITES if name in content.tables]
    if not present:
        return None
    tables = {name: content.tables[name] for name in present}
    portfolio = (content.programs or {}).get("work", {}).get("portfolio")
    budget = portfolio is not None or any(pc.any(table.column("funded")).as_py() for table in tables.values())
    return pa.concat_tables([_orders(content, name, table, budget) for name, table in tables.items()])


def _orders(content: ReleaseContent, name: str, table: pa.Table, budget: bool) -> pa.Table:
    ordered = table.column("funded") if budget else table.column("selectable")
    rows = table.filter(pc.and_(ordered, pc.not_equal(table.column("action"), "")))
    count, kind = rows.num_rows, _SITES[name]
    long, lat = _degrees(content, rows)
    data = {
        "service_request_id": _joined(f"rtm-{content.city}-{kind}-", rows.column("site_id")),
        "service_code": rows.column("action"),
        "description": _descriptions(rows, kind),
        "lat": lat,
        "long": long,
        "address": rows.column("address") if "address" in rows.column_names else pa.array([""] * count),
        "requested_datetime": pa.array([_requested(content)] * count),
        "parcel_id": rows.column("site_id"),
        "action": rows.column("action"),
        "priority_rank": rows.column("rank"),
        "expected_prevented": rows.column("expected_prevented"),
        "cost_usd": rows.column("cost_usd"),
        "run_id": pa.array([content.run_id] * count),
        "site_type": pa.array([kind] * count),
        "status": pa.array(["proposed"] * count),
        "neighborhood": rows.column("neighborhood"),
        "district": rows.column("district"),
    }
    types = {"lat": pa.float64(), "long": pa.float64(), "priority_rank": pa.int64()}
    types |= {"expected_prevented": pa.float64(), "cost_usd": pa.float64()}
    arrays = [_as(data[column], types.get(column, pa.string())) for column in COLUMNS]
    return pa.Table.from_arrays(arrays, names=list(COLUMNS))


def _as(values: pa.Array | pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    column = values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([values])
    return column.cast(kind)


def _joined(prefix: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(prefix, column, "")


def _descriptions(rows: pa.Table, kind: str) -> pa.ChunkedArray:
    """Such as ``mowing and clean-up of lot 17: vacant lots x1.8``."""
    start = pc.binary_join_element_wise(rows.column("work"), f" of {kind} ", rows.column("site_id"), "")
    why = pc.if_else(pc.equal(rows.column("why"), ""), "", pc.binary_join_element_wise(": ", rows.column("why"), ""))
    return pc.binary_join_element_wise(start, why, "")


def _degrees(content: ReleaseContent, rows: pa.Table) -> tuple[pa.Array, pa.Array]:
    """Longitude and latitude (WGS 84) of the sites."""
    from pyproj import Transformer

    transformer = Transformer.from_crs(content.grid.spec.crs, "EPSG:4326", always_xy=True)
    x, y = (np.asarray(rows.column(name).to_numpy(), np.float64) for name in ("x", "y"))
    long, lat = transformer.transform(x, y)
    return pa.array(np.asarray(long, np.float64)), pa.array(np.asarray(lat, np.float64))


def _requested(content: ReleaseContent) -> str:
    """Local midnight that begins the day, with its offset."""
    return datetime.combine(content.as_of, time(), ZoneInfo(content.timezone)).isoformat()
