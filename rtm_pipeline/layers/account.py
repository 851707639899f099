"""What becomes of every row: one fate each, and an account that adds up.

The account of a layer is ``read == kept + filtered + duplicate + sum(quarantined)``. A row has the first fate that
applies to it, in the order in which `rtm_pipeline.layers.build` decides them.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import SchemaError
from rtm_pipeline.layers.layer import LayerCounts

__all__ = ["FILTERED", "QUARANTINED", "Fate", "Fates", "count_rows", "describe_rows"]

Fates = NDArray[np.int8]


class Fate(IntEnum):
    """What became of a row. The name in small letters is the reason that people read."""

    KEPT = 0
    DUPLICATE = 1
    # filtered: good rows that this layer does not want
    WHERE = 10
    CATEGORY = 11
    REVERSAL = 12
    OUTSIDE_STUDY_AREA = 13
    # quarantined: rows that something is wrong with
    MALFORMED_ROW = 20
    UNKNOWN_CATEGORY = 21
    NO_DATE = 22
    UNREADABLE_DATE = 23
    DATE_IN_FUTURE = 24
    DATE_TOO_EARLY = 25
    NO_KNOWN_AT = 26
    UNREADABLE_KNOWN_AT = 27
    UNREADABLE_UNTIL = 28
    NO_LOCATION = 29
    UNREADABLE_LOCATION = 30
    UNSUPPORTED_GEOMETRY = 31
    INVALID_GEOMETRY = 32
    SWAPPED_COORDINATES = 33
    IMPLAUSIBLE_LOCATION = 34
    DEFAULT_GEOCODE = 35

    @property
    def reason(self) -> str:
        """The name as it stands in quarantine and in ingest.json."""
        return self.name.lower()


FILTERED = tuple(fate for fate in Fate if Fate.WHERE <= fate < Fate.MALFORMED_ROW)
QUARANTINED = tuple(fate for fate in Fate if fate >= Fate.MALFORMED_ROW)


def count_rows(fates: Fates, *, layer: str) -> LayerCounts:
    """The account of a layer's rows.

    Parameters
    ----------
    fates : ndarray of int8, shape (n,)
        A `Fate` for every row that was read.
    layer : str
        For the message.

    Raises
    ------
    SchemaError
        If the account does not add up, which would mean that rows were lost.
    """
    tally = np.bincount(fates, minlength=max(Fate) + 1)
    filtered = {fate.reason: int(tally[fate]) for fate in FILTERED if tally[fate]}
    quarantined = {fate.reason: int(tally[fate]) for fate in QUARANTINED if tally[fate]}
    counts = LayerCounts(
        read=int(fates.size),
        kept=int(tally[Fate.KEPT]),
        filtered=sum(filtered.values()),
        duplicate=int(tally[Fate.DUPLICATE]),
        quarantined=quarantined,
        filtered_by=filtered,
    )
    found = counts.kept + counts.filtered + counts.duplicate + counts.set_aside
    if found != counts.read:
        raise SchemaError(
            f"Layer {layer!r}: {counts.read} rows were read but {found} are accounted for. Rows would be lost; nothing "
            "of this layer is used. This is a fault of the program: please report it with the layer's configuration."
        )
    return counts


def describe_rows(counts: LayerCounts) -> str:
    """Where the rows went, as a sentence part: ``120 read: 100 filtered (where), 20 quarantined (no_location)``."""
    parts = [f"{counts.kept:,} kept"]
    parts += [f"{number:,} filtered ({reason})" for reason, number in counts.filtered_by.items()]
    if counts.duplicate:
        parts.append(f"{counts.duplicate:,} duplicate")
    parts += [f"{number:,} quarantined ({reason})" for reason, number in counts.quarantined.items()]
    return f"{counts.read:,} rows read: {', '.join(parts)}"
