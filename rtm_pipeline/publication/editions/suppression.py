"""What the public edition may tell of neighborhoods: aggregates, with small counts held back.

A count under 5 is not told; and since a total may be known from elsewhere, at least two areas of a column are held back
together, and together they hold at least 5, so that no difference gives one away (`protected_counts`). An area of a few
cells would tell the values of cells: its forecast is not told at all, and forecasts are rounded to whole incidents.
Districts are not told at all beside neighborhoods: their differences would tell. Where the outcome counts sexual
offenses, its forecast by neighborhood is not told (`sexual_offenses`).
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from rtm_pipeline.publication.content import PUBLIC, ReleaseContent
from rtm_pipeline.publication.editions.protected_counts import held_back
from rtm_pipeline.publication.editions.sexual_offenses import sexual_offenses
from rtm_pipeline.publication.provenance import barred_sources, layers_behind_terrain
from rtm_pipeline.publication.vectors.feature_tables import restored

__all__ = ["LEAST_CELLS", "public_neighborhoods"]

LEAST_CELLS = 20

PLAIN = ("area", "level", "district", "cells", "area_km2", "grant_rank")
COUNTS = ("lots", "buildings", "selectable_sites", "open_311", "funded_sites")
FORECASTS = ("expected_incidents",)
TEXTS = ("top_factors", "recommended_work")  # told without their numbers
RISKS = ("risk_mean", "risk_high_share")
_MULTIPLIER = r" x[0-9]+(?:\.[0-9]+)?(?: or more)?\b"
_AMOUNT = r"(^|[:,] )[0-9][0-9,]* "


def public_neighborhoods(content: ReleaseContent) -> pa.Table:
    """Rows of the neighborhoods (not of districts, whose differences would tell) with the columns that may be shown.

    Raises
    ------
    KeyError
        If there is no table ``neighborhoods``.
    """
    table = restored("neighborhoods", content.tables["neighborhoods"])
    table = table.filter(pc.equal(table.column("level"), "neighborhood"))
    few_cells = _numbers(table, "cells") < LEAST_CELLS
    nobody = np.zeros(table.num_rows, bool)
    arrays: dict[str, pa.Array] = {}
    for name in _columns_allowed(content, table):
        column = table.column(name).combine_chunks()
        if name in COUNTS:
            column = _counts(_numbers(table, name), nobody)
        elif name in FORECASTS:
            column = _counts(np.rint(_numbers(table, name)), few_cells)
        elif name == "top_factors":
            column = pc.replace_substring_regex(column, _MULTIPLIER, "")
        elif name == "recommended_work":
            column = pc.replace_substring_regex(column, _AMOUNT, r"\1")
        elif name in RISKS:
            column = pc.round(column, 3)
        if column.null_count < len(column):
            arrays[name] = column
    fields = [table.schema.field(name).with_type(array.type) for name, array in arrays.items()]
    return pa.Table.from_arrays(list(arrays.values()), schema=pa.schema(fields))


def _columns_allowed(content: ReleaseContent, table: pa.Table) -> list[str]:
    """Columns that the public edition may carry under its rules and the terms of the sources."""
    allowed = [*PLAIN]
    if not barred_sources(content, PUBLIC, layers_behind_terrain(content)):
        allowed += RISKS
    if not barred_sources(content, PUBLIC, content.layers):
        allowed += [*COUNTS, *TEXTS]
        if not sexual_offenses(content).forecast_withheld:
            allowed += FORECASTS
    return [name for name in table.column_names if name in allowed]


def _counts(values: NDArray[np.float64], more: NDArray[np.bool_]) -> pa.Array:
    hidden = held_back(values, more) | ~np.isfinite(values)
    return pa.array(np.where(hidden, 0, values).astype(np.int64), pa.int64(), mask=hidden)


def _numbers(table: pa.Table, name: str) -> NDArray[np.float64]:
    return np.asarray(table.column(name).cast(pa.float64()).to_numpy(), np.float64)
