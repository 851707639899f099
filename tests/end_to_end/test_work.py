"""From the release of a whole night to work: plans, what-ifs, zones, did it help, and what stays restricted."""

from __future__ import annotations

import html
import json
import re
import shutil
import zlib
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import rasterio
from support.city import Command, Night

from rtm_pipeline.errors import ConfigError, StaleArtifactError
from rtm_pipeline.orchestration.artifacts import ArtifactStore
from rtm_pipeline.orchestration.registers.history import CityHistory
from rtm_pipeline.orchestration.settings import Settings
from rtm_pipeline.orchestration.step import StepContext, StepResult
from rtm_pipeline.orchestration.steps.followup import HELPED, PLAN_SCORES
from rtm_pipeline.orchestration.steps.night import steps_of
from rtm_pipeline.orchestration.steps.priorities import PRIORITIES
from rtm_pipeline.orchestration.steps.program_release import keep_history
from rtm_pipeline.orchestration.steps.registers import REGISTERS, Registers
from rtm_pipeline.orchestration.steps.zones import ZONES
from rtm_pipeline.priorities.eligibility import Correction
from rtm_pipeline.priorities.followup.treated import TreatedRecord
from rtm_pipeline.publication.facts.sites import OWNERS
from rtm_pipeline.publication.facts.words import amount

ADDRESS = re.compile(rb"\b\d{1,5} (?:[NSEW] )?[A-Z][a-z]+ (?:Way|Pl|Ave|St|Rd|Ct|Ln|Dr|Blvd|Ter)\b")
SITE = re.compile(rb"\b(?:\d\d-\d{3}-\d{3}|DB\d\d-\d{5})\b")
STREAM = re.compile(rb"stream\r?\n(.*?)endstream", re.S)


def table(night: Night, name: str) -> Any:
    return pq.read_table(night.release / "restricted" / f"{name}.parquet")


def readable(path: Path) -> bytes:
    """The bytes of a file, the compressed parts of a PDF unpacked."""
    data = path.read_bytes()
    if path.suffix == ".pdf":
        for part in STREAM.findall(data):
            try:
                data += zlib.decompress(part)
            except zlib.error:
                continue
    return data


def test_no_site_no_address_and_no_zone_is_public(demo_night: Night) -> None:
    lots, buildings = table(demo_night, "priority_lots"), table(demo_night, "priority_buildings")
    sites = {str(one).encode() for part in (lots, buildings) for one in part.column("site_id").to_pylist()}
    streets = {str(one).encode() for part in (lots, buildings) for one in part.column("address").to_pylist() if one}
    assert len(sites) > 2_000
    assert len(streets) > 2_000
    orders = (demo_night.release / "restricted" / "work_orders.csv").read_bytes()
    assert sites & set(SITE.findall(orders))  # the search finds what is there
    assert streets & set(ADDRESS.findall(orders))
    public = [path for path in (demo_night.release / "public").rglob("*") if path.is_file()]
    assert len(public) > 20
    for path in public:
        data = readable(path)
        assert not sites & set(SITE.findall(data)), path
        assert not streets & set(ADDRESS.findall(data)), path
        assert b"zone_cells" not in data, path
        assert "forecast" not in path.name, path
        assert "zone" not in path.name, path


def test_districts_poverty_choices_and_the_frontier_are_told(demo_night: Night) -> None:
    facts = json.loads((demo_night.release / "restricted" / "programs.json").read_text())
    assert facts["work"]["excluded"]["status"] > 0
    assert 0.0 <= facts["work"]["portfolio"]["gap"] < 0.02
    assert facts["registers"].keys() == {"poverty"}
    manifest = json.loads((demo_night.release / "manifest.json").read_text())
    assert manifest["registers"] == facts["registers"]
    areas, districts = table(demo_night, "neighborhoods"), table(demo_night, "districts")
    assert set(areas.column("level").to_pylist()) == {"neighborhood"}
    assert sum(districts.column("lots").to_pylist()) == sum(areas.column("lots").to_pylist())
    assert sum(districts.column("open_311").to_pylist()) > 0
    grants = table(demo_night, "grants").to_pylist()
    awarded = [row for row in grants if row["awarded"]]
    assert len(awarded) == 6
    assert sum(bool(row["highest_poverty_third"]) for row in awarded) >= 3
    assert max([row["district"] for row in awarded].count(name) for name in {row["district"] for row in awarded}) <= 3
    lot = table(demo_night, "priority_lots").to_pylist()[0]
    assert (lot["action"], lot["work"]) == ("mowing", "mowing and clean-up")
    assert lot["alternative"].startswith("cleaning and greening: ")
    assert lot["address"]
    money = table(demo_night, "frontier").column("expected_prevented").to_pylist()
    assert money == sorted(money)


