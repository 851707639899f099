"""The RTM engine from a design to a fitted terrain: folds, screening, selection, the better family, bootstraps."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ModelError
from rtm_pipeline.model.bootstrap import RefitBootstrap, refit_bootstrap
from rtm_pipeline.model.candidates import Candidates, candidates_of
from rtm_pipeline.model.design import Design
from rtm_pipeline.model.folds import balanced_folds, block_folds
from rtm_pipeline.model.likelihood.cells import Cells, cells_of
from rtm_pipeline.model.likelihood.families import family_named
from rtm_pipeline.model.likelihood.patterns import null_patterns
from rtm_pipeline.model.remarks import remarks, separation_remarks
from rtm_pipeline.model.reselection import Rescreen, SelectionBootstrap, selection_bootstrap
from rtm_pipeline.model.screening import Screening, screen
from rtm_pipeline.model.selection import SIGNS, DroppedVariable, Selection, select, usable_candidates
from rtm_pipeline.model.spec import ModelSpec
from rtm_pipeline.model.terrain import FittedTerrain, Term, terrain_of_selection
from rtm_pipeline.model.validation import validate_design
from rtm_pipeline.model.workers import available_threads

__all__ = ["AUTO_FAMILIES", "RtmFit", "bootstrap_seed", "fit_rtm", "rescreening"]

logger = logging.getLogger(__name__)

AUTO_FAMILIES = ("poisson", "nb1")
"""What ``family: auto`` compares, as RTMDx does; the lower BIC wins, the first of equals."""

_REFITS, _SELECTIONS = 1, 2  # streams of random numbers
_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True)
class RtmFit:
    """Everything that the engine found.

    Attributes
    ----------
    terrain : FittedTerrain
        The model with the better BIC, with the intervals of both bootstraps.
    spec : ModelSpec
    screening : Screening or None
        None where it was not asked for or not possible (see ``notes``).
    screened : tuple of str
        Variables that the selection could choose from, sorted by name.
    selections : tuple of Selection
        One for each family that was tried; the first is the terrain's.
    refits : RefitBootstrap or None
    reselections : SelectionBootstrap or None
        None where none was asked for, or none could be made (see ``notes``).
    dropped : tuple of DroppedVariable
        Variables that could not enter, with the reason.
    notes : tuple of str
        What the engine did differently from what was asked, and why.
    """

    terrain: FittedTerrain
    spec: ModelSpec
    screening: Screening | None
    screened: tuple[str, ...]
    selections: tuple[Selection, ...]
    refits: RefitBootstrap | None
    reselections: SelectionBootstrap | None
    dropped: tuple[DroppedVariable, ...]
    notes: tuple[str, ...]


def fit_rtm(
    design: Design,
    spec: ModelSpec,
    *,
    block_id: NDArray[np.integer] | None = None,
    threads: int | None = None,
) -> RtmFit:
    """Fit a risk terrain model.

    Parameters
    ----------
    design : Design
    spec : ModelSpec
    block_id : ndarray of int, shape (n,), optional
        Spatial block of each cell, of at least twice the largest spatial influence: the unit of the bootstraps (and
        of the folds where ``spec.fold_kind`` is ``blocks``). None, for tables without a map: single cells.
    threads : int, optional
        Default: all processors of this process. The result does not depend on it.

    Returns
    -------
    RtmFit
        A model without terms is a sound result: no variable lowers BIC.

    Raises
    ------
    ModelError
        If the design can't be used (`validate_design`), a setting is unknown, block folds are asked for without
        blocks, or a fit does not converge.

    References
    ----------
    Caplan & Kennedy 2016; Heffner 2013 (RTMDx statistics).

    Examples
    --------
    >>> import numpy as np
    >>> from rtm_pipeline.model.spec import BootstrapSpec, ModelSpec
    >>> from rtm_pipeline.model.table import design_from_table
    >>> rng = np.random.default_rng(1)
    >>> bars, schools = rng.random((2, 2000)) < 0.2
    >>> design = design_from_table({"bars": bars, "schools": schools}, rng.poisson(np.where(bars, 1.5, 0.5)))
    >>> fit = fit_rtm(design, ModelSpec(bootstrap=BootstrapSpec(refits=200, selections=20)))
    >>> fit.terrain.family, [term.variable.name for term in fit.terrain.terms]
    ('poisson', ['bars'])
    >>> term = fit.terrain.terms[0]
    >>> term.rrv_low < 3.0 < term.rrv_high
    True
    >>> [f"{score:.0f}" for score in sorted(set(fit.terrain.relative_risk_scores(design)))]
    ['1', '3']
    """
    threads = available_threads() if threads is None else threads
    design = validate_design(design)
    _check(spec, block_id)
    cells = cells_of(design)
    usable, hopeless = _usable(design, cells, threads)
    screening, reason = _screened(design, spec, block_id, bool(usable), threads)
    names = _kept(design, screening, usable)
    selections = _selections(cells, candidates_of(design, names), spec, threads)
    terrain = terrain_of_selection(selections[0], design)
    separated = separation_remarks(hopeless, SIGNS[spec.direction])
    notes = [note for note in (reason, *separated, *remarks(terrain, design, cells)) if note]
    refits, no_refits = _or_note(
        "No interval given the selection", lambda: _refits(design, terrain, spec, block_id, threads)
    )
    reselections, no_reselections = _or_note(
        "No interval with the selection repeated",
        lambda: _reselections(design, terrain, spec, screening, block_id, threads),
    )
    notes += [note for note in (no_refits, no_reselections) if note]
    terrain = terrain.with_terms(tuple(_with_intervals(term, refits, reselections) for term in terrain.terms))
    dropped = {item.variable: item for item in (*selections[0].dropped, *hopeless)}
    logger.info(
        "model: %s with %d terms of %d candidates, BIC %.2f",
        terrain.family,
        len(terrain.terms),
        len(names),
        terrain.bic,
    )
    return RtmFit(
        terrain=terrain,
        spec=spec,
        screening=screening,
        screened=names,
        selections=selections,
        refits=refits,
        reselections=reselections,
        dropped=tuple(dropped[name] for name in sorted(dropped)),
        notes=tuple(notes),
    )


def bootstrap_seed(spec: ModelSpec, stream: int) -> np.random.SeedSequence:
    """Seed of a bootstrap: the model's seed and the number of the stream, 1 for refits and 2 for selections."""
    return np.random.SeedSequence(entropy=spec.seed, spawn_key=(stream,))


