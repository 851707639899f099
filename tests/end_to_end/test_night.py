"""A whole night of the made city, as a user would run it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from support.city import DEMO_DATA, Command, Night


def test_the_release_is_laid_out_as_promised(demo_night: Night) -> None:
    names = {
        path.relative_to(demo_night.release).as_posix() for path in demo_night.release.rglob("*") if path.is_file()
    }
    assert {"manifest.json", "model.json", "ingest.json", "public/risk_terrain.tif", "public/map.png"} <= names
    assert demo_night.release.name.startswith("2024-01-01-")


def test_latest_points_to_it(demo_night: Night) -> None:
    city = demo_night.output / "releases" / "demo_city"
    latest = json.loads((city / "latest.json").read_text())
    assert latest["run_id"] == demo_night.facts["run_id"]
    assert (city / "latest").resolve() == demo_night.release.resolve()


def test_the_manifest_has_the_digest_of_every_file(demo_night: Night) -> None:
    manifest = json.loads((demo_night.release / "manifest.json").read_text())
    for name, digest in manifest["files"].items():
        assert hashlib.sha256((demo_night.release / name).read_bytes()).hexdigest() == digest
    written = {
        path.relative_to(demo_night.release).as_posix() for path in demo_night.release.rglob("*") if path.is_file()
    }
    assert written == set(manifest["files"]) | {"manifest.json"}


def test_the_raster_says_what_it_is(demo_night: Night) -> None:
    with rasterio.open(demo_night.release / "public" / "risk_terrain.tif") as raster:
        assert raster.crs.to_authority() == ("EPSG", "3436")
        assert raster.nodata == -9999.0
        assert raster.units == ("relative risk score",)
        assert raster.profile["tiled"]
        assert raster.tags()["RUN_ID"] == demo_night.facts["run_id"]
        assert "DISCLAIMER" in raster.tags()
        assert float(raster.tags(1)["STATISTICS_MINIMUM"]) >= 1.0
        values = raster.read(1, masked=True)
    assert values.count() > 5_000
    assert float(values.min()) == 1.0
    assert len(np.unique(values.compressed())) > 3


def test_every_row_is_accounted_for(demo_night: Night) -> None:
    ingest = json.loads((demo_night.release / "ingest.json").read_text())
    for name, layer in ingest["layers"].items():
        total = layer["kept"] + layer["filtered"] + layer["duplicate"] + sum(layer["quarantined"].values())
        assert total == layer["read"], name
        assert sum(layer["filtered_by"].values()) == layer["filtered"], name


def test_the_planted_factors_are_found(demo_night: Night) -> None:
    """The truth is stored beside the data; the right factor counts with its band or an adjacent one."""
    truth = json.loads((DEMO_DATA / "truth.json").read_text())
    model = json.loads((demo_night.release / "model.json").read_text())
    found = {term["factor"] for term in model["terms"]}
    planted = {variable["factor"] for variable in truth["planted"]}
    assert len(planted & found) >= len(planted) - 1, (planted, found)
    assert len(found - planted) <= 2, (planted, found)


@pytest.mark.acceptance
def test_a_second_run_gives_the_same_release(demo_night: Night, rtm: Command) -> None:
    answer = rtm("run", "demo_city", "--data-dir", DEMO_DATA, "--output", demo_night.output, "--json")
    assert answer.code == 0, answer.err
    assert answer.json["run_id"] == demo_night.facts["run_id"]
    assert answer.json["reused"] is True


def test_no_row_of_a_person_is_kept(demo_night: Night) -> None:
    """Owner names, race, sex and age are planted in the sources and must be found nowhere afterwards."""
    truth = json.loads((DEMO_DATA / "truth.json").read_text())
    needles = [text.encode() for text in truth["canaries"]]
    assert needles
    for path in demo_night.output.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            for needle in needles:
                assert needle not in content, f"{needle!r} in {path}"


def test_parquet_parts_hold_only_declared_columns(demo_night: Night) -> None:
    import pyarrow.parquet as pq

    parts = list(Path(demo_night.output / "snapshots" / "parts").rglob("*.parquet"))
    assert parts
    for part in parts:
        names = {name.lower() for name in pq.read_schema(part).names}
        assert not names & {"owner_name", "race", "sex", "age", "victimrace", "victimsex", "victimage"}, part