def test_the_report_says_what_the_funded_set_rests_on(demo_night: Night) -> None:
    facts = json.loads((demo_night.release / "restricted" / "programs.json").read_text())
    funded = facts["work"]["portfolio"]
    text = html.unescape((demo_night.release / "restricted" / "report.html").read_text())
    assert f"{funded['sites']['mowing']} lots for mowing and clean-up" in funded["work"]
    told = [funded["work"], *(f"{amount(funded['prevented_at_radius'][key])} a year" for key in ("0.5", "2"))]
    told.append(f"{amount(funded['prevented_plain_unit'])} a year")
    assert sum(funded["owners"].values()) == sum(funded["statuses"].values()) == sum(funded["sites"].values())
    told += [f"{count} {OWNERS[name]}" for name, count in funded["owners"].items()]
    told += [row["cost_source"] for row in facts["work"]["work"]] + [row["study"] for row in facts["work"]["work"]]
    assert [words for words in told if words not in text] == []
    assert "Grants come on top of the funded set" in text
    assert (
        "What the city funds by itself already is not counted again"
        in (demo_night.release / "public" / "report.html").read_text()
    )
    assert "expect less of them than they say" in text
    (demolition,) = [row for row in facts["work"]["work"] if row["name"] == "demolition"]
    assert demolition["study"] == "Jay et al. 2019, Journal of Behavioral Medicine and no effect, equal weights"
    assert "mowing and clean-up of lot " in (demo_night.release / "restricted" / "work_orders.csv").read_text(
        "utf-8-sig"
    )


@pytest.fixture(scope="module")
def after(demo_night: Night, tmp_path_factory: pytest.TempPathFactory) -> Night:
    """A copy of the night, for what changes files."""
    output = tmp_path_factory.mktemp("work") / "output"
    shutil.copytree(demo_night.output, output, symlinks=True)
    return Night(output, output / "releases" / "demo_city" / demo_night.release.name, demo_night.facts)


def test_a_work_list_is_frozen_drawn_and_followed(after: Night, rtm: Command) -> None:
    base = ("demo_city", "--output", after.output)
    frozen = rtm("plan", "freeze", *base, "--randomize-line", "--json")
    assert frozen.code == 0, frozen.err
    facts = frozen.json
    assert facts["draws"], "an order was drawn at the funding line"
    assert rtm("plan", "freeze", *base, "--randomize-line", "--json").json["plan_id"] == facts["plan_id"]
    (kept,) = CityHistory(after.output, "demo_city").plans()
    funded = [row for name in ("priority_lots", "priority_buildings") for row in table(after, name).to_pylist()]
    drawn = {name for draw in kept.draws for name in draw.draw.site_id}
    plain = {row["site_id"] for row in funded if row["funded"]}
    assert {site.site_id for site in kept.plan.sites} - drawn == plain - drawn
    assert 0 < kept.expected < 2_000
    site = kept.plan.sites[0].site_id
    done = rtm("plan", "update", *base[:1], site, "done", "--by", "Ann", "--on", "2024-01-05", *base[1:])
    assert done.code == 0, done.err
    back = rtm("plan", "update", *base[:1], site, "inspected", "--by", "Ann", "--on", "2024-01-06", *base[1:])
    assert back.code == 2
    assert "done already" in back.err
    for command, message in (
        (("plan", "update", *base[:1], site, "done", "--by", "Ann", "--on", "2999-01-01"), "lies in the future"),
        (("plan", "freeze", *base[:1], "--on", "2023-12-31"), "lies before what the release knows (2024-01-01)"),
        (("plan", "freeze", *base[:1], "--on", "2999-01-01"), "or in the future"),
        (("plan", "freeze", *base[:1], "--randomize-line", "--tolerance", "1e9"), "not above 0.5"),
        (("plan", "freeze", *base[:1], "--randomize-line", "--tolerance", "nan"), "found nan"),
    ):
        refused = rtm(*command, *base[1:])
        assert refused.code == 2
        assert message in refused.err
    rows = rtm("plan", "status", *base, "--on", "2024-01-06", "--json").json["sites"]
    assert [row["status"] for row in rows[:2]] == ["done", "proposed"]


