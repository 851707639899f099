"""Cut-offs one after another, and what they come to."""

from __future__ import annotations

import json
import math
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from rtm_pipeline.errors import ConfigError
from rtm_pipeline.orchestration.studies.rolling import earlier_cutoffs, rolling_text, write_rolling
from rtm_pipeline.units import Duration


def judged(cutoff: str, ratio: float | None, verdict: str) -> dict[str, Any]:
    return {
        "cutoff": cutoff,
        "n_events": None if ratio is None else 1234,
        "baseline_chosen": "counts_decayed",
        "verdict": verdict,
        "difference": {} if ratio is None else {"0.05": {"hit_ratio": ratio, "low": None, "high": None}},
        "mean_log_ratio": {"value": None if ratio is None else math.log(ratio), "low": None, "high": None},
    }


def test_cutoffs_go_back_step_by_step():
    assert earlier_cutoffs(date(2019, 1, 1), 3, Duration(1, "y")) == (
        date(2017, 1, 1),
        date(2018, 1, 1),
        date(2019, 1, 1),
    )
    assert earlier_cutoffs(date(2019, 3, 31), 2, Duration(1, "mo")) == (date(2019, 2, 28), date(2019, 3, 31))
    assert earlier_cutoffs(date(2019, 3, 31), 1, Duration(3, "d")) == (date(2019, 3, 31),)
    with pytest.raises(ConfigError, match="longer than nothing"):
        earlier_cutoffs(date(2019, 3, 31), 2, Duration(0, "d"))


def test_what_they_come_to(tmp_path: Path):
    found = [
        judged("2017-01-01", None, "not_judged"),
        judged("2018-01-01", 1.21, "better"),
        judged("2019-01-01", 1.0, "not_better"),
    ]
    write_rolling(tmp_path / "rolling.json", found)
    summary = json.loads((tmp_path / "rolling.json").read_text())["summary"]
    assert (summary["cutoffs"], summary["judged"], summary["better"], summary["ahead"]) == (3, 2, 1, 1)
    assert summary["hit_ratio"]["0.05"] == pytest.approx(1.1)
    text = rolling_text(found)
    assert "better at 1 of 2" in text
    assert "  1.100" in text.splitlines()[-1]
    assert "not_judged" in text


def test_nothing_judged_is_told():
    assert "2017-01-01" in rolling_text([judged("2017-01-01", None, "not_judged")])
