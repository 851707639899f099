"""Which simple rule is the one to beat: chosen on periods before the cut-off."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from rtm_pipeline.evaluation.compare import mean_log_pai
from rtm_pipeline.grid.spec import StudyGrid
from rtm_pipeline.surface.history import History
from rtm_pipeline.surface.past import past_surfaces
from rtm_pipeline.surface.windows import training_windows

__all__ = ["BaselineChoice", "choose_baseline"]

# On a tie the rule that uses more history is taken: with one earlier year all counting rules are the same rule.
_PREFERENCE = ("counts_decayed", "counts_2y", "counts_1y", "kde")
_TIE = 1e-9


@dataclass(frozen=True, slots=True)
class BaselineChoice:
    """The rule to beat.

    Attributes
    ----------
    name : str
    reason : str
    scores : dict of str to float
        Mean log PAI over the shares, averaged over the earlier periods, of the rules that could be tried.
    """

    name: str
    reason: str
    scores: dict[str, float]


def choose_baseline(
    grid: StudyGrid,
    history: History,
    cutoff: date,
    *,
    decay: tuple[float, str] | None = None,
    bandwidth: tuple[float, str] | None = None,
) -> BaselineChoice:
    """Try every baseline on the periods before the cut-off, as known when each began, and take the best.

    A rule that lacked the history then counts as the rule it would have been: counts of two years are those of all
    years while there is no more than one. Only rules with a score in all periods compete.

    Parameters
    ----------
    grid : StudyGrid
    history : History
        Rows known by the cut-off.
    cutoff : date
    decay, bandwidth : (float, str), optional
        Settings chosen before the cut-off.

    Raises
    ------
    ModelError
        If the history holds rows known after the cut-off.
    """
    history.refuse_known_after(cutoff)
    totals: dict[str, list[float]] = {}
    windows = training_windows(history, cutoff)
    for window in windows:
        before = history.known_by(window.start)
        found = past_surfaces(grid, before, window.start, decay=decay, bandwidth=bandwidth)
        observed = history.rows(window)
        for name, surface in found.surfaces.items():
            if name in _PREFERENCE:
                totals.setdefault(name, []).append(mean_log_pai(observed, surface))
    scores = {name: sum(v) / len(v) for name, v in totals.items() if len(v) == len(windows)}
    if not scores:
        return BaselineChoice(_PREFERENCE[0], "no earlier period to choose on; counts of all years are the rule", {})
    best = max(scores.values())
    near = [name for name in _PREFERENCE if name in scores and scores[name] >= best - _TIE]
    spans = ", ".join(str(window) for window in windows)
    name = near[0]
    if name == "counts_1y" and all(_about_one_year(history, window.start) for window in windows):
        return BaselineChoice(
            "counts_decayed", f"best on {spans}, where all years were one; with more history, all years decayed", scores
        )
    return BaselineChoice(name, f"highest mean log PAI on {spans}", scores)


def _about_one_year(history: History, day: date) -> bool:
    """Whether about a year or less was on record at ``day``."""
    return (day - history.observed.start).days <= 370
