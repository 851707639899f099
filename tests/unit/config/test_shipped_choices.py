"""The choices that the configurations show behind a # are choices that work."""

from __future__ import annotations

import re
from pathlib import Path

from support.city import ROOT

from rtm_pipeline.config.load import load_config

OFFERED = re.compile(r"^(    )# (?=(?:  )?(?:bundles|crew_days|must|must_not|shares|- )[:\s{])", re.M)


def test_what_a_budget_may_say_is_understood(tmp_path: Path) -> None:
    text = (ROOT / "configs" / "st_louis_2018.yaml").read_text()
    changed, count = OFFERED.subn(r"\1", text)
    assert count == 7
    (tmp_path / "st_louis.yaml").write_text(changed)
    city = load_config(tmp_path / "st_louis.yaml").city
    assert city.programs is not None
    budget = city.programs.spec.budget
    assert budget is not None
    assert budget.bundles is not None
    assert budget.bundles.side_u == 400.0
    assert dict(budget.crew_days) == {"mowing": 200.0}
    assert (budget.must, budget.must_not) == (("15489000150",), ("11592000110",))
    assert [(share.minimum, share.maximum) for share in budget.shares] == [(0.05, 1.0), (0.0, 0.05)]
