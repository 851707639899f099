"""Columns of the tables that people and work-order systems read: name, type, unit and meaning; the data dictionary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from rtm_pipeline.errors import SchemaError

__all__ = [
    "AREAS",
    "FRONTIER",
    "GRANTS",
    "PRIORITY_BUILDINGS",
    "PRIORITY_LOTS",
    "TABLES",
    "ZONES",
    "Column",
    "build_table",
]


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes
    ----------
    name : str
    type : str
        ``string``, ``int``, ``float`` or ``bool``.
    unit : str
        Empty where there is none.
    description : str
    """

    name: str
    type: str
    unit: str
    description: str


def _site_columns(thing: str) -> tuple[Column, ...]:
    return (
        Column("site_id", "string", "", f"Stable id of the {thing} (a parcel number)."),
        Column("address", "string", "", f"Address of the {thing} where its source has one. Restricted edition only."),
        Column(
            "rank",
            "int",
            "",
            f"1 is the {thing} where 10,000 USD are expected to prevent most, among those that may be worked on. Those "
            "without a known cost or effect follow, by expected prevented, then by expected incidents; after them "
            "those that may not be worked on now.",
        ),
        Column(
            "action",
            "string",
            "",
            "Recommended work: what is funded; else the best value for money where all costs are known; else what "
            "prevents most.",
        ),
        Column("work", "string", "", "The same in words."),
        Column(
            "expected_incidents",
            "float",
            "incidents a year",
            "Forecast of the whole outcome within the influence radius.",
        ),
        Column(
            "expected_incidents_read",
            "float",
            "incidents a year",
            "The part of it that the evidence speaks of (see outcome); null if the outcome has no such part.",
        ),
        Column(
            "expected_prevented",
            "float",
            "incidents a year",
            "What the work is expected to prevent if this site alone is treated; null with the reason in benefit_note.",
        ),
        Column(
            "prevented_low",
            "float",
            "incidents a year",
            "Lower end of the interval, from draws of effect and forecast.",
        ),
        Column("prevented_high", "float", "incidents a year", "Upper end of the interval."),
        Column("prevented_half_radius", "float", "incidents a year", "The same with half the influence radius."),
        Column("prevented_double_radius", "float", "incidents a year", "The same with twice the influence radius."),
        Column(
            "cost_usd",
            "float",
            "USD",
            "Work and upkeep over the horizon; in a funded bundle, the site's part of it. Null where no cost is known.",
        ),
        Column("cost_basis", "string", "", "sourced, configured or none found."),
        Column(
            "prevented_per_10k_usd",
            "float",
            "incidents per 10,000 USD",
            "Prevented over the horizon per 10,000 USD, treated alone at the single-site cost.",
        ),
        Column(
            "alternative",
            "string",
            "",
            "Other kinds of work at this site: incidents a year that each would prevent alone, and its cost.",
        ),
        Column(
            "why",
            "string",
            "",
            "What raises the forecast around the site, strongest first: multipliers of the expected incidents "
            "(x10 or more is not told finer).",
        ),
        Column("nearby_311", "int", "requests", "311 requests within the influence radius in the last year."),
        Column(
            "similar_nearby",
            "int",
            "",
            f"Standing sites of this kind (each {thing}) within the influence radius, itself included: the effect is "
            "the whole group's, and one of many carries its share of it.",
        ),
        Column("status", "string", "", "Status of the site in its source."),
        Column("owner_type", "string", "", "city, land_bank, public, private or unknown; never a name."),
        Column("neighborhood", "string", "", "Neighborhood the site lies in."),
        Column("district", "string", "", "Council district the site lies in."),
        Column("selectable", "bool", "", "Whether the site may be worked on now."),
        Column("excluded_reason", "string", "", "Why not; empty where it may."),
        Column("funded", "bool", "", "Whether it is in the funded set."),
        Column("funded_order", "int", "", "Place in the order in which the budget buys; null if not funded."),
        Column(
            "marginal_prevented",
            "float",
            "incidents a year",
            "What it adds to the funded set in that order (a bundle's is divided among its sites).",
        ),
        Column(
            "bundle",
            "string",
            "",
            "Sites with the same bundle are worked together at a lower cost; empty for single sites.",
        ),
        Column(
            "funded_probability", "float", "", "Share of the draws of effect and forecast in which the site is funded."
        ),
        Column("effect_key", "string", "", "Entry of the effect registry behind the benefit."),
        Column("outcome", "string", "", "Part of the outcome whose prevention is counted."),
        Column(
            "benefit_note",
            "string",
            "",
            "How the benefit was made, or why there is none; an assumed share is named here.",
        ),
        Column("x", "float", "CRS units", "Easting in the city's CRS."),
        Column("y", "float", "CRS units", "Northing in the city's CRS."),
    )


