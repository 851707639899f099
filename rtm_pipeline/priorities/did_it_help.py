"""Did it help: the effect of a program and year, from matched controls or a randomized line, and nothing less."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ModelError
from rtm_pipeline.priorities.displacement import (
    Counting,
    DidResult,
    Incidents,
    PairCounts,
    WddResult,
    count_pairs,
    did,
    wdd,
)
from rtm_pipeline.priorities.matching import Matches, apart, match_controls

__all__ = ["ControlPool", "EffectEstimate", "TreatedSites", "estimate_rows", "evaluate_programs", "evaluate_randomized"]


@dataclass(frozen=True, slots=True)
class TreatedSites:
    """The register of treated sites.

    Attributes
    ----------
    site_id, program : ndarray of str, shape (n,)
    xy : ndarray of float64, shape (n, 2)
        CRS units.
    started, ended : ndarray of datetime64[D], shape (n,)
        First day of the work, and the day after its last.
    target : ndarray of int64, shape (n,)
        0 lot, 1 building.
    forecast : ndarray of float64, shape (n,)
        Expected incidents a year within the radius, as forecast before the work.
    """

    site_id: NDArray[np.str_]
    program: NDArray[np.str_]
    xy: NDArray[np.float64]
    started: NDArray[np.datetime64]
    ended: NDArray[np.datetime64]
    target: NDArray[np.int64]
    forecast: NDArray[np.float64]

    def only(self, mask: NDArray[np.bool_] | NDArray[np.int64]) -> TreatedSites:
        """Some of the sites."""
        return TreatedSites(**{field.name: getattr(self, field.name)[mask] for field in fields(self)})


@dataclass(frozen=True, slots=True)
class ControlPool:
    """Eligible sites that were not funded: where controls come from. Fields as in `TreatedSites`."""

    site_id: NDArray[np.str_]
    xy: NDArray[np.float64]
    target: NDArray[np.int64]
    forecast: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class EffectEstimate:
    """What one program did in one year.

    Attributes
    ----------
    program : str
    year : int
    design : str
        ``matched`` or ``randomized``.
    n_treated : int
        Sites in the register.
    n_apart : int
        Those of them whose circles do not overlap: the others are inside a circle that is counted.
    n_pairs : int
    refused : dict of str to int
        Treated sites without a control, by reason.
    imbalance : dict of str to float
        Standardized mean difference of each covariate within the pairs.
    counts : PairCounts
    wdd : WddResult
    did : DidResult or None
        None where there are too few incidents, with the reason in ``note``.
    note : str
    """

    program: str
    year: int
    design: str
    n_treated: int
    n_apart: int
    n_pairs: int
    refused: dict[str, int]
    imbalance: dict[str, float]
    counts: PairCounts
    wdd: WddResult
    did: DidResult | None
    note: str

    def row(self) -> dict[str, object]:
        """The estimate as one row of plain JSON values."""
        sums = {field.name: int(getattr(self.counts, field.name).sum()) for field in fields(self.counts)}
        effect = self.did
        return {
            "program": self.program,
            "year": self.year,
            "design": self.design,
            "n_treated": self.n_treated,
            "n_apart": self.n_apart,
            "n_pairs": self.n_pairs,
            "refused": dict(self.refused),
            "imbalance": dict(self.imbalance),
            **sums,
            "wdd": self.wdd.wdd,
            "wdd_se": self.wdd.se,
            "wdd_p": self.wdd.p,
            "local": self.wdd.local,
            "ring": self.wdd.ring,
            "relative_change": None if effect is None else effect.relative_change,
            "low": None if effect is None else effect.low,
            "high": None if effect is None else effect.high,
            "note": self.note,
        }


def evaluate_programs(
    treated: TreatedSites,
    candidates: ControlPool,
    incidents: Incidents,
    counting: Counting,
    *,
    until: np.datetime64,
    seed: int = 0,
) -> tuple[list[EffectEstimate], list[str]]:
    """Effects per program and year of treatment, against matched controls.

    Sites whose circles would overlap are thinned, so that each incident counts once. Controls are candidates of the
    same target, matched on the forecast and on the counts of the two years before the group's first work, and further
    from every treated site than circle and ring reach.

    Parameters
    ----------
    treated : TreatedSites
    candidates : ControlPool
    incidents : Incidents
    counting : Counting
    until : datetime64
        Incidents are known up to this day; sites whose window after is not complete by then wait.
    seed : int

    Returns
    -------
    estimates : list of EffectEstimate
        By program, then year.
    waiting : list of str
        What could not be evaluated, and why.
    """
    estimates: list[EffectEstimate] = []
    waiting: list[str] = []
    complete = treated.ended + np.timedelta64(counting.days, "D") <= until
    if (~complete).any():
        waiting.append(
            f"{int((~complete).sum())} sites: the {counting.days} days after the work are not over on {until}"
        )
    year = treated.started.astype("datetime64[Y]").astype(np.int64) + 1970
    groups = sorted(set(zip(treated.program[complete].tolist(), year[complete].tolist(), strict=True)))
    for program, one_year in groups:
        group = treated.only(complete & (treated.program == program) & (year == one_year))
        try:
            counts, matches, n_apart = _count_group(group, treated, candidates, incidents, counting)
            estimates.append(
                _estimate(program, one_year, "matched", len(group.site_id), n_apart, counts, matches, seed)
            )
        except ModelError as error:
            waiting.append(f"{program} {one_year}: {error}")
    return estimates, waiting


def _count_group(
    group: TreatedSites,
    register: TreatedSites,
    candidates: ControlPool,
    incidents: Incidents,
    counting: Counting,
) -> tuple[PairCounts, Matches, int]:
    """Thin, match and count one program and year; also how many sites were left by thinning."""
    radius, days = counting.radius_u, counting.days
    order = np.lexsort((group.site_id, group.started))
    alone = group.only(order[apart(group.xy[order, 0], group.xy[order, 1], 2.0 * radius)])
    first = group.started.min()

    def covariates(xy: NDArray[np.float64], forecast: NDArray[np.float64]) -> NDArray[np.float64]:
        past = [_count_within(xy, incidents, first - (back + 1) * days, first - back * days, radius) for back in (0, 1)]
        return np.stack([forecast, *past], axis=1).astype(np.float64)

    matches = match_controls(
        covariates(alone.xy, alone.forecast),
        covariates(candidates.xy, candidates.forecast),
        alone.xy,
        candidates.xy,
        names=("forecast", "counts of the year before", "counts two years before"),
        clear_of_xy=register.xy,
        clear_u=radius + counting.ring_u,
        spacing_u=2.0 * radius,
        exact_treated=alone.target,
        exact_candidates=candidates.target,
    )
    pairs = alone.only(matches.treated)
    counts = count_pairs(
        incidents,
        pairs.xy,
        candidates.xy[matches.control],
        pairs.started,
        pairs.ended,
        counting,
        ever_treated_xy=register.xy,
    )
    return counts, matches, len(alone.site_id)


def _count_within(
    xy: NDArray[np.float64],
    incidents: Incidents,
    start: np.datetime64,
    end: np.datetime64,
    radius_u: float,
) -> NDArray[np.int64]:
    from rtm_pipeline.priorities.why import points_within

    when = (incidents.time >= start) & (incidents.time < end)
    chosen = incidents.xy[when]
    return points_within(xy[:, 0], xy[:, 1], chosen[:, 0], chosen[:, 1], radius_u)


def _estimate(
    program: str,
    year: int,
    design: str,
    n_treated: int,
    n_apart: int,
    counts: PairCounts,
    matches: Matches | None,
    seed: int,
) -> EffectEstimate:
    def total(name: str) -> tuple[float, float]:
        return float(getattr(counts, f"{name}_0").sum()), float(getattr(counts, f"{name}_1").sum())

    effect, note = None, ""
    try:
        effect = did(counts, seed=seed)
    except ModelError as error:
        note = str(error)
    refused: dict[str, int] = {}
    for reason in matches.reasons if matches is not None else ():
        refused[reason] = refused.get(reason, 0) + 1
    return EffectEstimate(
        program=program,
        year=year,
        design=design,
        n_treated=n_treated,
        n_apart=n_apart,
        n_pairs=int(counts.treated_0.size),
        refused=refused,
        imbalance={}
        if matches is None
        else dict(zip(matches.names, matches.imbalance_after.round(6).tolist(), strict=True)),
        counts=counts,
        wdd=wdd(total("treated"), total("control"), total("treated_ring"), total("control_ring")),
        did=effect,
        note=note,
    )


def evaluate_randomized(
    program: str,
    drawn_in: TreatedSites,
    drawn_out_xy: NDArray[np.float64],
    incidents: Incidents,
    counting: Counting,
    *,
    ever_treated_xy: NDArray[np.float64],
    seed: int = 0,
) -> EffectEstimate:
    """Effect among sites whose order at the funding line was drawn: those drawn in against those drawn out.

    Both lists are thinned together, in an order that does not know who was treated, so that circles do not overlap;
    pairs are made in the order of the draw.

    Parameters
    ----------
    program : str
    drawn_in : TreatedSites
        In the order of the draw.
    drawn_out_xy : ndarray of float64, shape (n, 2)
        In the order of the draw.
    incidents : Incidents
    counting : Counting
    ever_treated_xy : ndarray of float64, shape (q, 2)
    """
    n_in = drawn_in.xy.shape[0]
    both = np.concatenate([drawn_in.xy, drawn_out_xy])
    order = np.lexsort((both[:, 1], both[:, 0]))
    kept = np.sort(order[apart(both[order, 0], both[order, 1], 2.0 * counting.radius_u)])
    into, out = kept[kept < n_in], kept[kept >= n_in] - n_in
    n = min(into.size, out.size)
    if n == 0:
        raise ModelError("No drawn pair is far enough apart to be counted.")
    pairs = drawn_in.only(into[:n])
    counts = count_pairs(
        incidents,
        pairs.xy,
        drawn_out_xy[out[:n]],
        pairs.started,
        pairs.ended,
        counting,
        ever_treated_xy=ever_treated_xy,
    )
    year = int(pairs.started.min().astype("datetime64[Y]").astype(np.int64)) + 1970
    return _estimate(program, year, "randomized", n_in, int(into.size), counts, None, seed)


def estimate_rows(estimates: Sequence[EffectEstimate]) -> list[dict[str, object]]:
    """Rows of several estimates, for a table or a file."""
    return [estimate.row() for estimate in estimates]
