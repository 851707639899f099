"""Zones for the next 72 to 96 hours: few, compact, connected, and moved only when the gain is worth it.

They are off unless a city configures purpose, owner and expiry; they belong to the restricted edition; every one is a
row of an audit log with its reason, and its period is to be flagged in later fits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rtm_pipeline.errors import ModelError
from rtm_pipeline.grid.spec import StudyGrid
from rtm_pipeline.priorities.columns import ZONES, build_table
from rtm_pipeline.priorities.spec import ZoneSpec
from rtm_pipeline.priorities.zones.log import grid_name
from rtm_pipeline.priorities.zones.shapes import Lattice, compactness, grow_zone, is_connected

__all__ = ["Zone", "make_zones", "zones_from_rows", "zones_table"]


@dataclass(frozen=True, slots=True)
class Zone:
    """One zone of one period.

    Attributes
    ----------
    cells : ndarray of int64, shape (m,)
        Cells of the study grid, ascending, connected by shared edges.
    expected : float
        Incidents of the period.
    decision : str
        ``new``, ``kept`` or ``moved``.
    gain : float
        How many more incidents the best other place expects, relative to the old zone; NaN if new.
    """

    cells: NDArray[np.int64]
    expected: float
    decision: str
    gain: float


def make_zones(
    grid: StudyGrid,
    expected: NDArray[np.float64],
    spec: ZoneSpec | None,
    as_of: date,
    previous: Sequence[NDArray[np.int64]] = (),
) -> tuple[list[Zone], str]:
    """Zones for the period that begins at ``as_of``.

    An old zone stays unless a place that overlaps none of the other zones expects more than ``1 + hysteresis`` times
    its incidents; the weakest old zone is considered first, and at most as many moves as zones are made.

    Parameters
    ----------
    grid : StudyGrid
    expected : ndarray of float64, shape (n,)
        Incidents of the period.
    spec : ZoneSpec, optional
        None: there are no zones.
    as_of : date
    previous : sequence of ndarray of int64
        Cells of the zones of the period before, on the same grid.

    Returns
    -------
    zones : list of Zone
        Most expected incidents first.
    note : str
        Why there are none, or what was done.
    """
    if spec is None:
        return [], "zones are not configured"
    if as_of >= spec.expiry:
        return [], f"zones expired on {spec.expiry.isoformat()}"
    lattice = Lattice.of(grid)
    area = _areas(grid)
    _check(grid, expected, spec.area_m2)
    zones = [
        Zone(cells, float(expected[cells].sum()), "kept", float("nan"))
        for cells in _usable(lattice, area, previous, spec)
    ]
    zones = _move(grid, lattice, area, expected, spec, zones)
    while len(zones) < spec.count:
        cells = _best_elsewhere(grid, lattice, area, expected, spec, zones)
        if cells.size == 0 or expected[cells].sum() <= 0:
            break
        zones.append(Zone(cells, float(expected[cells].sum()), "new", float("nan")))
    zones.sort(key=lambda zone: (-zone.expected, int(zone.cells[0])))
    moved = sum(zone.decision != "kept" for zone in zones)
    return zones, f"{len(zones)} zones, {moved} of them new or moved"


def _usable(
    lattice: Lattice, area: NDArray[np.float64], previous: Sequence[NDArray[np.int64]], spec: ZoneSpec
) -> list[NDArray[np.int64]]:
    """Old zones that still are what a zone has to be: on the grid, connected, within the area, apart."""
    used = np.zeros(area.size, dtype=bool)
    kept: list[NDArray[np.int64]] = []
    for cells in previous:
        at = np.unique(np.asarray(cells, dtype=np.int64))
        fits = at.size > 0 and at[0] >= 0 and at[-1] < area.size
        if not fits or used[at].any() or area[at].sum() > spec.area_m2 * (1 + 1e-9) or not is_connected(lattice, at):
            continue
        used[at] = True
        kept.append(at)
    return kept[: spec.count]


def _move(
    grid: StudyGrid,
    lattice: Lattice,
    area: NDArray[np.float64],
    expected: NDArray[np.float64],
    spec: ZoneSpec,
    zones: list[Zone],
) -> list[Zone]:
    """Move old zones, weakest first, where another place is worth it."""
    for old in sorted(zones, key=lambda zone: (zone.expected, int(zone.cells[0]))):
        others = [zone for zone in zones if zone is not old]
        cells = _best_elsewhere(grid, lattice, area, expected, spec, others)
        value = float(expected[cells].sum())
        gain = value / old.expected - 1.0 if old.expected > 0 else (np.inf if value > 0 else 0.0)
        worth = value > (1.0 + spec.hysteresis) * old.expected
        new = Zone(cells, value, "moved", gain) if worth else Zone(old.cells, old.expected, "kept", gain)
        zones = [*others, new]
    return zones


def _best_elsewhere(
    grid: StudyGrid,
    lattice: Lattice,
    area: NDArray[np.float64],
    expected: NDArray[np.float64],
    spec: ZoneSpec,
    zones: Sequence[Zone],
) -> NDArray[np.int64]:
    free = np.ones(grid.n_cells, dtype=bool)
    for zone in zones:
        free[_with_rim(lattice, zone.cells)] = False
    return grow_zone(lattice, expected, area, free, spec.area_m2, grid.spec.cell_size_m**2)


def _with_rim(lattice: Lattice, cells: NDArray[np.int64]) -> NDArray[np.int64]:
    """The cells and those that touch them by an edge: two zones never run together into one."""
    near = [other for cell in cells.tolist() for other in lattice.neighbors(cell)]
    return np.union1d(cells, np.array(near, dtype=np.int64)).astype(np.int64)


def _areas(grid: StudyGrid) -> NDArray[np.float64]:
    return np.asarray(grid.exposure * grid.spec.cell_size_m**2)


def _check(grid: StudyGrid, expected: NDArray[np.float64], area_m2: float) -> None:
    if expected.shape != (grid.n_cells,) or not np.isfinite(expected).all() or (expected < 0).any():
        raise ModelError(f"Zones need finite expected incidents, one for each of the {grid.n_cells} cells.")
    if area_m2 < grid.spec.cell_size_m**2:
        raise ModelError(
            f"A zone of {area_m2:,.0f} m2 is smaller than a cell ({grid.spec.cell_size_m**2:,.0f} m2); allow more area."
        )


def zones_table(
    grid: StudyGrid,
    zones: Sequence[Zone],
    spec: ZoneSpec,
    as_of: date,
    expected: NDArray[np.float64],
    *,
    factors: Sequence[str] = (),
) -> pa.Table:
    """The audit log's rows of one period.

    Parameters
    ----------
    grid, zones, spec, as_of, expected
        As given to and returned by `make_zones`.
    factors : sequence of str, optional
        What raises the forecast in each zone, in words.
    """
    lattice, area = Lattice.of(grid), _areas(grid)
    start = datetime.combine(as_of, time())
    city = max(float(expected.sum()), 1e-300)
    said = list(factors) if factors else [""] * len(zones)
    return build_table(
        ZONES,
        {
            "zone": list(range(1, len(zones) + 1)),
            "period_start": [as_of.isoformat()] * len(zones),
            "period_end": [(start + timedelta(hours=spec.hours)).isoformat()] * len(zones),
            "purpose": [spec.purpose] * len(zones),
            "owner": [spec.owner] * len(zones),
            "expiry": [spec.expiry.isoformat()] * len(zones),
            "cells": [zone.cells.size for zone in zones],
            "area_m2": [float(area[zone.cells].sum()) for zone in zones],
            "compactness": [compactness(lattice, zone.cells) for zone in zones],
            "expected_incidents": [zone.expected for zone in zones],
            "share_of_city": [zone.expected / city for zone in zones],
            "decision": [zone.decision for zone in zones],
            "gain": [zone.gain if np.isfinite(zone.gain) else float("nan") for zone in zones],
            "reason": [_reason(zone, spec, why) for zone, why in zip(zones, said, strict=True)],
            "zone_cells": [" ".join(map(str, zone.cells.tolist())) for zone in zones],
            "grid": [grid_name(grid)] * len(zones),
        },
    )


def _reason(zone: Zone, spec: ZoneSpec, factors: str) -> str:
    because = f"; raised by {factors}" if factors else ""
    if zone.decision == "kept":
        return f"kept: the best other place expects {zone.gain:+.0%}, a move takes {spec.hysteresis:+.0%}{because}"
    if zone.decision == "moved":
        return f"moved: expects {zone.gain:+.0%} against the old place{because}"
    return f"new: the most expected incidents within its area{because}"


def zones_from_rows(rows: Sequence[Mapping[str, object]]) -> list[NDArray[np.int64]]:
    """Cells of the zones of the latest period in the audit log's rows; none for an empty log."""
    if not rows:
        return []
    latest = max(str(row["period_start"]) for row in rows)
    return [
        np.array(str(row["zone_cells"]).split(), dtype=np.int64) for row in rows if str(row["period_start"]) == latest
    ]
