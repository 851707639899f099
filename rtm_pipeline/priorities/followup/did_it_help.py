"""Did it help: the effect of a program and year, from matched controls or a randomized line, and nothing less."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ModelError
from rtm_pipeline.priorities.followup.displacement import (
    Counting,
    Incidents,
    PairCounts,
    count_pairs,
    did,
    wdd,
)
from rtm_pipeline.priorities.followup.effect_estimate import ControlPool, EffectEstimate, TreatedSites
from rtm_pipeline.priorities.followup.matching import Matches, apart, match_controls

__all__ = ["evaluate_group", "evaluate_programs", "evaluate_randomized", "expected_before", "finished_groups"]

DECAY = 0.7  # a year: what the forecast takes where the past is too short to choose one
YEARS = 3


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
    groups, waiting = finished_groups(treated, counting, until)
    estimates: list[EffectEstimate] = []
    for program, year, _ in groups:
        try:
            estimates.append(evaluate_group(program, year, treated, candidates, incidents, counting, until, seed=seed))
        except ModelError as error:
            waiting.append(f"{program} {year}: {error}")
    return estimates, waiting


def finished_groups(
    treated: TreatedSites, counting: Counting, until: np.datetime64
) -> tuple[list[tuple[str, int, np.datetime64]], list[str]]:
    """Programs and years with sites whose window after the work is over: (program, year, first day of work).

    Returns
    -------
    groups : list of (str, int, datetime64)
    waiting : list of str
        How many sites are not ready, and why.
    """
    complete = _complete(treated, counting, until)
    waiting = []
    if (~complete).any():
        waiting.append(
            f"{int((~complete).sum())} sites: the {counting.days} days after the work are not over on {until}"
        )
    year = _years(treated)
    groups = sorted(set(zip(treated.program[complete].tolist(), year[complete].tolist(), strict=True)))
    return [
        (name, when, treated.started[complete & (treated.program == name) & (year == when)].min())
        for name, when in groups
    ], waiting


def _complete(treated: TreatedSites, counting: Counting, until: np.datetime64) -> NDArray[np.bool_]:
    return np.asarray(treated.ended + np.timedelta64(counting.days, "D") <= until, dtype=bool)


def _years(treated: TreatedSites) -> NDArray[np.int64]:
    return np.asarray(treated.started.astype("datetime64[Y]").astype(np.int64) + 1970)


def evaluate_group(
    program: str,
    year: int,
    treated: TreatedSites,
    candidates: ControlPool,
    incidents: Incidents,
    counting: Counting,
    until: np.datetime64,
    *,
    seed: int = 0,
) -> EffectEstimate:
    """One program and year, against matched controls; parameters as in `evaluate_programs`.

    Raises
    ------
    ModelError
        None of its sites has a control.
    """
    group = treated.only(_complete(treated, counting, until) & (treated.program == program) & (_years(treated) == year))
    counts, matches, n_apart = _count_group(group, treated, candidates, incidents, counting)
    return _estimate(program, year, "matched", len(group.site_id), n_apart, counts, matches, seed)


def expected_before(
    xy: NDArray[np.float64], incidents: Incidents, first: np.datetime64, radius_u: float
) -> NDArray[np.float64]:
    """Incidents a year that circles were to expect before a day, from the past alone, float64, shape (n,).

    Counts of up to three years before, within twice the radius, each year weighing 0.7 of the one after it, brought to
    the area of the circle: what was known then, the same for treated sites and candidates.

    Parameters
    ----------
    xy : ndarray of float64, shape (n, 2)
    incidents : Incidents
    first : datetime64[D]
    radius_u : float
    """
    total, weights = np.zeros(xy.shape[0]), 0.0
    earliest = incidents.time.min() if incidents.time.size else first
    for back in range(YEARS):
        start, end = first - 365 * (back + 1), first - 365 * back
        if back and start < earliest.astype("datetime64[D]"):
            break
        total += DECAY**back * _count_within(xy, incidents, start, end, 2.0 * radius_u)
        weights += DECAY**back
    return total / (4.0 * weights)


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
