"""How much the ranking hangs on some of its inputs: 311, who reports, inspectors.

Each variant makes risk terrain and forecast anew, as on the night itself but for one group of inputs, and compares how
places rank. A ranking that turns over when 311 is left out ranks who calls as much as what is there.
"""

from __future__ import annotations

import math
from collections.abc import Set
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ModelError
from rtm_pipeline.evaluation.backtest_spec import AreaGroups, FactorSet
from rtm_pipeline.evaluation.measures import Ranking, top_cells
from rtm_pipeline.evaluation.variant_accuracy import VariantAccuracy, hit_rates
from rtm_pipeline.grid.spec import StudyGrid
from rtm_pipeline.model.spec import BootstrapSpec, ModelSpec
from rtm_pipeline.surface.columns import usable_columns
from rtm_pipeline.surface.features import features_of
from rtm_pipeline.surface.forecast import expected_shares
from rtm_pipeline.surface.forecast_model import ForecastModel
from rtm_pipeline.surface.history import History
from rtm_pipeline.surface.tuning import tune
from rtm_pipeline.surface.vintage import fit_terrain
from rtm_pipeline.surface.windows import Features

__all__ = ["Agreement", "Night", "Shift", "Variant", "agreement", "judged_variant", "variant_of", "without"]

_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Agreement:
    """How alike two surfaces rank the cells.

    Attributes
    ----------
    rank_correlation : float
        Spearman's, over the cells that both rank; 0 where either is constant.
    overlap : float
        Share of the one's top cells that are among the other's; ties count in proportion.
    share : float
        Of cells that are top.
    """

    rank_correlation: float
    overlap: float
    share: float


@dataclass(frozen=True, slots=True)
class Shift:
    """Share of the priority area that lies in a named area, as published and in the variant."""

    area: str
    published: float
    variant: float


@dataclass(frozen=True, slots=True, eq=False)
class Night:
    """What was published, and from what.

    Attributes
    ----------
    grid : StudyGrid
    history : History
    counts : ndarray of int64, shape (n,)
        Outcome of the fit.
    fit_at, as_of : date
        When the factors of the fit were known, and when they were applied.
    rrs, expected : ndarray of float64, shape (n,)
        Published risk terrain and forecast.
    forecast_model : ForecastModel
    model : ModelSpec
    block_side_u : float
    seed : int
    """

    grid: StudyGrid
    history: History
    counts: NDArray[np.int64]
    fit_at: date
    as_of: date
    rrs: NDArray[np.float64]
    expected: NDArray[np.float64]
    forecast_model: ForecastModel
    model: ModelSpec
    block_side_u: float
    seed: int


@dataclass(frozen=True, slots=True)
class Variant:
    """One other way to have made the night.

    Attributes
    ----------
    name : str
        Such as ``without_311``.
    what : str
        In words, for reports.
    changed : tuple of str
        Factors that were left out or corrected.
    terrain, forecast : Agreement or None
        With what was published; None where it could not be made.
    terms : tuple of str
        Variables that the risk terrain of the variant selected.
    shifts : tuple of Shift
        Areas whose part of the priority area (of the forecast) changes most, the largest change first.
    reason : str or None
        Why a part is None.
    accuracy : VariantAccuracy or None
        How it would have done on what the night is judged on; None where nothing was judged, or none of its factors
        was known then.
    """

    name: str
    what: str
    changed: tuple[str, ...]
    terrain: Agreement | None
    forecast: Agreement | None
    terms: tuple[str, ...] = ()
    shifts: tuple[Shift, ...] = ()
    reason: str | None = None
    accuracy: VariantAccuracy | None = None

    def as_json(self) -> dict[str, object]:
        """Plain values."""

        def block(found: Agreement | None) -> dict[str, float] | None:
            if found is None:
                return None
            return {"rank_correlation": found.rank_correlation, "overlap": found.overlap, "share": found.share}

        return {
            "name": self.name,
            "what": self.what,
            "changed": list(self.changed),
            "risk_terrain": block(self.terrain),
            "forecast": block(self.forecast),
            "terms": list(self.terms),
            "shifts": [{"area": s.area, "published": s.published, "variant": s.variant} for s in self.shifts],
            "reason": self.reason,
            "accuracy": None if self.accuracy is None else self.accuracy.as_json(),
        }


def agreement(first: NDArray[np.float64], second: NDArray[np.float64], share: float = _SHARE) -> Agreement:
    """Compare the ranks of two surfaces, each shape (n,); NaN where a surface has no value."""
    if first.shape != second.shape:
        raise ModelError(f"Surfaces of {first.size} and {second.size} cells can't be compared.")
    from scipy import stats

    both = np.isfinite(first) & np.isfinite(second)
    a, b = first[both], second[both]
    varied = a.size > 1 and np.ptp(a) > 0 and np.ptp(b) > 0
    correlation = float(stats.spearmanr(a, b).statistic) if varied else 0.0
    cells = max(1, top_cells(share, a.size))
    common = float(np.sum(Ranking.of(a).inclusion(cells) * Ranking.of(b).inclusion(cells))) if a.size else 0.0
    return Agreement(correlation, common / cells, share)


