"""Registers, plans, zones and accepted evidence: kept, checked, and read as they stood before a day."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from rtm_pipeline.config.load import load_config
from rtm_pipeline.errors import ConfigError, SchemaError
from rtm_pipeline.orchestration.registers.history import CityHistory, KeptDraw, KeptPlan
from rtm_pipeline.orchestration.steps.registers import read_registers, registry_of
from rtm_pipeline.priorities.plans.plan import PlanSite, StatusEntry, freeze
from rtm_pipeline.priorities.portfolio.funding_line import draw_line

ROOT = Path(__file__).parents[3]
CITY = load_config(ROOT / "configs" / "demo_city.yaml").city
DATA = ROOT / "data" / "demo_city"
DAY = date(2023, 6, 1)


def a_plan(day: date = date(2023, 3, 1)) -> KeptPlan:
    sites = [
        PlanSite(f"s{i}", i, "greening", 10.0 * i, 5.0, 2140.0, 3.0, 0.1, 0.0, 0.2, "greening_shootings", "n", "d")
        for i in (1, 2, 3)
    ]
    drawn = draw_line(["s2", "s3"], np.array([1.0, 1.0]), np.array([1.0, 1.0]), np.array([True, False]), seed=4)
    plan = freeze(sites, city="demo_city", run_id="r", frozen_on=day, radius_u=500.0)
    return KeptPlan(plan, 7.5, (), (KeptDraw("greening", drawn, ((20.0, 5.0), (30.0, 5.0))),))


@pytest.fixture
def history(tmp_path: Path) -> CityHistory:
    return CityHistory(tmp_path, "demo_city")


def test_a_plan_is_kept_with_its_draw_and_never_rewritten(history: CityHistory) -> None:
    kept = a_plan()
    path = history.keep_plan(kept)
    before = path.read_bytes()
    assert history.plans() == (kept,)
    history.keep_plan(kept)
    history.add_status(kept, StatusEntry(kept.plan.plan_id, "s1", "ordered", date(2023, 4, 1), "Ann"))
    assert path.read_bytes() == before
    (again,) = history.plans()
    assert [entry.status for entry in again.log] == ["ordered"]
    with pytest.raises(ConfigError, match="ordered already"):
        history.add_status(again, StatusEntry(kept.plan.plan_id, "s1", "inspected", date(2023, 4, 2), "Ann"))
    document = json.loads(before)
    document["rows"][0]["cost_usd"] = 1.0
    path.write_text(json.dumps(document))
    with pytest.raises(SchemaError, match=f"{path.name}: .* was changed after it was frozen"):
        history.plans()


def test_a_bad_row_of_a_status_file_is_named(history: CityHistory) -> None:
    kept = a_plan()
    history.keep_plan(kept)
    file = history.status_file(kept.plan.plan_id)
    file.write_text("site,status,date,by,note\ns1,inspected,2023-04-01,Ann,\ns9,done,2023-04-02,Ann,\n")
    with pytest.raises(ConfigError, match=f"{file.name}, row 2: .*s9: the site is not in the plan"):
        history.plans()
    file.write_text("site,status,date,by,note\ns1,inspected,1 April,Ann,\n")
    with pytest.raises(ConfigError, match="row 1: dates are written"):
        history.plans()


def test_zones_of_a_run_are_logged_once(history: CityHistory) -> None:
    row = {"run_id": "a", "zone": 1, "period_start": "2023-05-01", "current": True}
    history.log_zones([row])
    history.log_zones([row])
    history.log_zones([{**row, "run_id": "b", "current": False}])
    assert [one["run_id"] for one in history.zones()] == ["a", "b"]
    found = read_registers(CITY, DAY, DATA, history.folder.parents[1])
    assert [one["run_id"] for one in found.zones] == ["a"]  # what was not current binds nobody
    assert read_registers(CITY, date(2023, 5, 1), DATA, history.folder.parents[1]).zones == ()
    history.zones_file.write_text("{}\nnothing\n")
    with pytest.raises(SchemaError, match="row 2"):
        history.zones()


def test_a_night_reads_what_was_entered_before_its_day(history: CityHistory) -> None:
    output = history.folder.parents[1]
    kept = a_plan()
    history.keep_plan(kept)
    history.keep_plan(a_plan(DAY))
    for status, day in (("ordered", date(2023, 4, 1)), ("done", date(2023, 4, 10))):
        (now, *_) = history.plans()
        history.add_status(now, StatusEntry(kept.plan.plan_id, "s1", status, day, "Ann"))
    history.corrections_file.write_text(
        "site,status,who,date,expiry\na,garden,Ann,2023-05-31,\nb,permit,Ann,2023-06-02,\n"
    )
    history.treated_file.write_text(
        "site,program,started,ended,x,y\nc,mowing,2023-05-01,,1,2\nd,mowing,2023-06-01,,1,2\n"
    )
    found = read_registers(CITY, DAY, DATA, output)
    assert [row.site_id for row in found.corrections] == ["a"]
    assert [kept.plan.frozen_on for kept in found.plans] == [date(2023, 3, 1)]
    done = {row.site_id: row for row in found.treated}
    assert set(done) == {"c", "s1"}
    assert (done["s1"].program, done["s1"].started, done["s1"].ended) == (
        "greening",
        date(2023, 4, 1),
        date(2023, 4, 11),
    )
    earlier = read_registers(CITY, date(2023, 4, 5), DATA, output)
    assert earlier.treated == ()
    assert [entry.status for entry in earlier.plans[0].log] == ["ordered"]
    assert found.digests().keys() == {"corrections", "treated", "plans", "poverty"}
    assert found.digests() == read_registers(CITY, DAY, DATA, output).digests()
    history.corrections_file.write_text("site,status,who,date,expiry\na,unsafe,Ann,2023-05-31,\n")
    changed = read_registers(CITY, DAY, DATA, output).digests()
    assert {name for name in changed if changed[name] != found.digests()[name]} == {"corrections"}


def test_files_that_the_configuration_names_have_to_be_there(history: CityHistory, tmp_path: Path) -> None:
    assert CITY.programs is not None
    for key in ("corrections", "treated"):
        city = replace(CITY, programs=replace(CITY.programs, **{key: "lists/mine.csv"}))
        with pytest.raises(ConfigError, match=f"programs.{key}: there is no file lists/mine.csv"):
            read_registers(city, DAY, DATA, tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,rate\nA,10\n", "has no column nbhd_name, poverty_pct"),
        ("nbhd_name,poverty_pct\nA,10\nB,many\n", "row 2: poverty_pct must be a number; found 'many'"),
        ("nbhd_name,poverty_pct\nA,130\n", "row 1: a rate of poverty lies between 0 and 1"),
    ],
)
def test_a_table_of_poverty_that_makes_no_sense_is_told(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "neighborhood_poverty.csv").write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_registers(CITY, DAY, tmp_path, tmp_path)


def test_accepted_evidence_lies_over_the_registry(history: CityHistory) -> None:
    row = {
        "intervention": "greening",
        "target": "lot",
        "study": "demo",
        "design": "matched controls",
        "setting": "demo",
        "unit": "circles",
        "outcome": "gun assaults",
        "reads": "firearm",
        "source": "register",
        "relative_change": -0.2,
        "low": -0.3,
        "high": -0.1,
        "interval": "published",
    }
    history.accept({"effects": {"demo_greening_2022": row}})
    history.accept({"defaults": {"greening": {"effect": "demo_greening_2022"}}})
    found = read_registers(CITY, DAY, DATA, history.folder.parents[1])
    registry = registry_of(CITY, found)
    assert registry.reduction("demo_greening_2022") == pytest.approx(0.2)
    assert registry.defaults["greening"].effect == "demo_greening_2022"
    assert registry.cost("repair_riverbend").build_usd == 4000  # the configuration's entries stay
    assert "evidence" in found.digests()
    history.evidence_file.write_text("[1]")
    with pytest.raises(SchemaError, match="must hold a JSON object"):
        history.evidence()
