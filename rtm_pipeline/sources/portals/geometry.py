"""GeoJSON geometries of portals -> WKB."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

__all__ = ["wkb_of_geojson"]

logger = logging.getLogger(__name__)


def wkb_of_geojson(shapes: Sequence[object], *, where: str) -> pa.Array:
    """Binary WKB of GeoJSON geometries (parsed); null where there is none or it is none that can be read.

    Parameters
    ----------
    shapes : sequence of object
        Parsed GeoJSON geometries, or None.
    where : str
        Source and data set, for the log.

    Returns
    -------
    pyarrow.Array of binary
    """
    import shapely

    texts = np.array([None if shape is None else json.dumps(shape) for shape in shapes], dtype=object)
    found = shapely.from_geojson(texts, on_invalid="ignore")
    unread = int(sum(shape is not None for shape in shapes) - sum(shape is not None for shape in found))
    if unread:
        logger.warning("%s: %d shapes can't be read; their rows have no geometry", where, unread)
    return pa.array(shapely.to_wkb(found), pa.binary())