def test_expected_around_a_plan_is_that_of_the_forecast(after: Night) -> None:
    from rtm_pipeline.orchestration.registers.plans import plan_of_release

    kept = plan_of_release(after.release, frozen_on=date(2024, 1, 1))
    store = ArtifactStore(after.output / "artifacts", "demo_city")
    ahead, grid = store.load("forecast").value, store.load("study_area").value.grid
    reached = np.zeros(grid.n_cells, dtype=bool)
    for site in kept.plan.sites:
        reached |= np.hypot(grid.center_x_u - site.x, grid.center_y_u - site.y) <= kept.plan.radius_u
    assert kept.expected == pytest.approx(ahead.expected[reached].sum() / ahead.horizon_years, rel=1e-5)


def test_what_if_tells_benefit_and_landscape_apart(after: Night, rtm: Command) -> None:
    latest = (after.output / "releases" / "demo_city" / "latest.json").read_bytes()
    lots = table(after, "priority_lots").to_pylist()
    building = table(after, "priority_buildings").to_pylist()[0]
    base = ("demo_city", "--output", after.output)
    named = ("--treat", f"{lots[0]['site_id']}=greening", "--demolish", building["site_id"])
    answer = rtm("whatif", *base, *named, "--json")
    assert answer.code == 0, answer.err
    facts = answer.json
    assert facts["benefit"]["sites"] == {"greening": 1, "demolition": 1}
    alone = float(building["alternative"].split("demolition: ")[1].split(" a year")[0])
    lot = float(lots[0]["alternative"].split("greening: ")[1].split(" a year")[0])
    assert facts["benefit"]["prevented"] == pytest.approx(alone + lot, abs=0.02)
    assert facts["benefit"]["low"] < facts["benefit"]["prevented"] < facts["benefit"]["high"]
    assert facts["benefit"]["cost_usd"] == 2140 + 12500
    before = [term["variable"] for term in facts["model"]["before"]]
    assert [term["variable"] for term in facts["model"]["after"]] == before  # the past is what it was
    assert facts["risk_terrain"]["largest_rise"] < 1e-9
    folder = after.output / "artifacts" / "demo_city" / "whatif"
    (made,) = folder.iterdir()
    with rasterio.open(made / "prevented.tif") as raster:
        assert float(raster.read(1, masked=True).sum()) == pytest.approx(facts["benefit"]["prevented"], rel=1e-4)
    assert {path.name for path in made.iterdir()} >= {"risk_terrain_difference.tif", "forecast_difference.tif"}
    sites = after.output / "sites.csv"
    sites.write_bytes(b"site;work\nx;mowing\n")
    latin = after.output / "latin.csv"
    latin.write_bytes(b"site,work\nStra\xdfe,mowing\n")
    for wrong, message in (
        (("--treat-file", sites), "sites.csv has no column site; its header is: site;work"),
        (("--treat-file", latin), "latin.csv is not a CSV file in UTF-8"),
        (("--treat", "nowhere"), "not in the inventory"),
        (("--treat", f"{lots[0]['site_id']}=paving"), "no work called 'paving'"),
        (("--without-311", "noise"), "There is no 311 category noise; there are: "),
        ((), "Nothing to try"),
    ):
        refused = rtm("whatif", *base, *wrong)
        assert refused.code == 2
        assert message in refused.err
    assert (after.output / "releases" / "demo_city" / "latest.json").read_bytes() == latest


def test_what_if_without_a_kind_of_request_fits_without_it(after: Night, rtm: Command) -> None:
    answer = rtm("whatif", "demo_city", "--output", after.output, "--without-311", "illegal_dumping", "--json")
    assert answer.code == 0, answer.err
    facts = answer.json
    assert any(term["variable"].startswith("dumping") for term in facts["model"]["before"])
    assert not any(term["variable"].startswith("dumping") for term in facts["model"]["after"])
    assert facts["benefit"] is None
    assert facts["programs"]["funded_in_both"] <= facts["programs"]["funded_before"]


def test_what_if_is_refused_without_a_run(tmp_path: Path, rtm: Command) -> None:
    answer = rtm("whatif", "demo_city", "--output", tmp_path, "--treat", "a")
    assert answer.code == StaleArtifactError.exit_code
    assert "There is no run of demo_city" in answer.err


class Rerun:
    """Single steps of the stored night, under other settings, days and registers."""

    def __init__(self, night: Night) -> None:
        self.output = night.output
        self._store = ArtifactStore(night.output / "artifacts", "demo_city")
        self._settings: Settings = self._store.load("settings").value

    def run(self, step: str, day: date, registers: Registers, programs: dict[str, Any], **values: Any) -> StepResult:
        config = json.loads(json.dumps(self._settings.config))
        config["programs"] |= programs
        settings = replace(self._settings, config=config, as_of=day)
        steps = steps_of(settings.city)
        inputs = {
            name: values.get(name) or (registers if name == REGISTERS else self._store.load(name).value)
            for name in steps[step].inputs
        }
        return steps[step].run(self.context(settings), inputs)

    def context(self, settings: Settings) -> StepContext:
        return StepContext(settings, self.output, self.output, "test")


