"""The short account that a run prints at its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rtm_pipeline.orchestration.run import RunReport
from rtm_pipeline.orchestration.steps_ingest import layer_step
from rtm_pipeline.orchestration.steps_model import TERRAIN
from rtm_pipeline.orchestration.steps_release import RELEASE

__all__ = ["summary_of", "summary_text"]


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
    lines = [
        f"{facts['city']}, as of {facts['as_of']}",
        "",
        "  rows             read     kept  filtered  duplicate  quarantined",
    ]
    for name, counts in facts["layers"].items():
        numbers = [counts[key] for key in ("read", "kept", "filtered", "duplicate", "quarantined")]
        lines.append("  {:<14}{:>7,}  {:>7,}   {:>7,}    {:>7,}      {:>7,}".format(name[:14], *numbers))
    model = facts["model"]
    lines += ["", f"  model: {model['family']}, {model['n_events']:,} incidents in {model['n_cells']:,} cells"]
    for term in model["terms"]:
        low, high = term["rrv_low"], term["rrv_high"]
        interval = f"  ({low:.2f} to {high:.2f})" if low is not None and high is not None else ""
        lines.append(f"    {term['variable']:<44} RRV {term['rrv']:5.2f}{interval}")
    if not model["terms"]:
        lines.append("    no factor was selected: nothing in these layers explains the outcome")
    state = "current" if facts["current"] else f"not current: {facts['why_not_current']}"
    lines += ["", f"  release ({state}):", f"    {facts['release']}", f"    the map: {facts['release']}/public/map.png"]
    return "\n".join(lines)
