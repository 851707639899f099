"""`rtm explain` says of a place what the rasters say; `rtm compare` tells two releases apart."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from pyproj import Transformer
from support.city import Command
from support.small_city import HIGH, SOUTH, UTM, WEST, WIDE, OxbowNight

from rtm_pipeline.cli.looking import _rating_text
from rtm_pipeline.orchestration.steps.place_past import PlacePast
from rtm_pipeline.publication.lookup.place_rating import rate_place
from rtm_pipeline.publication.release.reading import ReleaseFolder

LONLAT = Transformer.from_crs(UTM, "EPSG:4326", always_xy=True)


def sampled(path: Path, x: float, y: float) -> list[float]:
    with rasterio.open(path) as raster:
        return [float(value) for value in next(iter(raster.sample([(x, y)])))]


def test_it_agrees_with_the_rasters_at_random_points(oxbow_night: OxbowNight) -> None:
    release = ReleaseFolder.at(oxbow_night.release)
    files = oxbow_night.release / "restricted"
    rng = np.random.default_rng(3)
    with rasterio.open(files / "forecast.tif") as raster:
        forecast = raster.read(1)
        forecast = forecast[forecast != raster.nodata]
    for x, y in zip(WEST + rng.uniform(1, WIDE - 1, 12), SOUTH + rng.uniform(1, HIGH - 1, 12), strict=True):
        lon, lat = LONLAT.transform(x, y)
        rating = rate_place(release, lat, lon)
        score = sampled(files / "risk_terrain.tif", x, y)[0]
        assert rating.risk_terrain.value == score
        assert rating.risk_terrain.tier == sampled(files / "risk_tier.tif", x, y)[0]
        assert rating.forecast is not None
        assert rating.forecast.value == sampled(files / "forecast.tif", x, y)[0]
        assert rating.forecast.tier == sampled(files / "forecast_tier.tif", x, y)[0]
        assert rating.forecast.rank_first == 1 + np.count_nonzero(forecast > rating.forecast.value)
        assert rating.interval == (
            sampled(files / "forecast_low.tif", x, y)[0],
            sampled(files / "forecast_high.tif", x, y)[0],
        )
        assert rating.p_top5 == sampled(files / "p_top5.tif", x, y)[0]
        for parts, total in ((rating.terrain_parts, score), (rating.forecast_parts, rating.forecast.value)):
            assert np.prod([part.value for part in parts]) == pytest.approx(total, rel=1e-5)
        for factor in rating.factors:
            assert factor.distance_m == pytest.approx(sampled(files / "factors" / f"{factor.factor}.tif", x, y)[0])
        held = np.prod([factor.rrv for factor in rating.factors if factor.holds])
        assert held == pytest.approx(score, rel=1e-5)


def test_the_past_is_counted_in_the_cell_from_the_raw_file(oxbow_night: OxbowNight, rtm: Command) -> None:
    lat, lon = oxbow_night.city.inside
    answer = rtm(
        "explain", "oxbow", lat, lon, "--config-dir", oxbow_night.configs, "--output", oxbow_night.output, "--json"
    )
    assert answer.code == 0, answer.err
    found = answer.json
    counted = 0
    for line in (oxbow_night.city.folder / "offenses_2023.csv").read_text().splitlines()[1:]:
        _, _, kind, x, y = line.split(";")
        inside = 0 <= float(x) - (found["x_u"] - 50) < 100 and 0 <= float(y) - (found["y_u"] - 50) < 100
        counted += inside and any(word in kind for word in ("ROBBERY", "AGGRAVATED", "HOMICIDE"))
    assert found["past"]["windows"][0] == {
        "window": "[2023-01-01, 2024-01-01)",
        "here": counted,
        "nearby": found["past"]["windows"][0]["nearby"],
    }
    assert len(found["past"]["windows"]) == 3
    text = rtm("explain", "oxbow", lat, lon, "--config-dir", oxbow_night.configs, "--output", oxbow_night.output).out
    assert "taverns" in text
    assert "[2023-01-01, 2024-01-01)" in text


def test_lengths_are_told_in_the_unit_of_the_grid(oxbow_night: OxbowNight) -> None:
    rating = rate_place(ReleaseFolder.at(oxbow_night.release), *oxbow_night.city.inside)
    past = PlacePast("incident", ("[2023-01-01, 2024-01-01)",), (1,), (2,), 304.8)
    feet = _rating_text(replace(rating, crs="EPSG:3436"), past)
    assert "within 1,000 ft (305 m) of its center" in feet
    distance = next(factor.distance_m for factor in rating.factors if factor.distance_m is not None)
    assert f"nearest {f'{distance / 0.3048:,.0f} ft ({distance:,.0f} m)':>16} " in feet
    assert " ft" not in _rating_text(rating, past)


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (("39.2", "-94.7"), "km outside the study area"),
        (("39.2", "-94.7"), "Its cells lie between latitude 39."),
        (("-94.7", "39.11419640911144"), "The latitude comes first"),
        (("here", "-94.7"), "LAT: 'here' is not a number"),
    ],
)
def test_a_place_without_a_rating_is_answered_with_the_reason(
    oxbow_night: OxbowNight, rtm: Command, place: tuple[str, str], words: str
) -> None:
    answer = rtm("explain", "oxbow", *place, "--config-dir", oxbow_night.configs, "--output", oxbow_night.output)
    assert answer.code == 2
    assert words in answer.err


def test_without_a_release_it_says_what_to_run(oxbow_night: OxbowNight, rtm: Command, tmp_path: Path) -> None:
    answer = rtm("explain", "oxbow", 39.1, -94.7, "--config-dir", oxbow_night.configs, "--output", tmp_path)
    assert answer.code == 2
    assert "rtm run oxbow" in answer.err


@pytest.fixture
def altered(oxbow_night: OxbowNight, tmp_path: Path) -> Path:
    """The night's release with a model, a setting and one cell of the forecast that differ."""
    folder = tmp_path / "2024-01-01-000000000000"
    shutil.copytree(oxbow_night.release, folder)
    manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    manifest["run_id"] = folder.name
    manifest["settings"]["model"]["family"] = "poisson"
    (folder / "manifest.json").write_text(json.dumps(manifest))
    model = json.loads((folder / "model.json").read_text())
    model["terms"][0]["rrv"] += 1
    model["terms"][1]["variable"] = "another"
    (folder / "model.json").write_text(json.dumps(model))
    ingest = json.loads((folder / "ingest.json").read_text())
    ingest["sources"]["taverns_file"] |= {"digest": "0", "read": 8}
    (folder / "ingest.json").write_text(json.dumps(ingest))
    with rasterio.open(folder / "restricted" / "forecast.tif") as raster:
        image, profile, names = raster.read(), raster.profile, raster.descriptions
    image[0, 3, 4] += 5.0
    profile.update(driver="GTiff")
    with rasterio.open(folder / "restricted" / "forecast.tif", "w", **profile) as raster:
        raster.write(image)
        raster.set_band_description(1, names[0])
    return folder


