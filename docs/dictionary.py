"""Writes the dictionary of outputs from the code that writes the outputs, so that the two can't differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from rtm_pipeline.priorities.columns import TABLES, Column
from rtm_pipeline.publication.rasters.surfaces import SURFACES
from rtm_pipeline.publication.vectors.feature_tables import TITLES
from rtm_pipeline.publication.vectors.work_orders import COLUMNS as WORK_ORDERS

__all__ = ["OTHER_COLUMNS", "dictionary_text", "write_dictionary"]

# Columns of tables that are not declared in one place.
OTHER_COLUMNS: Mapping[str, Mapping[str, str]] = {
    "run_metadata": {"key": "What is told.", "value": "Its value."},
    "study_area": {
        "city": "Name of the city.",
        "area_km2": "Area without what is excluded, km2.",
        "geometry": "Polygon in the CRS of the grid.",
    },
    "data_dictionary": {
        "table": "Table of the column.",
        "column": "Name.",
        "alias": "Name for people.",
        "type": "Arrow type.",
        "unit": "Unit; empty where there is none.",
        "description": "Meaning.",
    },
    "quarantine": {
        "_layer": "Layer that set the row aside.",
        "_reason": "Why.",
        "_file": "Index of the source's file.",
        "_row": "Number of the data row within its file, from 1.",
        "geometry": "Native geometry of the row, where its source has one.",
        "(others)": "The declared columns of the layer, as text, as they were read; never others.",
    },
    "evidence_311": {
        "category": "Kind of request.",
        "requests": "First reports in the lookback before the outcome window; repeats are left out.",
        "requests_latest": "First reports in the newest time of that length; empty if not recorded.",
        "requests_before": "First reports in the time before that; empty if not recorded.",
        "change": "requests_latest over requests_before, less 1.",
        "incidents_(band)": "Outcome in cells at that distance (meters) from the nearest request.",
        "rate_ratio_(band)": "Rate of the outcome at that distance over the rate beyond the last band.",
        "rate_ratio_low_(band)": "Low end of its 90 % interval (spatial blocks).",
        "rate_ratio_high_(band)": "High end.",
        "selection_frequency": "Share of repeated selections that the category's factor entered.",
        "rrv": "Relative risk value in the model, beside all other factors; empty if not in it.",
        "rrv_low": "Low end of its interval, given the selection.",
        "rrv_high": "High end.",
        "reports_per_month": "How often an incident already reported is reported again where these requests are made.",
    },
}
_WORK = {
    "service_request_id": "Stable id of the site's request: importing the file again updates it.",
    "service_code": "Kind of work.",
    "description": "What to do, and why here.",
    "lat": "Latitude, degrees (WGS84).",
    "long": "Longitude, degrees (WGS84).",
    "address": "Address, where the source has one.",
    "requested_datetime": "Midnight that begins the as-of date, with the offset of the city's time zone.",
    "parcel_id": "Id of the site.",
    "action": "Recommended work.",
    "priority_rank": "Rank among sites of its type.",
    "expected_prevented": "Incidents that the work is expected to prevent over the horizon of the budget.",
    "cost_usd": "Cost, US dollars.",
    "run_id": "Release.",
    "site_type": "lot or building.",
    "status": "Status in the source.",
    "neighborhood": "Neighborhood.",
    "district": "Council district.",
}


def write_dictionary(path: Path) -> None:
    """Write the page, if it would change: an unchanged file is not built anew."""
    text = dictionary_text()
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def dictionary_text() -> str:
    """The page as Markdown."""
    return "\n".join(
        [
            "# Dictionary of outputs",
            "",
            "Every band and every column. Written from the code by `docs/dictionary.py`; a test holds it to releases.",
            "The GeoPackages and `restricted/data_dictionary.parquet` carry the same texts.",
            "",
            *_rasters(),
            *_tables(),
            "",
        ]
    )


def _rasters() -> Iterator[str]:
    yield "## Rasters"
    yield ""
    yield "GeoTIFF (COG), float32 with `-9999` for no value, bytes with 0 for none; CRS and cells of the configuration."
    yield ""
    yield "| file | edition | band | meaning |"
    yield "|---|---|---|---|"
    for spec in SURFACES:
        yield f"| `{spec.name}.tif` | {' and '.join(spec.editions)} | {spec.title} | {spec.meaning} |"
    yield (
        "| `contributions/risk_terrain.tif` | restricted | one a term of the model, `LABEL (VARIABLE)` | The relative "
        "risk value where the variable is 1, else 1. The product of all bands is `risk_terrain.tif`; where a term "
        "protects, a band `scale` brings the lowest score to 1. |"
    )
    yield (
        "| `contributions/forecast.tif` | restricted | `background`, one a factor, `past incidents nearby`, `past "
        "incidents here` | The background is in incidents, every other band multiplies it. The product is "
        "`forecast.tif`. |"
    )
    yield (
        "| `factors/FACTOR.tif` | restricted | `distance to the nearest (UNIT)`; `density, bandwidth ...` where a "
        "density is in the model | Distance from the cell's center, 0 inside polygons; density of points per km2, of "
        "lines km per km2, of polygons share of area. |"
    )
    yield ""


def _tables() -> Iterator[str]:
    yield "## Tables"
    yield ""
    yield "GeoPackage (`priorities.gpkg`, `neighborhoods.gpkg`) and Parquet; `geometry` is in the CRS of the grid."
    for name, columns in TABLES.items():
        yield from _table(name, TITLES.get(name, name), columns)
    for name, meanings in OTHER_COLUMNS.items():
        columns = tuple(Column(column, "", "", meaning) for column, meaning in meanings.items())
        yield from _table(name, TITLES.get(name, name.replace("_", " ").capitalize()), columns)
    orders = tuple(Column(column, "", "", _WORK[column]) for column in WORK_ORDERS)
    yield from _table("work_orders.csv", "Work orders (Open311 GeoReport)", orders)


def _table(name: str, title: str, columns: tuple[Column, ...]) -> Iterator[str]:
    yield ""
    yield f"### {title}: `{name}`"
    yield ""
    yield "| column | type | unit | meaning |"
    yield "|---|---|---|---|"
    for column in columns:
        yield f"| `{column.name}` | {column.type} | {column.unit} | {column.description.replace('|', '/')} |"
