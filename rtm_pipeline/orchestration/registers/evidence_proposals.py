"""From a city's own results to proposals for its effect registry: randomized lines, shares treated, proposed rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.config.city import City
from rtm_pipeline.errors import RtmError
from rtm_pipeline.orchestration.registers.history import KeptDraw, KeptPlan
from rtm_pipeline.orchestration.steps.registers import Registers, registry_of
from rtm_pipeline.priorities.followup.displacement import Counting, Incidents
from rtm_pipeline.priorities.followup.effect_estimate import EffectEstimate, TreatedSites
from rtm_pipeline.priorities.sites import Sites

__all__ = ["drawn_estimates", "proposals_of"]


def drawn_estimates(
    plans: Sequence[KeptPlan],
    treated: TreatedSites,
    incidents: Incidents,
    counting: Counting,
    until: np.datetime64,
    seed: int,
) -> tuple[list[EffectEstimate], list[str]]:
    """Effects among sites whose order was drawn: those that the draw funded and that are done, against those that it
    left out and that nobody treated.

    Returns
    -------
    estimates : list of EffectEstimate
    waiting : list of str
    """
    from rtm_pipeline.priorities.followup.did_it_help import evaluate_randomized

    estimates, waiting = [], []
    for kept in plans:
        for draw in kept.draws:
            done, left = _sides(draw, treated, counting, until)
            try:
                estimates.append(
                    evaluate_randomized(
                        draw.action,
                        done,
                        left,
                        incidents,
                        counting,
                        ever_treated_xy=treated.xy,
                        seed=seed,
                    )
                )
            except RtmError as error:
                waiting.append(f"randomized line of {draw.action} in plan {kept.plan.plan_id}: {error}")
    return estimates, waiting


def _sides(
    draw: KeptDraw, treated: TreatedSites, counting: Counting, until: np.datetime64
) -> tuple[TreatedSites, NDArray[np.float64]]:
    """Sites drawn in whose work is over long enough, and places of those drawn out that stayed untreated."""
    at = {name: position for position, name in enumerate(treated.site_id.tolist())}
    over = treated.ended + np.timedelta64(counting.days, "D") <= until
    names = zip(draw.draw.site_id, draw.draw.funded, draw.xy, strict=True)
    done, left = [], []
    for name, funded, place in names:
        if funded and name in at and over[at[name]]:
            done.append(at[name])
        elif not funded and name not in at:
            left.append(place)
    return treated.only(np.array(done, dtype=np.int64)), np.array(left, dtype=np.float64).reshape(-1, 2)


def proposals_of(
    city: City,
    registers: Registers,
    estimates: Sequence[EffectEstimate],
    treated: TreatedSites,
    standing: Sites,
    counting: Counting,
) -> tuple[tuple[Mapping[str, Any], ...], tuple[str, ...]]:
    """Rows that a person may accept, and results that propose nothing, with the reason."""
    from rtm_pipeline.priorities.effects.proposals import propose_update

    registry = registry_of(city, registers)
    proposals, refused = [], []
    for one in estimates:
        default = registry.defaults.get(one.program)
        if default is None:
            refused.append(f"{one.program} {one.year} proposes nothing: there is no kind of work of that name")
            continue
        share = _treated_share(one, treated, standing, counting)
        try:
            row = propose_update(one, registry, default.effect, city=city.name, treated_share=share).row()
        except RtmError as error:
            refused.append(f"{one.program} {one.year} proposes nothing: {error}")
            continue
        proposals.append({**row, "work": one.program, "design": one.design})
    return tuple(proposals), tuple(refused)


def _treated_share(one: EffectEstimate, treated: TreatedSites, standing: Sites, counting: Counting) -> float:
    """Mean share, over a program's sites of the year, of the sites within the circle that were treated."""
    from scipy.spatial import cKDTree

    year = treated.started.astype("datetime64[Y]").astype(np.int64) + 1970
    mine = np.flatnonzero((treated.program == one.program) & (year == one.year))
    shares = []
    for target in np.unique(treated.target[mine]):
        here = treated.xy[mine[treated.target[mine] == target]]
        done = cKDTree(treated.xy[treated.target == target])
        worked = done.query_ball_point(here, counting.radius_u, return_length=True).astype(np.float64)
        left = np.isin(standing.site_id, treated.site_id, invert=True) & (standing.target == target)
        others = np.zeros(here.shape[0])
        if left.any():
            tree = cKDTree(np.stack([standing.x[left], standing.y[left]], axis=1))
            others = tree.query_ball_point(here, counting.radius_u, return_length=True).astype(np.float64)
        shares.append(worked / (worked + others))
    return float(np.concatenate(shares).mean())
