"""How good the surfaces are, read from ``accuracy.json``: measures by share, the verdict in words, calibration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rtm_pipeline.publication.content import FORECAST, ReleaseContent
from rtm_pipeline.publication.facts.measures import SurfaceAccuracy, surfaces_judged
from rtm_pipeline.publication.facts.verdict import Verdict, verdict_of
from rtm_pipeline.publication.facts.words import amount, count, in_words, percent

__all__ = ["AccuracyFacts", "CalibrationRow", "Ratio", "accuracy_of"]


@dataclass(frozen=True, slots=True)
class Ratio:
    """Hits of the forecast over hits of the rule to beat, with its interval."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class CalibrationRow:
    """A tenth of the cells by forecast: what was expected there and what came."""

    number: int
    cells: int
    expected: float
    observed: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class AccuracyFacts:
    """The judgment of the surfaces.

    Attributes
    ----------
    cutoff : str
    judged_on : str
        The period, in words.
    n_events, n_cells : int or None
    surfaces : tuple of SurfaceAccuracy
        In the order in which they are shown.
    missing : tuple of (str, str)
        Surfaces that could not be made, with the reason.
    baseline, baseline_reason : str
        Rule to beat, and how it was chosen.
    level : float
    differences : mapping of float to Ratio
    verdict : Verdict
    with_assumed : tuple of SurfaceAccuracy
        The same with factors whose history is only assumed.
    left_out : tuple of (str, str)
        Factors that were not known at the cut-off.
    calibration : tuple of CalibrationRow
    notes : tuple of str
        What else was found: residuals, cross-validation, score of the counts.
    """

    cutoff: str
    judged_on: str
    n_events: int | None
    n_cells: int | None
    surfaces: tuple[SurfaceAccuracy, ...]
    missing: tuple[tuple[str, str], ...]
    baseline: str
    baseline_reason: str
    level: float
    differences: Mapping[float, Ratio]
    verdict: Verdict
    with_assumed: tuple[SurfaceAccuracy, ...]
    left_out: tuple[tuple[str, str], ...]
    calibration: tuple[CalibrationRow, ...]
    notes: tuple[str, ...]

    def surface(self, name: str) -> SurfaceAccuracy | None:
        """The surface of that name, if it was judged."""
        return next((item for item in self.surfaces if item.name == name), None)

    @property
    def shares(self) -> tuple[float, ...]:
        """All shares at which any surface was measured, ascending."""
        return tuple(sorted({share for item in self.surfaces for share in item.hit_rate}))


def accuracy_of(content: ReleaseContent, judged_on: str, outcome: str) -> AccuracyFacts | None:
    """Read the accuracy of a night; None where there is none."""
    found = content.accuracy
    if found is None:
        return None
    surfaces = surfaces_judged(found.get("surfaces"))
    baseline = str(found.get("baseline_chosen") or "")
    differences = {
        float(share): Ratio(item.get("hit_ratio"), item.get("low"), item.get("high"))
        for share, item in sorted((found.get("difference") or {}).items(), key=lambda pair: float(pair[0]))
    }
    return AccuracyFacts(
        cutoff=str(found.get("cutoff", "")),
        judged_on=judged_on,
        n_events=found.get("n_events"),
        n_cells=found.get("n_cells"),
        surfaces=surfaces,
        missing=tuple(sorted((str(k), str(v)) for k, v in (found.get("missing") or {}).items())),
        baseline=baseline,
        baseline_reason=in_words(str(found.get("baseline_reason") or "")),
        level=float(found.get("interval_level") or 0.95),
        differences=differences,
        verdict=verdict_of(found, surfaces, baseline, judged_on, outcome),
        with_assumed=surfaces_judged(found.get("with_assumed")),
        left_out=tuple((str(item["factor"]), str(item["reason"])) for item in found.get("left_out") or ()),
        calibration=_calibration(content),
        notes=(*_notes(content.evaluation), *content.findings),
    )


def _calibration(content: ReleaseContent) -> tuple[CalibrationRow, ...]:
    """Expected and observed by tenth: from accuracy.json, else from the evaluation of the night."""
    found: Any = (content.accuracy or {}).get("calibration")
    if isinstance(found, Mapping):
        found = found.get("deciles", found.get(FORECAST))
    if found is None:
        calibration = getattr(content.evaluation, "calibration", None)
        found = getattr(calibration, "deciles", None)
    return tuple(_row(item, at) for at, item in enumerate(found or (), start=1))


def _notes(evaluation: Any) -> tuple[str, ...]:
    """Further findings of the evaluation, in sentences."""
    found = []
    calibration = getattr(evaluation, "calibration", None)
    if calibration is not None:
        found.append(
            f"In all, {count(calibration.observed)} came where {count(calibration.expected)} were expected. Mean "
            f"absolute error {amount(calibration.mean_absolute_error, 3)} a cell; mean log score "
            f"{calibration.log_score:.4f}; largest distance of the randomized PIT from uniform "
            f"{amount(calibration.pit_statistic)}."
        )
    moran = getattr(evaluation, "residual_moran", None)
    if moran is not None:
        found.append(
            f"Moran's I of the residuals (queen neighbors): {moran.statistic:.3f}, z {moran.z:.1f}; near 0 means that "
            "what is left unexplained does not cluster."
        )
    for item in getattr(evaluation, "cross_validation", ()):
        saved = 1.0 - item.deviance / item.null_deviance if item.null_deviance else None
        found.append(
            f"Cross-validation, {item.kind} ({count(item.groups)} groups, every cell kept): explains {percent(saved)} "
            "of the deviance of a constant rate."
        )
    return tuple(found)


def _row(item: Any, at: int) -> CalibrationRow:
    def get(key: str) -> Any:
        return item.get(key) if isinstance(item, Mapping) else getattr(item, key, None)

    number = get("number") or get("decile") or at
    return CalibrationRow(
        int(number), int(get("cells")), float(get("expected")), float(get("observed")), get("low"), get("high")
    )
