"""What the judgement of a night promises: nothing later entered, and a forecast that is not better may be stopped."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pytest
from support.city import ROOT

from rtm_pipeline.config.load import find_config, load_config
from rtm_pipeline.orchestration.steps.evaluation import _checks, evaluation_steps
from rtm_pipeline.orchestration.steps.factors import vintages_of
from rtm_pipeline.units import Duration

VINTAGES = vintages_of(load_config(find_config("demo_city", ROOT / "configs")).city, date(2024, 1, 1), Duration(0, "d"))


@dataclass(frozen=True)
class Judgement:
    """As much of an accuracy as the checks read."""

    verdict: str
    reason: str | None = None
    baseline_chosen: str = "counts_decayed"
    not_judged: str | None = None

    def as_json(self) -> dict[str, Any]:
        return {"verdict_reason": self.reason}


@dataclass(frozen=True)
class Judged:
    accuracy: Judgement
    newest_input: date | None


def reports(verdict: str, newest: date | None, reason: str | None = None) -> dict[str, Any]:
    found = _checks(Judged(Judgement(verdict, reason), newest), VINTAGES)  # type: ignore[arg-type]
    return {report.name: report for report in found}


def test_an_input_later_than_the_cutoff_is_caught():
    assert reports("better", VINTAGES.cutoff)["nothing_later_than_the_cutoff"].passed
    assert reports("better", None)["nothing_later_than_the_cutoff"].passed
    late = reports("better", VINTAGES.cutoff + timedelta(days=1))["nothing_later_than_the_cutoff"]
    assert not late.passed
    assert "known_at is wrong" in late.message


@pytest.mark.parametrize(("verdict", "passed"), [("better", True), ("not_better", False), ("not_judged", True)])
def test_only_not_better_fails_the_check(verdict: str, passed: bool):
    found = reports(verdict, None, "over all shares it caught 1.01 times")["beats_the_best_baseline"]
    assert found.passed is passed
    assert verdict == "better" or "1.01 times" in found.message


@pytest.mark.parametrize("blocks", [True, False])
def test_blocking_is_a_choice(blocks: bool):
    changes = [f"forecast.block_if_not_better={str(blocks).lower()}"]
    city = load_config(find_config("demo_city", ROOT / "configs"), changes).city
    (step,) = evaluation_steps(city)
    assert step.checks["beats_the_best_baseline"].blocking is blocks
    assert step.checks["nothing_later_than_the_cutoff"].blocking
