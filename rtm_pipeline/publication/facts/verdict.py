"""The verdict on the forecast, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rtm_pipeline.publication.content import FORECAST
from rtm_pipeline.publication.facts.measures import PERFECT, SurfaceAccuracy
from rtm_pipeline.publication.facts.words import percent, surface_name

__all__ = ["Verdict", "verdict_of"]

HEADLINE_SHARE = 0.05
_UNSAID = {
    "not_judged": "no later period has been compared with it yet",
    "not_better": "over all shares of area, the difference is within what chance allows",
}


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


def verdict_of(
    found: Mapping[str, Any], surfaces: Sequence[SurfaceAccuracy], baseline: str, judged_on: str, outcome: str
) -> Verdict:
    """Put the judgment of ``accuracy.json`` into words."""
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
