"""The model as plain JSON values: the content of ``model.json``."""

from __future__ import annotations

from typing import Any

from rtm_pipeline.model.engine import RtmFit
from rtm_pipeline.model.screening import Screening
from rtm_pipeline.model.selection import Selection
from rtm_pipeline.model.terrain import FittedTerrain, Term

__all__ = ["model_report"]


def model_report(fit: RtmFit) -> dict[str, Any]:
    """Describe a fit in plain values (dict, list, str, int, float, bool, None; all floats finite).

    Parameters
    ----------
    fit : RtmFit

    Returns
    -------
    dict
        ``family``, ``dispersion``, ``bic``, ``n_cells``, ``n_events``, ``intercept``, ``interval_level``,
        ``screening``, ``terms`` and what else belongs to the model: parametrization, criteria, steps, both
        bootstraps, dropped variables, seeds, notes.
    """
    terrain, spec = fit.terrain, fit.spec
    return {
        "family": terrain.family,
        "dispersion": terrain.dispersion,
        "dispersion_parameter": terrain.dispersion_name,
        "variance": terrain.variance,
        "bic": terrain.bic,
        "aic": terrain.aic,
        "log_likelihood": terrain.log_likelihood,
        "deviance": terrain.deviance,
        "deviance_definition": "-2 log likelihood with all constants",
        "n_parameters": terrain.n_parameters,
        "n_cells": terrain.n_cells,
        "n_events": terrain.n_events,
        "direction": spec.direction,
        "intercept": terrain.intercept,
        "intercept_se": terrain.intercept_se,
        "interval_level": spec.bootstrap.level,
        "screening": _screening(fit.screening, fit),
        "terms": [_term(term) for term in terrain.terms],
        "families": [_selection(selection) for selection in fit.selections],
        "steps": _steps(terrain),
        "bootstraps": _bootstraps(fit),
        "dropped": [{"variable": item.variable, "reason": item.reason} for item in fit.dropped],
        "seed": spec.seed,
        "notes": list(fit.notes),
    }


def _term(term: Term) -> dict[str, Any]:
    variable = term.variable
    return {
        "variable": variable.name,
        "factor": variable.factor,
        "operationalization": variable.operationalization,
        "spatial_influence_m": variable.spatial_influence_m,
        "coefficient": term.coefficient,
        "se": term.se,
        "rrv": term.rrv,
        "rrv_low": term.rrv_low,
        "rrv_high": term.rrv_high,
        "rrv_low_unconditional": term.rrv_low_unconditional,
        "rrv_high_unconditional": term.rrv_high_unconditional,
        "selection_frequency": term.selection_frequency,
    }


def _screening(screening: Screening | None, fit: RtmFit) -> dict[str, Any] | None:
    if screening is None:
        return None
    return {
        "alpha": screening.alpha,
        "folds": screening.folds,
        "fold_kind": fit.spec.fold_kind,
        "penalty": screening.penalty,
        "rule": screening.rule,
        "n_candidates": int(screening.coefficients.size),
        "kept": list(fit.screened),
        "path": [
            {"penalty": float(penalty), "cv_deviance": float(deviance), "cv_se": float(se), "n_nonzero": int(nonzero)}
            for penalty, deviance, se, nonzero in zip(
                screening.penalties, screening.cv_deviance, screening.cv_se, screening.n_nonzero, strict=True
            )
        ],
    }


def _selection(selection: Selection) -> dict[str, Any]:
    return {
        "family": selection.family.name,
        "bic": selection.fit.bic,
        "dispersion": selection.fit.dispersion,
        "log_likelihood": selection.fit.log_likelihood,
        "variables": list(selection.terms),
    }


def _steps(terrain: FittedTerrain) -> list[dict[str, Any]]:
    return [
        {"action": step.action, "variable": step.variable, "bic": step.bic, "log_likelihood": step.log_likelihood}
        for step in terrain.steps
    ]


def _bootstraps(fit: RtmFit) -> dict[str, Any]:
    refits, reselections = fit.refits, fit.reselections
    return {
        "refits": refits
        and {
            "replicates": int(refits.dispersion.size),
            "failed": refits.n_failed,
            "unit": refits.unit,
            "n_units": refits.n_units,
            "interval": "percentile, given the selection",
        },
        "selections": reselections
        and {
            "replicates": len(reselections.selected) + reselections.n_failed,
            "failed": reselections.n_failed,
            "unit": reselections.unit,
            "n_units": reselections.n_units,
            "interval": "percentile; a replicate that does not select the variable contributes an RRV of 1",
            "selection_frequency": reselections.frequencies(),
        },
    }
