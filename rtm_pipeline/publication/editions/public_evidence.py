"""The table of 311 as the public edition may show it.

It is about the city as a whole, but a kind of request that was made at a few places only would tell what happened
around them.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from rtm_pipeline.publication.editions.protected_counts import LEAST_COUNT
from rtm_pipeline.publication.editions.suppression import LEAST_CELLS

__all__ = ["public_evidence"]

_BAND = "incidents_"
_RATIOS = ("rate_ratio_", "rate_ratio_low_", "rate_ratio_high_")


def public_evidence(table: pa.Table) -> pa.Table:
    """Distance bands of kinds with under 20 requests, and bands with under 5 incidents, are empty."""
    few = np.array([(value or 0) < LEAST_CELLS for value in table.column("requests").to_pylist()], bool)
    for name in [column for column in table.column_names if column.startswith(_BAND)]:
        small = np.array([(value or 0) < LEAST_COUNT for value in table.column(name).to_pylist()], bool)
        band = name.removeprefix(_BAND)
        for column in (name, *(f"{ratio}{band}" for ratio in _RATIOS)):
            at = table.column_names.index(column)
            field = table.schema.field(at)
            kept = [None if hide else v for v, hide in zip(table.column(at).to_pylist(), few | small, strict=True)]
            table = table.set_column(at, field, pa.array(kept, field.type))
    return table