def variant_of(
    night: Night, name: str, what: str, factors: FactorSet, changed: tuple[str, ...], groups: AreaGroups | None = None
) -> Variant:
    """Make the night with other factors and compare.

    Parameters
    ----------
    night : Night
    name, what : str
    factors : FactorSet
        All factors of the variant.
    changed : tuple of str
    groups : AreaGroups, optional
        Whose parts of the priority area are compared.
    """
    rrs, terms, reason = _terrain(night, factors)
    shares = _expected(night, factors)
    return Variant(
        name,
        what,
        changed,
        None if rrs is None else agreement(night.rrs, rrs),
        agreement(night.expected, shares),
        terms,
        () if groups is None else _shifts(night.expected, shares, night.grid.exposure, groups),
        reason,
    )


def judged_variant(
    judged: Night, factors: FactorSet, changed: tuple[str, ...], observed: NDArray[np.int64]
) -> VariantAccuracy:
    """Make the judged surfaces with other factors and score both on what came.

    Parameters
    ----------
    judged : Night
        As of the cut-off of the judgement: its ``rrs`` (NaN throughout where there was no risk terrain) and
        ``expected`` are the surfaces whose accuracy is published.
    factors : FactorSet
        All factors of the variant, as known then.
    changed : tuple of str
    observed : ndarray of int64, shape (n,)
        The outcome that decided.
    """
    terrain = None
    if bool(np.isfinite(judged.rrs).any()):
        terrain = hit_rates(observed, judged.rrs, _terrain(judged, factors)[0])
    return VariantAccuracy(changed, terrain, hit_rates(observed, judged.expected, _expected(judged, factors)))


def _terrain(night: Night, factors: FactorSet) -> tuple[NDArray[np.float64] | None, tuple[str, ...], str | None]:
    if not factors.fitted:
        return None, (), "no factor is left for a risk terrain"
    spec = _without_bootstraps(night.model, night.seed)
    try:
        found = fit_terrain(
            factors.fitted, factors.applied, night.counts, night.grid, spec, block_side_u=night.block_side_u
        )
    except ModelError as error:
        return None, (), str(error)
    terms = tuple(term.variable.name for term in found.fit.terrain.terms)
    return found.rrs, terms, None


def _without_bootstraps(spec: ModelSpec, seed: int) -> ModelSpec:
    return replace(spec, bootstrap=BootstrapSpec(0, 0), seed=seed)


def _expected(night: Night, factors: FactorSet) -> NDArray[np.float64]:
    grid, model = night.grid, night.forecast_model
    features = (
        (
            features_of(factors.applied, night.as_of, grid.n_cells),
            features_of(factors.fitted, night.fit_at, grid.n_cells),
        )
        if factors.fitted
        else ()
    )
    decay = (model.decay, model.decay_reason)
    # With the columns of the published model the search may start from it; else only its penalty is taken over.
    same = bool(features) and model.windows and model.columns.names == _usable(features, model, night)
    penalty = model.ridge if math.isfinite(model.ridge) else None
    tuned = tune(
        grid,
        night.history,
        features,
        night.as_of,
        decay=decay,
        seed=night.seed,
        start=model if same else None,
        ridge=penalty,
    )
    return expected_shares(tuned, grid, night.history, features[0] if features else None)


def _usable(features: tuple[Features, ...], model: ForecastModel, night: Night) -> tuple[str, ...]:
    return usable_columns(features, model.windows, night.as_of)[0].names


def _shifts(
    published: NDArray[np.float64],
    variant: NDArray[np.float64],
    exposure: NDArray[np.float64],
    groups: AreaGroups,
    most: int = 5,
) -> tuple[Shift, ...]:
    inside, size = groups.group >= 0, len(groups.names)
    cells = top_cells(_SHARE, published.size)
    parts = []
    for surface in (published, variant):
        weight = Ranking.of(surface).inclusion(cells) * exposure
        total = float(weight.sum())
        parts.append(np.bincount(groups.group[inside], weights=weight[inside], minlength=size) / max(total, 1e-12))
    order = np.argsort(-np.abs(parts[1] - parts[0]), kind="stable")[:most]
    return tuple(
        Shift(groups.names[g], float(parts[0][g]), float(parts[1][g])) for g in order if parts[0][g] != parts[1][g]
    )


def without(factors: FactorSet, names: Set[str]) -> FactorSet:
    """The set without some of its factors."""
    return FactorSet(
        {name: factor for name, factor in factors.fitted.items() if name not in names},
        {name: factor for name, factor in factors.applied.items() if name not in names},
        factors.left_out,
    )