def _check(spec: ModelSpec, block_id: NDArray[np.integer] | None) -> None:
    if spec.family != "auto":
        family_named(spec.family)
    if spec.fold_kind not in ("balanced", "blocks"):
        raise ModelError(f"There is no fold_kind {spec.fold_kind!r}; choose balanced or blocks.")
    if spec.fold_kind == "blocks" and block_id is None and spec.screen:
        raise ModelError("fold_kind is blocks, but no spatial blocks were given. Use balanced, or give block_id.")
    if not 0.0 < spec.bootstrap.level < 1.0:
        raise ModelError(f"The level of the intervals must be between 0 and 1; found {spec.bootstrap.level}.")


def _screened(
    design: Design, spec: ModelSpec, block_id: NDArray[np.integer] | None, any_usable: bool, threads: int
) -> tuple[Screening | None, str | None]:
    """The screening, or why there is none."""
    if not spec.screen:
        return None, None
    if not any_usable:
        return None, "Screening was skipped: no variable both varies and has incidents inside and outside."
    busy = int(np.count_nonzero(design.counts))
    if busy < spec.folds or design.n_cells < 2 * spec.folds:
        return None, (
            f"Screening was skipped: {busy} cells with incidents ({design.n_cells} in all) can't be dealt to "
            f"{spec.folds} folds. The selection considered all variables."
        )
    if spec.fold_kind == "blocks" and block_id is not None:
        folds = block_folds(block_id, design.counts, spec.folds, spec.seed)
    else:
        folds = balanced_folds(design.counts, spec.folds, spec.seed)
    return screen(design, spec, folds, threads=threads), None


