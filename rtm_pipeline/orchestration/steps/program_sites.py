"""The sites of a night: what stands in the layers, what people corrected, and what may be worked on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.config.programs import ProgramsPlan, SitesPlan
from rtm_pipeline.errors import ConfigError
from rtm_pipeline.layers.layer import Layer
from rtm_pipeline.orchestration.steps.ingest import PLACE, layer_step
from rtm_pipeline.orchestration.steps.registers import Registers
from rtm_pipeline.orchestration.values import Place
from rtm_pipeline.priorities.eligibility import Correction
from rtm_pipeline.priorities.sites import TARGETS, Sites

if TYPE_CHECKING:
    from rtm_pipeline.evaluation.backtest import AreaGroups
    from rtm_pipeline.grid.spec import StudyGrid

__all__ = ["of_cell", "program_sites", "register_doubts", "standing_sites"]


def of_cell(group: AreaGroups | None, grid: StudyGrid) -> NDArray[np.int32]:
    """Area of each cell, int32, shape (n_cells,); -1 for none."""
    return group.group if group is not None else np.full(grid.n_cells, -1, np.int32)


def standing_sites(
    plan: ProgramsPlan,
    inputs: Mapping[str, Any],
    as_of: date,
    neighborhoods: AreaGroups | None = None,
    districts: AreaGroups | None = None,
) -> Sites:
    """All sites that stand on a day inside the city, each once, whoever may work on them."""
    from rtm_pipeline.grid.locate import cells_of
    from rtm_pipeline.layers.vintage import rows_known
    from rtm_pipeline.priorities.sites import join_sites, sites_from_layer

    place: Place = inputs[PLACE]
    parts = []
    for site in plan.sites:
        layer: Layer = inputs[layer_step(site.layer)].layer
        cell = cells_of(place.grid, layer.x, layer.y)
        rows = np.flatnonzero(rows_known(layer, as_of, assume_history=True) & (cell >= 0))
        parts.append(
            sites_from_layer(
                layer,
                site_id=site.id,
                target=site.target,
                rows=rows,
                neighborhood=of_cell(neighborhoods, place.grid)[cell[rows]],
                district=of_cell(districts, place.grid)[cell[rows]],
                owners=site.owners,
                status=site.status,
                address=site.address,
            )
        )
    return join_sites(parts)


def program_sites(
    plan: ProgramsPlan,
    inputs: Mapping[str, Any],
    as_of: date,
    registers: Registers,
    neighborhoods: AreaGroups | None,
    districts: AreaGroups | None,
) -> Sites:
    """The standing sites with every exclusion applied and counted by its reason."""
    from rtm_pipeline.priorities.eligibility import apply_eligibility

    sites = standing_sites(plan, inputs, as_of, neighborhoods, districts)
    treated = tuple(record.site_id for record in registers.treated)
    for rules in plan.sites:
        layer: Layer = inputs[layer_step(rules.layer)].layer
        sites = apply_eligibility(
            sites,
            rules.eligible,
            as_of=as_of,
            corrections=registers.corrections,
            treated=treated,
            area_m2=_sizes(layer, rules, sites),
            no_authority=_no_authority(layer, rules, sites),
            among=sites.target == TARGETS.index(rules.target),
        )
        sites = sites.with_exclusions(_left_out(layer, rules, sites))
    return sites


def register_doubts(
    plan: ProgramsPlan, inputs: Mapping[str, Any], as_of: date, corrections: Sequence[Correction]
) -> tuple[str, ...]:
    """What can't be right in the corrections that hold, in sentences: a mistyped id must not pass in silence."""
    from rtm_pipeline.priorities.sites import column_texts

    holding = [row for row in corrections if row.holds(as_of)]
    known: set[str] = set()
    for site in plan.sites:
        known |= set(column_texts(inputs[layer_step(site.layer)].layer, site.id).tolist())
    strange = sorted({row.site_id for row in holding} - known)
    doubts = []
    if strange:
        more = ", ..." if len(strange) > 5 else ""
        doubts.append(
            f"{len(strange)} corrections are about a site that no layer has ever had: {', '.join(strange[:5])}{more}"
        )
    said: dict[tuple[str, date], list[str]] = {}
    for row in holding:
        said.setdefault((row.site_id, row.on), []).append(row.status)
    for (site_id, day), statuses in sorted(said.items()):
        if len(set(statuses)) > 1:
            doubts.append(f"corrections of {day} contradict each other on {site_id}: the last, {statuses[-1]}, counts")
    return tuple(doubts)


def _of_sites(layer: Layer, rules: SitesPlan, column: str, sites: Sites) -> NDArray[np.str_]:
    """A column of the layer for each site, by its id; empty where the site is of another layer."""
    from rtm_pipeline.priorities.sites import column_texts

    ids, values = column_texts(layer, rules.id), column_texts(layer, column)
    found = dict(zip(ids[::-1].tolist(), values[::-1].tolist(), strict=True))  # of repeated ids the first row counts
    return np.array([found.get(name, "") for name in sites.site_id.tolist()], dtype=np.str_)


def _sizes(layer: Layer, rules: SitesPlan, sites: Sites) -> NDArray[np.float64] | None:
    """Square meters of each site, NaN where the source has none."""
    if rules.size_column is None:
        return None
    texts = _of_sites(layer, rules, rules.size_column, sites)
    try:
        numbers = np.array([float(text.replace(",", "")) if text else np.nan for text in texts.tolist()])
    except ValueError as error:
        raise ConfigError(
            f"programs.{rules.target}s.eligible.size: the column {rules.size_column} must hold numbers; {error}."
        ) from None
    return np.where(numbers > 0, numbers * rules.size_m2, np.nan)


def _left_out(layer: Layer, rules: SitesPlan, sites: Sites) -> list[tuple[str, NDArray[np.bool_], bool]]:
    """The city's own rules as exclusions: reason, sites, and whether they still stand."""
    mine = sites.target == TARGETS.index(rules.target)
    found = []
    for column, values, reason, stands in rules.leave_out:
        hit = mine & np.isin(_of_sites(layer, rules, column, sites), np.array(values, dtype=np.str_))
        if hit.any():
            found.append((reason, hit, stands))
    return found


def _no_authority(layer: Layer, rules: SitesPlan, sites: Sites) -> NDArray[np.bool_] | None:
    if rules.authority is None:
        return None
    column, values = rules.authority
    return ~np.isin(_of_sites(layer, rules, column, sites), np.array(values, dtype=np.str_))
