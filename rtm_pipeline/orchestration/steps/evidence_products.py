"""What the release carries of the diagnostics: the table of 311, keys of accuracy.json, sentences for reports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rtm_pipeline.config.city import City
from rtm_pipeline.orchestration.steps.evaluation import EVALUATION
from rtm_pipeline.orchestration.steps.evidence import EVIDENCE, Evidence311
from rtm_pipeline.orchestration.steps.sensitivity import SENSITIVITY

if TYPE_CHECKING:
    import pyarrow as pa

    from rtm_pipeline.priorities.columns import Column

__all__ = ["evidence_facts", "evidence_findings", "evidence_table"]


def evidence_table(evidence: Evidence311 | None) -> dict[str, pa.Table]:
    """``evidence_311``: one row a category; nothing where the city has no requests."""
    from rtm_pipeline.evaluation.evidence_311 import evidence_rows
    from rtm_pipeline.priorities.columns import build_table

    if evidence is None or not evidence.categories:
        return {}
    rows = evidence_rows(evidence.categories)
    columns = _columns(evidence)
    return {EVIDENCE: build_table(columns, {column.name: [row[column.name] for row in rows] for column in columns})}


def evidence_facts(inputs: Mapping[str, Any]) -> dict[str, object]:
    """What the diagnostics add to accuracy.json."""
    from rtm_pipeline.evaluation.findings import diagnostics_json, reporting_json

    evidence: Evidence311 | None = inputs.get(EVIDENCE)
    found = diagnostics_json(inputs[EVALUATION])
    found["sensitivity"] = [variant.as_json() for variant in inputs[SENSITIVITY]]
    found["reporting"] = (
        {}
        if evidence is None
        else {name: reporting_json(rates, evidence.areas) for name, rates in evidence.reporting.items()}
    )
    return found


def evidence_findings(city: City, inputs: Mapping[str, Any]) -> tuple[str, ...]:
    """What the diagnostics say, in sentences."""
    from rtm_pipeline.evaluation.findings import findings

    evidence: Evidence311 | None = inputs.get(EVIDENCE)
    reporting = {} if evidence is None else {city.labels[name]: rates for name, rates in evidence.reporting.items()}
    level = None if evidence is None or evidence.level is None else city.labels.get(evidence.level, evidence.level)
    return findings(inputs[EVALUATION], inputs[SENSITIVITY], reporting, level)


def _columns(evidence: Evidence311) -> tuple[Column, ...]:
    from rtm_pipeline.priorities.columns import Column

    basis = "in the time before the outcome window that factors look back"
    found = [
        Column("category", "string", "", "Kind of request."),
        Column("requests", "int", "", f"First reports {basis}; repeats are left out."),
        Column("requests_latest", "int", "", "First reports in the newest time of that length; null if not recorded."),
        Column("requests_before", "int", "", "First reports in the time before that; null if not recorded."),
        Column("change", "float", "", "requests_latest over requests_before, less 1."),
    ]
    for band in evidence.categories[0].bands:
        name, words = f"{band.from_m:.0f}_{band.to_m:.0f}m", f"{band.from_m:.0f} to {band.to_m:.0f} m"
        found += [
            Column(f"incidents_{name}", "int", "incidents", f"Outcome in cells {words} from the nearest request."),
            Column(
                f"rate_ratio_{name}", "float", "", f"Rate of the outcome at {words} over that beyond the last band."
            ),
            Column(f"rate_ratio_low_{name}", "float", "", "Low end of its 90 % interval (spatial blocks)."),
            Column(f"rate_ratio_high_{name}", "float", "", "High end."),
        ]
    return (
        *found,
        Column("selection_frequency", "float", "", "Share of repeated selections that the factor entered."),
        Column("rrv", "float", "", "Relative risk value in the model, beside all other factors; null if not in it."),
        Column("rrv_low", "float", "", "Low end of its interval, given the selection."),
        Column("rrv_high", "float", "", "High end."),
        Column(
            "reports_per_month",
            "float",
            "a month",
            "How often an incident already reported is reported again where these requests are made; null if too few "
            "repeats tell.",
        ),
    )
