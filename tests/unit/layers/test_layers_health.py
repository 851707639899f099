"""A source that went quiet, shrank, changed words, moved or piles up is doubted: what changed, and since when."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from rtm_pipeline.layers.conditions import Condition, Filter
from rtm_pipeline.layers.health import HealthFinding, baseline, judge_layer, judge_source
from rtm_pipeline.layers.health_facts import layer_facts, source_facts, vocabulary_of
from rtm_pipeline.layers.health_rules import HealthRules
from rtm_pipeline.layers.layer import Layer, LayerCounts, LayerResult
from rtm_pipeline.layers.spec import DateSpec, GeometrySpec, LayerSpec
from rtm_pipeline.sources.snapshots.snapshot import Snapshot
from rtm_pipeline.sources.source_read import FileRead
from rtm_pipeline.units import Duration

NIGHT = date(2026, 6, 1)
SPEC = LayerSpec(
    "crime",
    "police",
    "events",
    GeometrySpec("xy", ("x", "y"), "EPSG:26915"),
    date=DateSpec("when"),
    where=Filter(((Condition("code", isin=("A", "B")), Condition("amount", minimum=1.0)),)),
)
Change = Callable[["Rows"], None]


class Rows:
    """Made rows of a feed: one a day for three years, anywhere in a city of 10 by 10 km."""

    def __init__(self, until: date = NIGHT, seed: int = 3) -> None:
        rng = np.random.default_rng(seed)
        n = 1200
        # The same rows on every night; a later night has more of them.
        first = np.datetime64("2023-05-01")
        self.day = first + np.arange(n)
        self.x, self.y = rng.uniform(0, 10_000, n), rng.uniform(0, 10_000, n)
        self.code = np.where(rng.random(n) < 0.7, "A", "B").astype(object)
        self.keep(self.day < np.datetime64(until))

    def keep(self, rows: Any) -> None:
        self.day, self.x, self.y, self.code = self.day[rows], self.x[rows], self.y[rows], self.code[rows]

    def facts(self, as_of: date, unit_m: float = 1.0) -> dict[str, Any]:
        n = self.x.size
        kept = np.isin(self.code, ["A", "B"])
        stamp = self.day.astype("datetime64[s]")
        layer = Layer(
            "crime", "events", "resident", "EPSG:26915", self.x[kept] / unit_m, self.y[kept] / unit_m, None,
            stamp[kept], stamp[kept], np.full(kept.sum(), np.datetime64("NaT", "s")), np.full(kept.sum(), -1, np.int16),
            (), np.arange(kept.sum()), {}, pa.table({}),
        )  # fmt: skip
        result = LayerResult(layer, LayerCounts(n, int(kept.sum()), n - int(kept.sum()), 0), pa.table({}))
        values = vocabulary_of(SPEC, pa.table({"code": pa.array(self.code), "amount": ["1"] * n}))
        return layer_facts(SPEC, result, values, as_of, unit_m)


def record(rows: Rows, night: date, findings: tuple[HealthFinding, ...] = ()) -> dict[str, Any]:
    return {
        "as_of": night.isoformat(),
        "rows": rows.x.size,
        "files": {"a": rows.x.size},
        "headers": ["code", "when", "x", "y"],
        "layers": {"crime": rows.facts(night)},
        "findings": [finding.to_json() for finding in findings],
    }


def nights(n: int = 5) -> list[dict[str, Any]]:
    days = [NIGHT - timedelta(days=n - i) for i in range(n)]
    return [record(Rows(day), day) for day in days]


def judged(change: Change | None = None, rules: HealthRules | None = None, **more: Any) -> list[HealthFinding]:
    rows = Rows(**more)
    if change:
        change(rows)
    rules = rules or HealthRules()
    usual = baseline(nights(), NIGHT, rules)
    return judge_layer("police", "crime", rows.facts(NIGHT), usual, rules, NIGHT)


def went_quiet(rows: Rows) -> None:
    rows.keep(rows.day < np.datetime64("2026-05-10"))


def shrank(rows: Rows) -> None:
    rows.keep(np.arange(rows.x.size) % 20 > 8)  # by 45 %, spread over all days


def changed_words(rows: Rows) -> None:
    rows.code[(rows.code == "B") & (np.arange(rows.x.size) % 20 > 0)] = "B-new"


def moved(rows: Rows) -> None:
    rows.x += 3_000


def one_edge_moved(rows: Rows) -> None:
    east = rows.x > 9_000
    rows.x[east] += 8_000


def piled(rows: Rows) -> None:
    rows.x[::10], rows.y[::10] = 5_000.0, 5_000.0


CASES: list[tuple[Change, str, str, str]] = [
    (went_quiet, "quiet", "warn", "23 days old, where rows come every 1 days"),
    (shrank, "shrank", "block", "usable rows where"),
    (changed_words, "vocabulary", "warn", "new values of code: 'B-new'; gone values of code: 'B'"),
    (moved, "moved", "block", "the middle of its points lies 3,0"),
    (one_edge_moved, "moved", "block", "north-east edge"),
    (piled, "piled", "warn", "(10.0%) stand on one point, where 0.1% were usual"),
]


@pytest.mark.parametrize(("change", "kind", "level", "words"), CASES, ids=[case[0].__name__ for case in CASES])
def test_each_change_is_found(change: Change, kind: str, level: str, words: str) -> None:
    found = judged(change)
    mine = next(finding for finding in found if finding.kind == kind)
    assert mine.level == level
    assert words in mine.message
    assert mine.since == (date(2026, 5, 10) if kind == "quiet" else NIGHT)
    assert judged(change, HealthRules(**{kind: "off"})) == [other for other in found if other.kind != kind]


def test_an_ordinary_night_is_not_doubted() -> None:
    assert judged() == []
    assert judge_layer("police", "crime", Rows().facts(NIGHT), [], HealthRules(), NIGHT) == []


@pytest.mark.parametrize("seed", range(5))
def test_other_rows_of_the_same_city_are_not_taken_for_a_move(seed: int) -> None:
    assert not [finding for finding in judged(seed=10 + seed) if finding.kind == "moved"]


def test_places_are_told_in_meters_whatever_the_unit() -> None:
    feet = Rows().facts(NIGHT, unit_m=0.3048)
    assert feet["place"] == Rows().facts(NIGHT)["place"]


def test_what_is_quiet_may_be_said_in_days() -> None:
    rules = HealthRules(quiet_after=Duration(60, "d"))
    assert judged(went_quiet, rules) == []
    (found,) = judged(went_quiet, HealthRules(quiet_after=Duration(3, "d"), quiet="block"))
    assert found.level == "block"
    assert "23 days old; 3d is the most" in found.message


def test_a_late_feed_is_judged_by_how_late_it_usually_is() -> None:
    late = [record(Rows(day - timedelta(days=12)), day) for day in (NIGHT - timedelta(days=i) for i in (3, 2, 1))]
    rows = Rows(NIGHT - timedelta(days=12))
    assert judge_layer("police", "crime", rows.facts(NIGHT), late, HealthRules(), NIGHT) == []
    assert [f.kind for f in judge_layer("police", "crime", rows.facts(NIGHT), [], HealthRules(), NIGHT)] == ["quiet"]


def test_blocked_nights_and_those_before_an_acceptance_are_not_usual() -> None:
    records = nights()
    bad = HealthFinding("police", None, "shrank", "block", "x", NIGHT)
    records[-1] = {**records[-1], "findings": [bad.to_json()]}
    assert [r["as_of"] for r in baseline(records, NIGHT, HealthRules())] == [r["as_of"] for r in records[:-1]]
    accepted = HealthRules(accepted=date(2026, 5, 30))
    assert [r["as_of"] for r in baseline(records, NIGHT, accepted)] == ["2026-05-30"]
    assert baseline(records, date(2026, 5, 27), HealthRules()) == []  # a past night is not judged by later ones


def test_a_source_that_shrank_or_has_other_columns() -> None:
    usual = nights()
    facts = {key: copy.deepcopy(usual[-1][key]) for key in ("rows", "files", "headers")}
    assert judge_source("police", facts, usual, HealthRules(), NIGHT) == []
    (found,) = judge_source("police", {**facts, "rows": 600}, usual, HealthRules(), NIGHT)
    assert (found.kind, found.level) == ("shrank", "block")
    assert "600 rows where 1,1" in found.message
    assert judge_source("police", {**facts, "rows": 700}, usual, HealthRules(shrink_share=0.5), NIGHT) == []
    (found,) = judge_source("police", {**facts, "headers": ["code", "day", "x", "y"]}, usual, HealthRules(), NIGHT)
    assert found.message == "new columns: 'day'; gone columns: 'when'"


def test_one_data_set_of_several_that_emptied_is_named() -> None:
    usual = [{**one, "files": {"2022": 200, "2023": 900}} for one in nights()]
    facts = {"rows": usual[-1]["rows"] - 200, "files": {"2022": 0, "2023": 900}, "headers": usual[-1]["headers"]}
    (found,) = judge_source("police", facts, usual, HealthRules(), NIGHT)
    assert found.message == "2022 has 0 rows where 200 were"


def test_what_is_remembered_holds_no_rare_value_and_no_number() -> None:
    codes = ["A"] * 9 + ["B"] * 4 + [None]
    table = pa.table({"code": codes, "amount": [str(i) for i in range(14)]})
    assert vocabulary_of(SPEC, table) == {"code": {"A": 9}}
    many = pa.table({"code": [f"c{i // 6}" for i in range(6 * 2_001)], "amount": ["1"] * 6 * 2_001})
    assert vocabulary_of(SPEC, many) == {}


def test_source_facts_have_every_header_once() -> None:
    file = FileRead("f.csv", "0" * 64, 10, 3, renamed=(("when", "date"),), dropped=("race",), absent=("y",))
    snapshot = Snapshot("c", "police", "1" * 64, "t", "t", 3, ("when", "x", "y"), (file,), None, False, (), ("race",))
    assert source_facts(snapshot) == {
        "digest": "1" * 64, "rows": 3, "files": {"f.csv": 3}, "headers": ["date", "race", "x"]
    }  # fmt: skip