def test_required_sites_that_are_done_or_gardens_stop_no_night(after: Night) -> None:
    again, day = Rerun(after), date(2024, 1, 1)
    done, garden, last = (table(after, "priority_lots").column("site_id").to_pylist()[at] for at in (0, 1, 400))
    registers = Registers(
        treated=(
            TreatedRecord(done, "mowing", date(2023, 5, 1), date(2023, 5, 2)),
            TreatedRecord("gone", "mowing", date(2023, 5, 1), date(2023, 5, 2)),
        ),
        corrections=(Correction(garden, "garden", "Ann", date(2023, 5, 1)),),
    )
    budget = {"usd": 250000, "horizon_years": 3, "must": [done, garden, last, "gone"]}
    value = again.run(PRIORITIES, day, registers, {"budget": budget}).value
    funded = {row["site_id"] for row in value.lots.to_pylist() if row["funded"]}
    assert last in funded
    assert not funded & {done, garden}
    assert [text.split(" is required")[0] for text in value.summary["doubts"]] == [done, garden, "gone"]
    assert value.summary["doubts"][1].endswith("left out: corrected: garden")
    budget["must"] = ["15-309-0l5"]
    with pytest.raises(ConfigError, match=r"not in the inventory: 15-309-0l5\. Mend the id"):
        again.run(PRIORITIES, day, Registers(), {"budget": budget})


def test_corrections_that_can_not_be_right_are_told(after: Night) -> None:
    again, day = Rerun(after), date(2024, 1, 1)
    first, second = table(after, "priority_lots").column("site_id").to_pylist()[:2]
    registers = Registers(
        corrections=(
            Correction("=HYPERLINK()", "garden", "Ann", date(2023, 5, 1)),
            Correction("mistyped", "garden", "Ann", date(2022, 5, 1), date(2023, 1, 1)),  # expired: nobody's trouble
            Correction(first, "permit", "Ann", date(2023, 5, 1)),
            Correction(first, "garden", "Bob", date(2023, 5, 1)),
            Correction(second, "garden", "Ann", date(2023, 5, 1)),
            Correction(second, "permit", "Bob", date(2023, 5, 2)),
        )
    )
    value = again.run(PRIORITIES, day, registers, {}).value
    assert value.summary["doubts"] == [
        "1 corrections are about a site that no layer has ever had: =HYPERLINK()",
        f"corrections of 2023-05-01 contradict each other on {first}: the last, garden, counts",
    ]
    assert value.summary["excluded"]["corrected: garden"] == 1
    assert value.summary["excluded"]["corrected: permit"] == 1


def test_without_neighborhoods_the_share_of_the_city_counts(after: Night) -> None:
    off = {"neighborhoods": None, "grants": None, "poverty": None}
    value = Rerun(after).run(PRIORITIES, date(2024, 1, 1), Registers(), off).value
    assert value.summary["benefit_note"].endswith("every place counts with this share")
    lot = value.lots.to_pylist()[0]
    share = float(value.summary["benefit_note"].split(" %")[0]) / 100
    assert lot["expected_incidents_read"] / lot["expected_incidents"] == pytest.approx(share, abs=0.006)
    with pytest.raises(ConfigError, match="grants go to neighborhoods"):
        Rerun(after).run(PRIORITIES, date(2024, 1, 1), Registers(), off | {"grants": {}})


def test_a_city_of_buildings_only_and_rules_that_leave_nobody(after: Night) -> None:
    again, day = Rerun(after), date(2024, 1, 1)
    value = again.run(PRIORITIES, day, Registers(), {"lots": None}).value
    assert value.lots.num_rows == 0
    assert value.buildings.to_pylist()[0]["funded"]
    lots = json.loads(json.dumps(again._settings.config["programs"]["lots"]))
    lots["eligible"]["owners"] = ["public"]
    with pytest.raises(ConfigError, match=r"2,3\d\d sites none may be worked on \(left out: .*ownership 2,\d\d\d\)"):
        again.run(PRIORITIES, day, Registers(), {"lots": lots, "buildings": None})
    lots["eligible"] |= {"owners": [], "min_m2": 500, "max_m2": 5}
    with pytest.raises(ConfigError, match=r"min_m2 \(500\) must not be above max_m2 \(5\)"):
        again.run(PRIORITIES, day, Registers(), {"lots": lots})


