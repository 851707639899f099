"""Canonical layers: what every later room reads, whatever shape a portal gave it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

__all__ = ["Layer", "LayerCounts", "LayerResult"]


@dataclass(frozen=True, slots=True)
class LayerCounts:
    """What became of every row: ``read == kept + filtered + duplicate + sum(quarantined)``.

    ``filtered_by`` splits ``filtered`` by reason.
    """

    read: int
    kept: int
    filtered: int
    duplicate: int
    quarantined: Mapping[str, int] = field(default_factory=dict)
    filtered_by: Mapping[str, int] = field(default_factory=dict)

    @property
    def set_aside(self) -> int:
        """Rows in quarantine, all reasons together."""
        return sum(self.quarantined.values())


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """Rows of one layer in the city's CRS, in the order of the snapshot.

    Attributes
    ----------
    name, kind, origin : str
    crs : str
        The city's CRS, as an authority code.
    x, y : ndarray of float64, shape (n,)
        Place in CRS units: the point, or a representative point of a line or polygon.
    geometry : ndarray of object, shape (n,), optional
        shapely lines or polygons; None where all rows are points.
    time : ndarray of datetime64[s], shape (n,)
        When (city-local); NaT where the layer is undated.
    known_at : ndarray of datetime64[s], shape (n,)
        From when on the row could be known (a row counts at t if ``known_at <= t``). A day, a month is known at its
        end, so this is the first midnight at which the row counts.
    until : ndarray of datetime64[s], shape (n,)
        The midnight that ends the day on which it ceased: a row counts at t if ``until > t``. NaT while it stands.
    category : ndarray of int16, shape (n,)
        Index into ``category_names``; -1 where the layer has no categories.
    incident : ndarray of int64, shape (n,)
        Rows with the same number belong to one incident. Requests that repeat one of their kind nearby belong to its
        incident (`rtm_pipeline.layers.repeats`).
    flags : mapping of str to ndarray of bool
        Named subsets (such as ``firearm``).
    attributes : pyarrow.Table
        The declared columns of ``keep``, plus ``_file`` and ``_row`` (where the row came from).
    history : str
        ``recorded`` or ``assumed``.
    earliest_known : date, optional
        The first date at which the layer counts; before it the layer did not exist for us at all (undated layers).
    inside : ndarray of bool, shape (n,), optional
        Whether the row lies in (for lines and polygons: meets) the study area; the others lie in the buffer around it.
    withdrawn : Layer, optional
        Rows that a later reversal took back. They are counted as filtered and are no part of the layer; but between
        ``known_at`` and ``until`` (when the reversal became known) they stood, so that the layer as it was seen at an
        earlier date has them: see `rtm_pipeline.layers.vintage.as_known`.
    coverage : object, optional
        shapely polygon in the city's CRS; outside it the layer is unknown, not 0.
    """

    name: str
    kind: str
    origin: str
    crs: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    geometry: NDArray[np.object_] | None
    time: NDArray[np.datetime64]
    known_at: NDArray[np.datetime64]
    until: NDArray[np.datetime64]
    category: NDArray[np.int16]
    category_names: tuple[str, ...]
    incident: NDArray[np.int64]
    flags: Mapping[str, NDArray[np.bool_]]
    attributes: pa.Table
    history: str = "recorded"
    history_reason: str | None = None
    earliest_known: date | None = None
    coverage: object | None = None
    inside: NDArray[np.bool_] | None = None
    withdrawn: Layer | None = None

    def __len__(self) -> int:
        return int(self.x.size)


@dataclass(frozen=True, slots=True, eq=False)
class LayerResult:
    """A layer, the account of its rows, and the rows that were set aside.

    ``quarantine`` holds the declared columns as they were read, plus ``_file``, ``_row`` and ``_reason``.
    ``notes`` are facts for people (repaired polygons, reversals netted, by-year tables), as plain JSON values.
    """

    layer: Layer
    counts: LayerCounts
    quarantine: pa.Table
    notes: Mapping[str, object] = field(default_factory=dict)
