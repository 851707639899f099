"""Frozen work lists: dated, never rewritten; what happens to their sites is logged beside them and scored later."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ConfigError, SchemaError

__all__ = ["STATUS", "Plan", "PlanScore", "PlanSite", "StatusEntry", "advance", "freeze", "score", "status_on"]

STATUS = ("proposed", "inspected", "ordered", "done")
"""A site moves forward through these, one or more at a time, never back."""


@dataclass(frozen=True, slots=True)
class PlanSite:
    """One line of a plan, as it was known on the day it was frozen."""

    site_id: str
    rank: int
    action: str
    x: float
    y: float
    cost_usd: float | None
    expected_incidents: float
    expected_prevented: float | None
    prevented_low: float | None
    prevented_high: float | None
    effect_key: str
    neighborhood: str
    district: str


@dataclass(frozen=True, slots=True)
class Plan:
    """A frozen work list.

    Attributes
    ----------
    plan_id : str
        ``<frozen_on>-<12 hex of the sha256 of everything below>``: a changed row gives another id.
    city, run_id : str
    frozen_on : date
    radius_u : float
        Influence radius within which incidents are counted later, CRS units.
    sites : tuple of PlanSite
    """

    plan_id: str
    city: str
    run_id: str
    frozen_on: date
    radius_u: float
    sites: tuple[PlanSite, ...]

    def rows(self) -> list[dict[str, object]]:
        """One row of plain JSON values per site, each with the plan's own values."""
        head: dict[str, object] = {
            "plan_id": self.plan_id,
            "city": self.city,
            "run_id": self.run_id,
            "frozen_on": self.frozen_on.isoformat(),
            "radius_u": self.radius_u,
        }
        return [{**head, **asdict(site)} for site in self.sites]

    @classmethod
    def from_rows(cls, rows: Sequence[Mapping[str, object]]) -> Plan:
        """The plan of these rows, checked against its id.

        Raises
        ------
        SchemaError
            Rows are missing, or were changed after the plan was frozen.
        """
        if not rows:
            raise SchemaError("A plan has at least one site; found no rows.")
        names = list(PlanSite.__dataclass_fields__)
        try:
            sites = tuple(PlanSite(**{name: row[name] for name in names}) for row in rows)  # type: ignore[arg-type]
            first = rows[0]
            plan = freeze(
                sites,
                city=str(first["city"]),
                run_id=str(first["run_id"]),
                frozen_on=date.fromisoformat(str(first["frozen_on"])),
                radius_u=float(str(first["radius_u"])),
            )
        except (KeyError, ValueError, TypeError) as error:
            raise SchemaError(f"The rows of a plan can't be read: {error!r}.") from None
        claimed = {str(row["plan_id"]) for row in rows}
        if claimed != {plan.plan_id}:
            raise SchemaError(
                f"Plan {', '.join(sorted(claimed))} was changed after it was frozen: its rows give {plan.plan_id}. "
                "Frozen plans are never rewritten; log a status, or freeze a new plan."
            )
        return plan


@dataclass(frozen=True, slots=True)
class StatusEntry:
    """What happened to a site of a plan, when, and who says so."""

    plan_id: str
    site_id: str
    status: str
    on: date
    by: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class PlanScore:
    """How a plan stands on a later day.

    Attributes
    ----------
    plan_id : str
    as_of : date
    years : float
        Since it was frozen.
    status : mapping of str to int
        Sites by status.
    expected : float
        Incidents expected within reach of its sites since then, as forecast when it was frozen, each place once.
    observed : int
        Incidents since then within reach of any of its sites.
    rows : tuple of dict
        Per site: status, expected and observed since the plan was frozen; places near several sites count for each.
    """

    plan_id: str
    as_of: date
    years: float
    status: Mapping[str, int]
    expected: float
    observed: int
    rows: tuple[Mapping[str, object], ...]