PRIORITY_LOTS = _site_columns("vacant lot")
PRIORITY_BUILDINGS = _site_columns("building")
AREAS = (
    Column("area", "string", "", "Neighborhood or council district."),
    Column("level", "string", "", "neighborhood or district."),
    Column("district", "string", "", "District that holds most of the neighborhood's cells; empty for districts."),
    Column("cells", "int", "", "Grid cells in the area (by largest share)."),
    Column("area_km2", "float", "km2", "Area inside the study area."),
    Column("risk_mean", "float", "", "Area-weighted mean of the relative risk score; null without a risk terrain."),
    Column("risk_high_share", "float", "", "Share of its area in the top 5 % of cells of the risk terrain."),
    Column("expected_incidents", "float", "incidents a year", "Forecast of the whole outcome."),
    Column("expected_per_km2", "float", "incidents a year per km2", "The same by area."),
    Column("lots", "int", "", "Vacant lots that stand."),
    Column("buildings", "int", "", "Dilapidated buildings that stand."),
    Column("selectable_sites", "int", "", "Those of them that may be worked on now."),
    Column("open_311", "int", "requests", "Open 311 requests."),
    Column("top_factors", "string", "", "What raises its forecast, strongest first."),
    Column("recommended_work", "string", "", "Funded work, or the best work where nothing is funded here."),
    Column("funded_sites", "int", "", "Sites in the funded set."),
    Column("funded_usd", "float", "USD", "Money that the funded set spends here."),
    Column(
        "expected_prevented",
        "float",
        "incidents a year",
        "What the funded set prevents in the area's cells; null without a budget or effect.",
    ),
    Column(
        "potential_prevented",
        "float",
        "incidents a year",
        "What the recommended work at every selectable site would prevent in the area's cells.",
    ),
    Column("grant_rank", "int", "", "Place among the grants under the rule; null if none."),
)
GRANTS = (
    Column("neighborhood", "string", "", "Named neighborhood."),
    Column("district", "string", "", "Its council district."),
    Column("rank", "int", "", "Place among the grants under the rule; null if it gets none."),
    Column("rank_without_rule", "int", "", "Place by expected prevented per 10,000 USD alone."),
    Column("awarded", "bool", "", "Whether it gets a grant."),
    Column("reason", "string", "", "Why, or why not."),
    Column("award_usd", "float", "USD", "What the work within the greatest amount of a grant costs."),
    Column("sites", "int", "", "Sites that the grant would treat, on top of the funded set."),
    Column("work", "string", "", "What would be done."),
    Column("expected_prevented", "float", "incidents a year", "What the grant adds to the funded set."),
    Column(
        "prevented_per_10k_usd",
        "float",
        "incidents per 10,000 USD",
        "Prevented over the horizon per 10,000 USD: the ranking.",
    ),
    Column("poverty_rate", "float", "", "Share of people in poverty, from census data; null where not given."),
    Column(
        "highest_poverty_third",
        "bool",
        "",
        "Among the third of the neighborhoods with the most poverty; null where not given.",
    ),
)
ZONES = (
    Column("zone", "int", "", "Number of the zone in its period, 1 the most expected incidents."),
    Column("period_start", "string", "ISO date", "First day."),
    Column("period_end", "string", "ISO time", "End of the period, not included."),
    Column("purpose", "string", "", "Configured purpose."),
    Column("owner", "string", "", "Who answers for the zones."),
    Column("expiry", "string", "ISO date", "From this day on there are no zones."),
    Column("cells", "int", "", "Grid cells."),
    Column("area_m2", "float", "m2", "Area inside the study area."),
    Column("compactness", "float", "", "4 pi area / perimeter squared; a square has 0.785."),
    Column("expected_incidents", "float", "incidents of the period", "Forecast for the period."),
    Column("share_of_city", "float", "", "Share of the city's expected incidents."),
    Column("decision", "string", "", "new, kept or moved."),
    Column(
        "gain",
        "float",
        "",
        "How many more incidents the best other place expects, relative to the old zone; null if new.",
    ),
    Column("reason", "string", "", "Why it is here, in words."),
    Column(
        "zone_cells", "string", "", "Indexes of its grid cells, separated by blanks: what a later night compares with."
    ),
    Column("grid", "string", "", "The grid that zone_cells index; zones of another grid are not compared with."),
)
FRONTIER = (
    Column("budget_usd", "float", "USD", "Budget."),
    Column("spent_usd", "float", "USD", "What could be spent within all limits."),
    Column("expected_prevented", "float", "incidents a year", "What that prevents."),
    Column("sites", "int", "", "Sites treated."),
    Column(
        "next_per_10k_usd",
        "float",
        "incidents a year per 10,000 USD",
        "What the next 10,000 USD prevent; null at the last.",
    ),
)
TABLES: Mapping[str, tuple[Column, ...]] = {
    "priority_lots": PRIORITY_LOTS,
    "priority_buildings": PRIORITY_BUILDINGS,
    "neighborhoods": AREAS,
    "grants": GRANTS,
    "zones": ZONES,
    "frontier": FRONTIER,
}

_ARROW = {"string": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}


def build_table(columns: Sequence[Column], data: Mapping[str, object]) -> pa.Table:
    """A table with exactly these columns, in this order; NaN in a float column becomes null.

    Parameters
    ----------
    columns : sequence of Column
    data : mapping of str to array or sequence
        One entry per column, all of one length.

    Returns
    -------
    pyarrow.Table
        Each field's metadata carries its ``description`` and ``unit``.

    Raises
    ------
    SchemaError
        Columns are missing, unknown or of different lengths.
    """
    names = [column.name for column in columns]
    if set(names) != set(data):
        missing, strange = sorted(set(names) - set(data)), sorted(set(data) - set(names))
        raise SchemaError(f"A table must have exactly its documented columns; missing {missing}, unknown {strange}.")
    arrays = []
    for column in columns:
        values = data[column.name]
        from_pandas = column.type == "float"  # NaN means "not known" in a table, and null says so
        if isinstance(values, np.ndarray) and values.dtype.kind in "US":
            values = values.tolist()
        arrays.append(pa.array(values, type=_ARROW[column.type], from_pandas=from_pandas))
    lengths = {len(array) for array in arrays}
    if len(lengths) > 1:
        raise SchemaError(f"The columns of a table must be of one length; found {sorted(lengths)}.")
    fields = [
        pa.field(column.name, _ARROW[column.type], metadata={"description": column.description, "unit": column.unit})
        for column in columns
    ]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))
