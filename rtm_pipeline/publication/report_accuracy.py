"""How good the surfaces are, read from ``accuracy.json``: measures by share, the verdict in words, calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rtm_pipeline.publication.content import FORECAST, RISK_TERRAIN, ReleaseContent
from rtm_pipeline.publication.report_words import amount, count, in_words, percent, surface_name

__all__ = ["AccuracyFacts", "At", "CalibrationRow", "SurfaceAccuracy", "Verdict", "accuracy_of"]

PERFECT = "perfect"
UNIFORM = "uniform"
HEADLINE_SHARE = 0.05
_UNSAID = {
    "not_judged": "no later period has been compared with it yet",
    "not_better": "over all shares of area, the difference is within what chance allows",
}
_ORDER = (FORECAST, RISK_TERRAIN, "counts_decayed", "counts_2y", "counts_1y", "kde", UNIFORM, PERFECT)


@dataclass(frozen=True, slots=True)
class At:
    """A measure at one share of the area: over all orders of tied cells."""

    minimum: float
    expected: float
    maximum: float

    @property
    def tied(self) -> bool:
        """Whether ties leave anything open."""
        return self.maximum - self.minimum > 1e-9 * max(1.0, abs(self.expected))


@dataclass(frozen=True, slots=True)
class SurfaceAccuracy:
    """One surface; measures by share, those that can't be computed left out."""

    name: str
    pai: Mapping[float, At]
    pei: Mapping[float, At]
    hit_rate: Mapping[float, At]
    rri: Mapping[float, At]
    distinct_values: int | None


@dataclass(frozen=True, slots=True)
class Ratio:
    """Hits of the forecast over hits of the rule to beat, with its interval."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the judgment comes to.

    Attributes
    ----------
    code : str
        ``better``, ``not_better`` or ``not_judged``.
    headline, text : str
        A few words, and a paragraph.
    """

    code: str
    headline: str
    text: str


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
    surfaces = _surfaces(found.get("surfaces"))
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
        verdict=_verdict(found, surfaces, baseline, judged_on, outcome),
        with_assumed=_surfaces(found.get("with_assumed")),
        left_out=tuple((str(item["factor"]), str(item["reason"])) for item in found.get("left_out") or ()),
        calibration=_calibration(content),
        notes=(*_notes(content.evaluation), *content.findings),
    )


def _surfaces(found: Any) -> tuple[SurfaceAccuracy, ...]:
    if not isinstance(found, Mapping):
        return ()
    names = [name for name in _ORDER if name in found] + sorted(set(found) - set(_ORDER))
    return tuple(_surface(name, found[name]) for name in names if found[name] is not None)


def _surface(name: str, found: Mapping[str, Any]) -> SurfaceAccuracy:
    return SurfaceAccuracy(
        name=name,
        pai=_by_share(found.get("pai")),
        pei=_by_share(found.get("pei")),
        hit_rate=_by_share(found.get("hit_rate")),
        rri=_by_share(found.get("rri")),
        distinct_values=found.get("distinct_values"),
    )


def _by_share(found: Any) -> dict[float, At]:
    if not isinstance(found, Mapping):
        return {}
    return {
        float(share): At(float(item["min"]), float(item["expected"]), float(item["max"]))
        for share, item in sorted(found.items(), key=lambda pair: float(pair[0]))
        if item is not None
    }


def _verdict(
    found: Mapping[str, Any], surfaces: Sequence[SurfaceAccuracy], baseline: str, judged_on: str, outcome: str
) -> Verdict:
    code = str(found.get("verdict") or "not_judged")
    reason = str(found.get("verdict_reason") or _UNSAID.get(code, ""))
    if code == "not_judged":
        return Verdict(code, "Not judged yet", f"How good the forecast is could not be judged: {reason}.")
    mine, theirs, best = (next((s for s in surfaces if s.name == n), None) for n in (FORECAST, baseline, PERFECT))
    rule = surface_name(baseline)
    rule = rule[:1].lower() + rule[1:]
    text = _caught(mine, theirs, best, judged_on, outcome, rule)
    level = percent(float(found.get("interval_level") or 0.95))
    if code == "better":
        return Verdict(
            code,
            "Better than the best simple rule",
            f"{text} Over all shares of area, the difference is larger than chance allows ({level} interval); at "
            "no share is the rule ahead by more than that.",
        )
    return Verdict(
        code,
        "Not better than the best simple rule",
        f"{text} {_sentence(reason)} To rank places, the simple rule serves as well; the risk terrain says why a place "
        "is risky.",
    )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _caught(
    mine: SurfaceAccuracy | None,
    theirs: SurfaceAccuracy | None,
    best: SurfaceAccuracy | None,
    judged_on: str,
    outcome: str,
    rule: str,
) -> str:
    """What the top share of cells caught, against the rule to beat and against what nobody can do better."""
    if mine is None or theirs is None or HEADLINE_SHARE not in mine.hit_rate or HEADLINE_SHARE not in theirs.hit_rate:
        return f"The forecast was judged on {judged_on} against a simple rule ({rule})."
    text = (
        f"In {judged_on}, the {percent(HEADLINE_SHARE)} of the city that the forecast had rated highest held "
        f"{percent(mine.hit_rate[HEADLINE_SHARE].expected)} of {outcome}; the best simple rule ({rule}) held "
        f"{percent(theirs.hit_rate[HEADLINE_SHARE].expected)}"
    )
    if best is not None and HEADLINE_SHARE in best.hit_rate:
        text += f", and knowing everything beforehand would have held {percent(best.hit_rate[HEADLINE_SHARE].expected)}"
    return text + "."


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


def ties_sentence(item: SurfaceAccuracy) -> str:
    """What ties leave open, in words; empty where nothing."""
    tied = [share for share, at in item.hit_rate.items() if at.tied]
    if not tied or item.distinct_values is None:
        return ""
    share = tied[0]
    at = item.hit_rate[share]
    return (
        f"{surface_name(item.name)} has {count(item.distinct_values)} different values, so which cells make up the top "
        f"{percent(share)} is partly open: its hit rate there lies between {percent(at.minimum)} and "
        f"{percent(at.maximum)}."
    )