def test_compare_tells_what_was_altered_and_nothing_else(
    oxbow_night: OxbowNight, altered: Path, rtm: Command, tmp_path: Path
) -> None:
    arguments = ("compare", "oxbow/latest", altered, "--output", oxbow_night.output, "--to", tmp_path / "maps")
    found = rtm(*arguments, "--json").json
    assert found["settings"] == [{"key": "model.family", "a": "auto", "b": "poisson"}]
    assert [s["source"] for s in found["sources"] if not s["same"]] == ["taverns_file"]
    first, second, third = found["model"]["terms"]
    assert first["rrv_b"] == pytest.approx(first["rrv_a"] + 1)
    assert (second["rrv_b"], third["rrv_a"], third["variable"]) == (None, None, "another")
    assert found["accuracy"]["comparable"]
    assert found["surfaces"]["risk_terrain"]["largest_rise"] == 0
    assert found["surfaces"]["risk_terrain"]["rank_correlation"] == pytest.approx(1.0)
    assert found["surfaces"]["forecast"]["largest_rise"] == pytest.approx(5.0)
    with rasterio.open(tmp_path / "maps" / "forecast_change.tif") as raster:
        change = raster.read(1)
    assert change[3, 4] == pytest.approx(5.0)
    change[3, 4] = 0
    assert np.count_nonzero(change[change != -9999.0]) == 0
    assert (tmp_path / "maps" / "forecast_change.png").stat().st_size > 5_000
    text = rtm(*arguments).out
    assert "poisson" in text
    assert "of different days" not in text


def test_two_days_are_told_apart(oxbow_night: OxbowNight, altered: Path, rtm: Command, tmp_path: Path) -> None:
    manifest = json.loads((altered / "manifest.json").read_text())
    (altered / "manifest.json").write_text(json.dumps(manifest | {"as_of": "2023-06-01"}))
    text = rtm("compare", "oxbow/latest", altered, "--output", oxbow_night.output, "--to", tmp_path / "maps").out
    assert "as of 2024-01-01\n" in text
    assert "as of 2023-06-01\n" in text
    assert "of different days" in text


@pytest.mark.parametrize("told", [True, False])
def test_the_past_is_told_after_an_upgrade_too(
    oxbow_night: OxbowNight, rtm: Command, monkeypatch: pytest.MonkeyPatch, told: bool, altered: Path
) -> None:
    """Other code now than then changes nothing in the stored rows; a release of other code than they says so."""
    release = oxbow_night.release
    if told:
        monkeypatch.setattr("rtm_pipeline.orchestration.step.code_digest", lambda: "another version")
    else:
        release = altered
        manifest = json.loads((altered / "manifest.json").read_text()) | {"code_digest": "another version"}
        (altered / "manifest.json").write_text(json.dumps(manifest))
    where = ("--config-dir", oxbow_night.configs, "--output", oxbow_night.output)
    answer = rtm("explain", "oxbow", *oxbow_night.city.inside, "--release", release, *where)
    assert answer.code == 0, answer.err
    assert ("[2023-01-01, 2024-01-01)" in answer.out) is told
    assert (f"rtm run oxbow --from-run {release.name}" in answer.out) is not told


def test_grids_that_differ_are_not_compared_cell_by_cell(
    oxbow_night: OxbowNight, altered: Path, rtm: Command, tmp_path: Path
) -> None:
    for name in ("forecast", "risk_terrain"):
        path = altered / "restricted" / f"{name}.tif"
        with rasterio.open(path, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as raster:
            transform = raster.transform
            raster.transform = type(transform)(120.0, 0, transform.c, 0, -120.0, transform.f)
    found = rtm(
        "compare", oxbow_night.release, altered, "--output", oxbow_night.output, "--to", tmp_path / "maps", "--json"
    ).json
    assert "cells differ" in found["surfaces"]["forecast"]
    assert found["files"] == []


def test_an_unknown_run_is_answered_with_those_there_are(oxbow_night: OxbowNight, rtm: Command) -> None:
    answer = rtm("compare", "nothing", "oxbow/latest", "--output", oxbow_night.output)
    assert answer.code == 2
    assert oxbow_night.release.name in answer.err