def freeze(sites: Iterable[PlanSite], *, city: str, run_id: str, frozen_on: date, radius_u: float) -> Plan:
    """Freeze a work list; all its sites are ``proposed`` on that day.

    Raises
    ------
    ConfigError
        No sites, or one named twice.
    """
    listed = tuple(sorted(sites, key=lambda site: (site.rank, site.site_id)))
    if not listed:
        raise ConfigError("There is nothing to freeze: the work list is empty.")
    if len({site.site_id for site in listed}) < len(listed):
        raise ConfigError("A site is named twice in the work list.")
    content = {
        "city": city,
        "run_id": run_id,
        "frozen_on": frozen_on.isoformat(),
        "radius_u": float(radius_u),
        "sites": [asdict(site) for site in listed],
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    return Plan(f"{frozen_on.isoformat()}-{digest}", city, run_id, frozen_on, float(radius_u), listed)


def advance(plan: Plan, log: Sequence[StatusEntry], entry: StatusEntry) -> tuple[StatusEntry, ...]:
    """The log with one more entry; the plan itself and earlier entries stay as they are.

    Raises
    ------
    ConfigError
        Unknown site or status, a step back, a date before the site's last one, or nobody's name.
    """
    where = f"Plan {plan.plan_id}, site {entry.site_id}"
    if entry.plan_id != plan.plan_id:
        raise ConfigError(f"The entry is about plan {entry.plan_id!r}, not {plan.plan_id!r}.")
    if entry.site_id not in {site.site_id for site in plan.sites}:
        raise ConfigError(f"{where}: the site is not in the plan.")
    if entry.status not in STATUS:
        raise ConfigError(f"{where}: status must be one of {', '.join(STATUS)}; found {entry.status!r}.")
    if not entry.by.strip():
        raise ConfigError(f"{where}: say who reports the status.")
    earlier = [known for known in log if known.plan_id == plan.plan_id and known.site_id == entry.site_id]
    current = max([0, *(STATUS.index(known.status) for known in earlier)])
    if STATUS.index(entry.status) <= current:
        raise ConfigError(f"{where} is {STATUS[current]} already; {entry.status!r} would not move it forward.")
    latest = max([plan.frozen_on, *(known.on for known in earlier)])
    if entry.on < latest:
        raise ConfigError(f"{where}: {entry.on} lies before its last entry ({latest}).")
    return (*log, entry)


def status_on(plan: Plan, log: Sequence[StatusEntry], day: date) -> dict[str, str]:
    """Status of every site of the plan at the end of a day."""
    status = {site.site_id: STATUS[0] for site in plan.sites}
    for entry in log:
        if entry.plan_id == plan.plan_id and entry.site_id in status and entry.on <= day:
            status[entry.site_id] = max(status[entry.site_id], entry.status, key=STATUS.index)
    return status


def score(
    plan: Plan,
    log: Sequence[StatusEntry],
    as_of: date,
    *,
    incidents_xy: NDArray[np.float64],
    incidents_time: NDArray[np.datetime64],
    expected_union: float,
) -> PlanScore:
    """How a plan stands: status of its sites, and what was to be expected and what happened around them.

    Parameters
    ----------
    plan : Plan
    log : sequence of StatusEntry
    as_of : date
        Incidents before this day count.
    incidents_xy, incidents_time : ndarray of float64, shape (m, 2), and of datetime64, shape (m,)
    expected_union : float
        Incidents a year that were expected within reach of any of the sites when the plan was frozen (the sum over
        the cells that they reach, each once).
    """
    if as_of < plan.frozen_on:
        raise ConfigError(f"Plan {plan.plan_id} was frozen on {plan.frozen_on}; it can't be scored on {as_of}.")
    from scipy.spatial import cKDTree

    years = (as_of - plan.frozen_on).days / 365.25
    since = (incidents_time >= np.datetime64(plan.frozen_on)) & (incidents_time < np.datetime64(as_of))
    points = incidents_xy[since]
    places = np.array([[site.x, site.y] for site in plan.sites])
    near, seen = np.zeros(len(plan.sites), dtype=np.int64), 0
    if points.shape[0]:
        tree = cKDTree(points)
        near = np.asarray(tree.query_ball_point(places, plan.radius_u, return_length=True), dtype=np.int64)
        seen = int((np.asarray(cKDTree(places).query(points)[0]) <= plan.radius_u).sum())
    status = status_on(plan, log, as_of)
    return PlanScore(
        plan_id=plan.plan_id,
        as_of=as_of,
        years=years,
        status={name: sum(value == name for value in status.values()) for name in STATUS},
        expected=expected_union * years,
        observed=seen,
        rows=tuple(
            {
                "plan_id": plan.plan_id,
                "as_of": as_of.isoformat(),
                "site_id": site.site_id,
                "status": status[site.site_id],
                "expected": site.expected_incidents * years,
                "observed": int(count),
            }
            for site, count in zip(plan.sites, near, strict=True)
        ),
    )