def _usable(design: Design, cells: Cells, threads: int) -> tuple[set[str], tuple[DroppedVariable, ...]]:
    """Names of the variables that can have a finite coefficient, and why the others can't."""
    everything = candidates_of(design)
    usable, hopeless = usable_candidates(cells, everything, null_patterns(cells, everything, threads=threads))
    return {variable.name for variable, use in zip(everything.variables, usable, strict=True) if use}, hopeless


def _kept(design: Design, screening: Screening | None, usable: set[str]) -> tuple[str, ...]:
    if screening is None:
        return tuple(sorted(usable))
    return tuple(sorted(usable & {design.variables[column].name for column in screening.kept}))


def _selections(cells: Cells, candidates: Candidates, spec: ModelSpec, threads: int) -> tuple[Selection, ...]:
    """One selection a family, the one with the lowest BIC first."""
    families = AUTO_FAMILIES if spec.family == "auto" else (spec.family,)
    found = [select(cells, candidates, family_named(name), spec.direction, threads=threads) for name in families]
    return tuple(sorted(found, key=lambda selection: selection.fit.bic))


def _or_note(what: str, bootstrap: Callable[[], _Found]) -> tuple[_Found | None, str | None]:
    """A bootstrap, or why there is none: an area within one block has a model all the same."""
    try:
        return bootstrap(), None
    except ModelError as error:
        logger.warning("%s: %s", what, error)
        return None, f"{what}: {error}"


def _refits(
    design: Design, terrain: FittedTerrain, spec: ModelSpec, block_id: NDArray[np.integer] | None, threads: int
) -> RefitBootstrap | None:
    if terrain.is_null or spec.bootstrap.refits == 0:
        return None
    return refit_bootstrap(
        design,
        terrain,
        block_id,
        replicates=spec.bootstrap.refits,
        level=spec.bootstrap.level,
        seed=bootstrap_seed(spec, _REFITS),
        threads=threads,
    )


def _reselections(
    design: Design,
    terrain: FittedTerrain,
    spec: ModelSpec,
    screening: Screening | None,
    block_id: NDArray[np.integer] | None,
    threads: int,
) -> SelectionBootstrap | None:
    if terrain.is_null or spec.bootstrap.selections == 0:
        return None
    return selection_bootstrap(
        design,
        family_named(terrain.family),
        spec.direction,
        block_id,
        replicates=spec.bootstrap.selections,
        level=spec.bootstrap.level,
        seed=bootstrap_seed(spec, _SELECTIONS),
        rescreen=None if screening is None else rescreening(design, spec, screening, threads),
        threads=threads,
    )


def rescreening(design: Design, spec: ModelSpec, screening: Screening, threads: int | None = None) -> Rescreen:
    """Screening of replicates at the penalty that was chosen on the data.

    Parameters
    ----------
    design : Design
    spec : ModelSpec
    screening : Screening
        Of this design.
    threads : int, optional

    Returns
    -------
    callable
        For `selection_bootstrap`.
    """
    from rtm_pipeline.model.screening_replicates import screen_at

    def rescreen(draws: NDArray[np.integer], units: NDArray[np.int64]) -> NDArray[np.bool_]:
        return screen_at(
            design, screening.penalty, spec, weights=draws, groups=units, warm=screening, threads=threads
        ).kept

    return rescreen


def _with_intervals(term: Term, refits: RefitBootstrap | None, reselections: SelectionBootstrap | None) -> Term:
    name = term.variable.name
    if refits is not None:
        low, high = refits.interval(name)
        term = replace(term, rrv_low=low, rrv_high=high)
    if reselections is not None:
        low, high = reselections.interval(name)
        term = replace(
            term,
            rrv_low_unconditional=low,
            rrv_high_unconditional=high,
            selection_frequency=reselections.frequency(name),
        )
    return term
