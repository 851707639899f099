"""Which sites may be worked on: what people on the ground corrected, and what a greening manager rules out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ConfigError
from rtm_pipeline.grid.locate import cells_of
from rtm_pipeline.grid.spec import StudyGrid
from rtm_pipeline.priorities.register_rows import is_blank, register_rows
from rtm_pipeline.priorities.sites import Sites

__all__ = [
    "CORRECTION_STATUS",
    "Correction",
    "EligibilitySpec",
    "apply_eligibility",
    "corrections_from_rows",
    "read_corrections",
]

CORRECTION_COLUMNS = ("site", "status", "who", "date")
CORRECTION_STATUS = {
    "not_vacant": False,
    "garden": False,
    "greened": False,
    "permit": True,
    "unsafe": True,
}
"""Status -> whether the site still stands as blight (and counts among the sites of its place)."""


@dataclass(frozen=True, slots=True)
class Correction:
    """What somebody saw on the ground; it overrides sources until it expires.

    Attributes
    ----------
    site_id : str
    status : str
        One of `CORRECTION_STATUS`.
    who : str
    on : date
        From this day it holds.
    expires : date, optional
        From this day it holds no more; None: until taken back.
    """

    site_id: str
    status: str
    who: str
    on: date
    expires: date | None = None

    def holds(self, day: date) -> bool:
        """Whether it holds on a day."""
        return self.on <= day and (self.expires is None or day < self.expires)


@dataclass(frozen=True, slots=True)
class EligibilitySpec:
    """Rules of the city.

    Attributes
    ----------
    owners : tuple of str
        Owner types whose sites the city may work on; empty: all. The others stay in the count of their place.
    status_out : tuple of str
        Source statuses under which a site is no candidate (demolished, under construction).
    min_area_m2, max_area_m2 : float, optional
        Bounds of a lot's size, where sizes are known.
    """

    owners: tuple[str, ...] = ()
    status_out: tuple[str, ...] = ()
    min_area_m2: float | None = None
    max_area_m2: float | None = None


def apply_eligibility(
    sites: Sites,
    spec: EligibilitySpec,
    *,
    as_of: date,
    corrections: Iterable[Correction] = (),
    treated: Sequence[str] = (),
    grid: StudyGrid | None = None,
    area_m2: NDArray[np.float64] | None = None,
    no_authority: NDArray[np.bool_] | None = None,
    among: NDArray[np.bool_] | None = None,
) -> Sites:
    """Sites with every exclusion applied and counted by reason, once each, in this order.

    Parameters
    ----------
    sites : Sites
    spec : EligibilitySpec
    as_of : date
        Corrections that hold on this day count.
    corrections : iterable of Correction
        The latest that holds for a site wins, of one day the one that was entered last. Ids that are in no inventory
        any more are passed over.
    treated : sequence of str
        Ids of sites treated before; ids that are gone are passed over.
    grid : StudyGrid, optional
        Sites outside its cells are none of the city's.
    area_m2 : ndarray of float64, shape (n,), optional
        Size in square meters, NaN where unknown; in the order of ``sites``.
    no_authority : ndarray of bool, shape (n,), optional
        The city has no legal authority to work there.
    among : ndarray of bool, shape (n,), optional
        The sites that these rules are about (lots and buildings may have rules of their own); all by default.
    """
    nothing = np.zeros(len(sites), bool)
    rules: list[tuple[str, NDArray[np.bool_], bool]] = []
    if grid is not None:
        rules.append(("outside the study area", cells_of(grid, sites.x, sites.y) < 0, False))
    latest: dict[str, Correction] = {}
    for correction in sorted(corrections, key=lambda row: row.on):
        if correction.holds(as_of):
            latest[correction.site_id] = correction
    for status, standing in CORRECTION_STATUS.items():
        ids = [site for site, correction in latest.items() if correction.status == status]
        rules.append((f"corrected: {status}", np.isin(sites.site_id, np.array(ids, dtype=np.str_)), standing))
    rules.append(("treated before", np.isin(sites.site_id, np.array(list(treated), dtype=np.str_)), False))
    if spec.status_out:
        rules.append(("status", np.isin(sites.status, np.array(spec.status_out, dtype=np.str_)), False))
    if area_m2 is not None:
        small = area_m2 < spec.min_area_m2 if spec.min_area_m2 is not None else nothing
        large = area_m2 > spec.max_area_m2 if spec.max_area_m2 is not None else nothing
        rules += [("too small", small, True), ("too large", large, True)]
    if no_authority is not None:
        rules.append(("no legal authority", no_authority, True))
    if spec.owners:
        rules.append(("ownership", ~np.isin(sites.owner, np.array(spec.owners, dtype=np.str_)), True))
    if among is not None:
        rules = [(reason, mask & among, standing) for reason, mask, standing in rules]
    return sites.with_exclusions([rule for rule in rules if rule[1].any()])


def corrections_from_rows(rows: Iterable[Mapping[str, str]], where: str = "corrections") -> tuple[Correction, ...]:
    """Corrections from rows with the columns ``site, status, who, date, expiry`` (ISO dates, empty expiry: none).

    Raises
    ------
    ConfigError
        With the row's number, a missing column, an unknown status or a date that can't be read.
    """
    found = []
    for number, row in enumerate(rows, start=1):
        if is_blank(row):
            continue
        missing = [name for name in CORRECTION_COLUMNS if not (row.get(name) or "").strip()]
        if missing:
            raise ConfigError(f"{where}, row {number}: {', '.join(missing)} must be filled in.")
        status = row["status"].strip().lower().replace(" ", "_")
        if status not in CORRECTION_STATUS:
            raise ConfigError(
                f"{where}, row {number}: status must be one of {', '.join(CORRECTION_STATUS)}; found {row['status']!r}."
            )
        expiry = (row.get("expiry") or "").strip()
        try:
            on, until = date.fromisoformat(row["date"].strip()), date.fromisoformat(expiry) if expiry else None
        except ValueError as error:
            raise ConfigError(f"{where}, row {number}: dates are written 2026-03-31; {error}.") from None
        if until is not None and until <= on:
            raise ConfigError(f"{where}, row {number}: it expires ({until}) before it begins ({on}).")
        found.append(Correction(row["site"].strip(), status, row["who"].strip(), on, until))
    return tuple(found)


def read_corrections(path: Path) -> tuple[Correction, ...]:
    """Corrections from a CSV file (UTF-8, with or without a byte-order mark); no file, no corrections."""
    if not path.exists():
        return ()
    return corrections_from_rows(register_rows(path, CORRECTION_COLUMNS), where=path.name)
