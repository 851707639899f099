"""Backtests at cut-offs one after another: one lucky year is no proof.

The last cut-off is a whole run with a release. For those before it the same steps are made anew as of their own date,
from the layers of that run: what was known later is left out by the same functions as always.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from rtm_pipeline.errors import ConfigError
from rtm_pipeline.orchestration.run import RunReport
from rtm_pipeline.orchestration.steps.evaluation import EVALUATION
from rtm_pipeline.orchestration.steps.factors import VINTAGES
from rtm_pipeline.orchestration.steps.model import factor_inputs
from rtm_pipeline.orchestration.studies.remaking import remade
from rtm_pipeline.storage.atomic import write_atomic
from rtm_pipeline.units import Duration

__all__ = ["earlier_cutoffs", "rolling_accuracy", "rolling_text", "write_rolling"]


def earlier_cutoffs(last: date, count: int, step: Duration) -> tuple[date, ...]:
    """``count`` cut-offs in order, each a ``step`` before the next, the last of them ``last``.

    Raises
    ------
    ConfigError
        Fewer than one, or a step of nothing.
    """
    if count < 1 or step.is_zero:
        raise ConfigError(f"--rolling must be at least 1 and --step longer than nothing; found {count} and {step}.")
    found = [last]
    while len(found) < count:
        found.append(step.before(found[-1]))
    return tuple(reversed(found))


def rolling_accuracy(report: RunReport, cutoffs: Sequence[date], data_dir: Path, output: Path) -> list[dict[str, Any]]:
    """accuracy.json of every cut-off, in order.

    Parameters
    ----------
    report : RunReport
        Of the backtest at the last cut-off.
    cutoffs : sequence of date
        Ascending; the last is the report's.
    data_dir, output : Path
        As of the report's run.
    """
    settings = report.value("settings")
    wanted = (VINTAGES, *factor_inputs(settings.city), EVALUATION)
    found = []
    for cutoff in cutoffs[:-1]:
        made = remade(settings, cutoff, wanted, report.value, data_dir=data_dir, output=output)
        found.append(made[EVALUATION].accuracy.as_json())
    return [*found, report.value(EVALUATION).accuracy.as_json()]


def write_rolling(path: Path, accuracies: Sequence[Mapping[str, Any]]) -> None:
    """All judgements and what they come to, as JSON."""
    text = json.dumps({"cutoffs": list(accuracies), "summary": _summary(accuracies)}, indent=2, allow_nan=False)
    write_atomic(path, text.encode())


def _summary(accuracies: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Over the cut-offs that were judged: verdicts, and mean ratios of hits to the chosen rule."""
    judged = [item for item in accuracies if item["verdict"] != "not_judged"]
    shares: dict[str, list[float]] = {}
    for item in judged:
        for share, difference in item["difference"].items():
            if difference["hit_ratio"]:
                shares.setdefault(share, []).append(math.log(difference["hit_ratio"]))
    logs = [item["mean_log_ratio"]["value"] for item in judged if item["mean_log_ratio"]["value"] is not None]
    return {
        "cutoffs": len(accuracies),
        "judged": len(judged),
        "better": sum(item["verdict"] == "better" for item in judged),
        "ahead": sum(value > 0 for value in logs),
        "mean_log_ratio": sum(logs) / len(logs) if logs else None,
        "hit_ratio": {share: math.exp(sum(values) / len(values)) for share, values in shares.items()},
    }


def rolling_text(accuracies: Sequence[Mapping[str, Any]]) -> str:
    """A line a cut-off for people: ratio of hits to the chosen rule at each share."""
    summary = _summary(accuracies)
    shares = list(summary["hit_ratio"])
    lines = [
        "incidents caught over those of the best simple rule, at share of cells",
        f"  {'cut-off':<12}{'incidents':>10}  {'rule to beat':<16}"
        + "".join(f"{float(share):>7.1%}" for share in shares)
        + "   verdict",
    ]
    for item in accuracies:
        events = "-" if item["n_events"] is None else f"{item['n_events']:,}"
        cells = "".join(_ratio(item["difference"].get(share)) for share in shares)
        lines.append(f"  {item['cutoff']:<12}{events:>10}  {item['baseline_chosen']:<16}{cells}   {item['verdict']}")
    if shares:
        means = "".join(f"{summary['hit_ratio'][share]:>7.3f}" for share in shares)
        lines.append(f"  {'mean':<12}{'':>10}  {'':<16}{means}   better at {summary['better']} of {summary['judged']}")
    return "\n".join(lines)


def _ratio(difference: Mapping[str, Any] | None) -> str:
    value = None if difference is None else difference["hit_ratio"]
    return f"{'-':>7}" if value is None else f"{value:>7.3f}"
