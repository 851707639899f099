"""The short account that a run prints at its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rtm_pipeline.orchestration.run import RunReport
from rtm_pipeline.orchestration.steps.evaluation import EVALUATION
from rtm_pipeline.orchestration.steps.ingest import layer_step
from rtm_pipeline.orchestration.steps.model import TERRAIN
from rtm_pipeline.orchestration.steps.release import RELEASE

__all__ = ["accuracy_text", "summary_of", "summary_text"]


def summary_of(report: RunReport) -> dict[str, Any]:
    """Rows used and set aside, the model, and where the release lies, as JSON values."""
    settings = report.value("settings")
    terrain = report.value(TERRAIN).fit.terrain
    release = report.value(RELEASE)
    layers = {}
    for name in settings.city.layers:
        counts = report.value(layer_step(name)).counts
        layers[name] = {
            "read": counts.read,
            "kept": counts.kept,
            "filtered": counts.filtered,
            "duplicate": counts.duplicate,
            "quarantined": sum(counts.quarantined.values()),
        }
    return {
        "city": settings.city.label,
        "as_of": settings.as_of.isoformat(),
        "run_id": release.run_id,
        "release": release.path,
        "current": release.promoted,
        "why_not_current": release.why_not,
        "reused": release.reused,
        "layers": layers,
        "accuracy": report.value(EVALUATION).accuracy.as_json(),
        "model": {
            "family": terrain.family,
            "bic": terrain.bic,
            "n_cells": terrain.n_cells,
            "n_events": terrain.n_events,
            "terms": [
                {
                    "variable": term.variable.name,
                    "rrv": term.rrv,
                    "rrv_low": term.rrv_low,
                    "rrv_high": term.rrv_high,
                    "selection_frequency": term.selection_frequency,
                }
                for term in terrain.terms
            ],
        },
    }


def summary_text(facts: Mapping[str, Any]) -> str:
    """The same for people."""
    width = max(14, *map(len, facts["layers"]))
    lines = [
        f"{facts['city']}, as of {facts['as_of']}",
        "",
        f"  {'rows':<{width}}   read     kept  filtered  duplicate  quarantined",
    ]
    for name, counts in facts["layers"].items():
        numbers = [counts[key] for key in ("read", "kept", "filtered", "duplicate", "quarantined")]
        lines.append(f"  {name:<{width}}" + "{:>7,}  {:>7,}   {:>7,}    {:>7,}      {:>7,}".format(*numbers))
    model = facts["model"]
    lines += ["", f"  model: {model['family']}, {model['n_events']:,} incidents in {model['n_cells']:,} cells"]
    for term in model["terms"]:
        low, high = term["rrv_low"], term["rrv_high"]
        interval = f"  ({low:.2f} to {high:.2f})" if low is not None and high is not None else ""
        lines.append(f"    {term['variable']:<44} RRV {term['rrv']:5.2f}{interval}")
    if not model["terms"]:
        lines.append("    no factor was selected: nothing in these layers explains the outcome")
    lines += ["", *("  " + line for line in accuracy_text(facts["accuracy"]).splitlines())]
    state = "current" if facts["current"] else f"not current: {facts['why_not_current']}"
    lines += ["", f"  release ({state}):", f"    {facts['release']}", f"    the map: {facts['release']}/public/map.png"]
    return "\n".join(lines)


def accuracy_text(accuracy: Mapping[str, Any]) -> str:
    """How good the surfaces were on the judged period, beside the simple rules."""
    words = {
        "better": "better than",
        "not_better": "not better than",
        "not_judged": "not judged against",
    }[accuracy["verdict"]]
    rule = accuracy["baseline_chosen"]
    if accuracy["horizon"] is None or accuracy["n_events"] is None:
        return f"accuracy: not judged: {accuracy['verdict_reason']}"
    lines = [
        f"accuracy on [{accuracy['horizon'][0]}, {accuracy['horizon'][1]}), {accuracy['n_events']:,} incidents: "
        f"the forecast is {words} {rule}",
    ]
    if accuracy["verdict_reason"]:
        lines.append(f"  ({accuracy['verdict_reason']})")
    shares = ["0.005", "0.01", "0.02", "0.05", "0.1", "0.2"]
    lines.append("  PAI at share of cells " + "".join(f"{float(share):>8.1%}" for share in shares))
    for name, surface in accuracy["surfaces"].items():
        if surface is None:
            lines.append(f"  {name:<21} {accuracy['missing'].get(name, 'not made')}")
            continue
        cells = "".join(f"{surface['pai'][s]['expected']:>8.2f}" if surface["pai"][s] else "       -" for s in shares)
        lines.append(f"  {name:<21}{cells}")
    return "\n".join(lines)