ZONED = {"zones": {"purpose": "lighting", "owner": "Office", "expiry": "2024-03-01", "area_km2": 0.2}}


def test_zones_last_their_period_then_stay_unless_it_is_worth_it(after: Night) -> None:
    again, day = Rerun(after), date(2024, 1, 1)
    first = again.run(ZONES, day, Registers(), ZONED).value
    assert first.fresh
    assert first.table.num_rows == 4
    assert max(first.table.column("area_m2").to_pylist()) <= 0.2e6
    log = [{**row, "run_id": "r1", "current": True} for row in first.table.to_pylist()]
    registers = Registers(zones=tuple(log))
    running = again.run(ZONES, day + timedelta(days=3), registers, ZONED).value
    assert not running.fresh
    assert running.table.equals(first.table)
    renewed = again.run(ZONES, day + timedelta(days=4), registers, ZONED).value
    assert renewed.fresh
    assert renewed.table.column("decision").to_pylist() == ["kept"] * 4
    assert renewed.table.column("zone_cells").to_pylist() == first.table.column("zone_cells").to_pylist()
    over = again.run(ZONES, date(2024, 3, 1), registers, ZONED).value
    assert over.table is None
    assert "expired" in over.note


def test_a_current_release_logs_its_zones_and_freezes_the_list_of_the_month(after: Night, tmp_path: Path) -> None:
    again, day = Rerun(after), date(2024, 1, 1)
    zones = again.run(ZONES, day, Registers(), ZONED).value
    config = json.loads(json.dumps(again._settings.config))
    config["programs"] |= ZONED | {"reselect": "monthly"}
    context = again.context(replace(again._settings, config=config, as_of=day))
    context = replace(context, output=tmp_path)
    history = CityHistory(tmp_path, "demo_city")
    keep_history(context, {ZONES: zones}, "experiment", after.release, current=False)
    assert [row["current"] for row in history.zones()] == [False] * 4
    assert history.plans() == ()
    for _ in range(2):
        keep_history(context, {ZONES: zones}, "night", after.release, current=True)
    assert len(history.zones()) == 8
    (kept,) = history.plans()
    assert kept.plan.frozen_on == day
    score = again.run(PLAN_SCORES, date(2024, 2, 1), Registers(plans=(kept,)), {}).value
    (row,) = score["plans"].to_pylist()
    assert row["sites_proposed"] == len(kept.plan.sites)
    assert row["expected"] == pytest.approx(kept.expected * 31 / 365.25)
    keep_history(
        replace(context, settings=replace(context.settings, as_of=date(2024, 2, 1))),
        {},
        "next",
        after.release,
        current=True,
    )
    assert [one.plan.frozen_on for one in history.plans()] == [day, date(2024, 2, 1)]


def test_a_planted_effect_is_found_in_the_night_and_proposed(after: Night) -> None:
    """Half of the incidents within 500 ft of 120 lots are taken away after the work; the night finds that."""
    from rtm_pipeline.layers.vintage import select_rows

    again, start, end = Rerun(after), date(2022, 3, 1), date(2022, 5, 31)
    store = ArtifactStore(after.output / "artifacts", "demo_city")
    lots, outcome = store.load("vacant_lots_layer").value.layer, store.load("violence_layer").value
    standing = np.flatnonzero((lots.known_at < np.datetime64("2021-01-01")) & np.isnat(lots.until) & lots.inside)
    rng = np.random.default_rng(11)
    chosen = rng.permutation(standing)[:120]
    ids = lots.attributes.column("PARCEL_ID").take(chosen).to_pylist()
    layer = outcome.layer
    near = (np.hypot(layer.x[:, None] - lots.x[chosen], layer.y[:, None] - lots.y[chosen]) <= 500.0).any(axis=1)
    gone = near & (layer.time >= np.datetime64(end)) & (rng.random(len(layer)) < 0.5)
    planted = replace(outcome, layer=replace(select_rows(layer, ~gone), withdrawn=None))
    registers = Registers(treated=tuple(TreatedRecord(name, "greening", start, end) for name in ids if name))
    found = again.run(HELPED, date(2024, 1, 1), registers, {}, violence_layer=planted).value
    (row,) = found.rows
    assert row["design"] == "matched"
    assert row["n_pairs"] + sum(row["refused"].values()) == row["n_apart"]
    assert max(abs(value) for value in row["imbalance"].values()) < 0.15
    assert row["low"] < -0.5 < row["high"] < 0.0
    assert row["local"] < 0.0
    (proposal,) = found.proposals
    assert proposal["key"] == "demo_city_greening_2022"
    assert proposal["measured"] <= row["relative_change"]
