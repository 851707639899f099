"""What the diagnostics of a night come to: plain values for accuracy.json, and sentences for reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rtm_pipeline.evaluation.backtest_spec import Backtest
from rtm_pipeline.evaluation.calibration import GroupTotal
from rtm_pipeline.evaluation.reporting import ReportingRates
from rtm_pipeline.evaluation.sensitivity import Variant

__all__ = ["diagnostics_json", "findings", "reporting_json"]

_SHARE = 0.05


def diagnostics_json(judged: Backtest) -> dict[str, object]:
    """The keys that the diagnostics of a judged forecast add to accuracy.json; none where nothing could be judged."""
    found: dict[str, object] = {
        "newest_input": None if judged.newest_input is None else judged.newest_input.isoformat()
    }
    if judged.calibration is not None:
        found["calibration"] = judged.calibration.as_json()
    if judged.residual_moran is not None:
        moran = judged.residual_moran
        found["residual_moran"] = {
            "statistic": moran.statistic,
            "expectation": moran.expectation,
            "z": moran.z,
            "p_normal": moran.p_normal,
            "p_permutation": moran.p_permutation,
            "neighbors": "queen",
        }
    found["cross_validation"] = [item.as_json() for item in judged.cross_validation]
    found["area_totals"] = {level: _totals(totals) for level, totals in judged.group_totals.items()}
    found["disparity"] = {
        level: {
            "share": item.share,
            "level": item.level,
            "miscalibrated": list(item.miscalibrated),
            "groups": item.as_rows(),
        }
        for level, item in judged.disparity.items()
    }
    return found


def _totals(totals: Sequence[GroupTotal]) -> dict[str, object]:
    return {
        "areas": len(totals),
        "covered": sum(total.covered for total in totals),
        "interval_level": 0.90,
    }


def reporting_json(rates: ReportingRates, areas: Sequence[str]) -> dict[str, object]:
    """Plain values of one layer's reporting rates."""
    return {
        "incidents": int(rates.incidents.sum()),
        "repeats": int(rates.repeats.sum()),
        "corrected": rates.corrected,
        "differs": rates.differs,
        "p_value": rates.p_value,
        "spread": rates.spread,
        "reason": rates.reason,
        "lifetime_days": rates.lifetime_days,
        "areas": [
            {
                "area": name,
                "incidents": int(rates.incidents[at]),
                "reports_per_month": float(rates.rate_per_day[at] * 30.0),
                "weight": float(rates.weight[at]),
            }
            for at, name in enumerate(areas)
            if rates.incidents[at] > 0
        ],
    }


def findings(
    judged: Backtest, variants: Sequence[Variant], reporting: Mapping[str, ReportingRates], level: str | None
) -> tuple[str, ...]:
    """What the diagnostics say, in sentences that name no small area: for reports and the model card.

    Parameters
    ----------
    judged : Backtest
    variants : sequence of Variant
    reporting : mapping of str to ReportingRates
        By name of the layer, for people.
    level : str, optional
        The areas that reporting was compared between, in words.
    """
    found = [_total_sentence(name, totals) for name, totals in judged.group_totals.items() if totals]
    for name, item in judged.disparity.items():
        judged_groups = [group for group in item.groups if group.ratio is not None]
        if judged_groups:
            found.append(
                f"By {_words(name)}, {len(item.miscalibrated)} of {len(judged_groups)} with enough incidents had "
                "clearly more or fewer than the forecast said, against what is typical (95 % joint interval)."
            )
    found += [_variant_sentence(variant) for variant in variants]
    found += [_reporting_sentence(name, rates, level) for name, rates in reporting.items()]
    return tuple(found)


def _total_sentence(name: str, totals: Sequence[GroupTotal]) -> str:
    covered = sum(total.covered for total in totals)
    share = f"{covered} ({covered / len(totals):.0%})"
    return f"Of {len(totals)} {_words(name)}, {share} had a total within the 90 % interval of the forecast."


def _variant_sentence(variant: Variant) -> str:
    parts = []
    for surface, item in (("forecast", variant.forecast), ("risk terrain", variant.terrain)):
        if item is not None:
            parts.append(
                f"{item.overlap:.0%} of the top {item.share:.0%} of the {surface} stay (rank correlation "
                f"{item.rank_correlation:.2f})"
            )
    if variant.reason is not None:
        parts.append(f"no risk terrain: {variant.reason}")
    count = f"{len(variant.changed)} factor" + ("" if len(variant.changed) == 1 else "s")
    text = f"Made {variant.what} ({count}): {'; '.join(parts)}."
    if variant.shifts:
        most = variant.shifts[0]
        text += (
            f" The largest change of an area's part of the priority area is from {most.published:.1%} to "
            f"{most.variant:.1%}."
        )
    return text + _accuracy_sentence(variant)


def _accuracy_sentence(variant: Variant) -> str:
    """What the variant would have caught, beside what the published way caught, in its top 5 % of cells."""
    if variant.accuracy is None:
        return ""
    parts = [
        f"the {surface} {theirs:.1%} of incidents (as published {ours:.1%})"
        for surface, item in (("forecast", variant.accuracy.forecast), ("risk terrain", variant.accuracy.terrain))
        if item is not None
        for ours, theirs in (item.at(_SHARE),)
    ]
    return f" Judged on what came, its top {_SHARE:.0%} would have caught by {' and by '.join(parts)}." if parts else ""


def _reporting_sentence(name: str, rates: ReportingRates, level: str | None) -> str:
    if not rates.corrected:
        return f"How fast {name} are reported could not be told: {rates.reason}."
    where = f" between {_words(level)}" if level else ""
    if not rates.differs:
        return f"{name[:1].upper()}{name[1:]} are reported about equally fast{where} ({rates.reason})."
    return (
        f"{name[:1].upper()}{name[1:]} are reported up to {rates.spread:.1f} times as fast{where} ({rates.reason}): "
        "nearness to them also measures who reports."
    )


def _words(name: str | None) -> str:
    return (name or "areas").replace("_", " ")
