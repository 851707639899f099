"""Which simple rule is the one to beat: chosen on periods before the cut-off."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from rtm_pipeline.evaluation.compare import mean_log_pai
from rtm_pipeline.grid.spec import StudyGrid
from rtm_pipeline.surface.history import History
from rtm_pipeline.surface.past import past_surfaces
from rtm_pipeline.surface.windows import training_windows
from rtm_pipeline.units import Window

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
        Mean log PAI over the shares, averaged over the periods that decided, of the rules that could be tried.
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

    Those periods decide for which most rules could be made (two years of counts need two years before the period).
    Where that left one year of history, counting one year and counting all are one rule, and the latter stands for it.

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
    tried: list[tuple[Window, dict[str, float]]] = []
    for window in training_windows(history, cutoff):
        before = history.known_by(window.start)
        found = past_surfaces(grid, before, window.start, decay=decay, bandwidth=bandwidth)
        observed = history.rows(window)
        rules = [name for name in _PREFERENCE if name in found.surfaces]
        tried.append((window, {name: mean_log_pai(observed, found.surfaces[name]) for name in rules}))
    most = max((len(values) for _, values in tried), default=0)
    deciding = [(window, values) for window, values in tried if len(values) == most]
    windows = [window for window, _ in deciding]
    scores = {
        name: sum(values[name] for _, values in deciding) / len(deciding)
        for name in _PREFERENCE
        if deciding and all(name in values for _, values in deciding)
    }
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
