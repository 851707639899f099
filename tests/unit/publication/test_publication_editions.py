"""Nothing of the restricted edition is in the public one."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyogrio
import pytest
import rasterio
from fakes.release import Written, write

from rtm_pipeline.publication.content import ReleaseContent, SourceCredit
from rtm_pipeline.publication.rasters.surfaces import surfaces_of
from rtm_pipeline.surface.tiers import tiers_of

COMPRESSED = {".tif", ".png", ".pdf"}


def other_secrets(content: ReleaseContent) -> ReleaseContent:
    """The same risk terrain over other incidents, another forecast, other sites and zones."""
    rng = np.random.default_rng(99)
    forecast = content.forecast
    shuffled = rng.permutation(content.grid.n_cells)
    changed = {name: getattr(forecast, name)[shuffled] for name in ("expected", "low", "high", "sd", "p_top5")}
    changed["contributions"] = forecast.contributions[shuffled]
    forecast = dataclasses.replace(forecast, **changed)
    terrain = dataclasses.replace(content.terrain, counts=content.terrain.counts[shuffled])
    tables = dict(content.tables)
    for name in ("priority_lots", "priority_buildings", "zones"):
        tables[name] = tables[name].take(pa.array(rng.permutation(tables[name].num_rows)[:-1]))
    return dataclasses.replace(
        content,
        forecast=forecast,
        terrain=terrain,
        tables=tables,
        tiers={**content.tiers, "forecast": tiers_of(forecast.expected)},
    )


def test_public_files_do_not_depend_on_what_is_restricted(written: Written, tmp_path: Path) -> None:
    """Same factors, same aggregates, other counts, forecast, sites and zones: not one byte of the public edition moves.

    Only tables of neighborhoods may speak of restricted values; here they are the same.
    """
    other = write(other_secrets(written.content), tmp_path / "other")
    for path in sorted(written.public.rglob("*")):
        if path.is_file():
            twin = other.public / path.relative_to(written.public)
            assert twin.read_bytes() == path.read_bytes(), path.name
    assert (other.restricted / "forecast.tif").read_bytes() != (written.restricted / "forecast.tif").read_bytes()


def test_no_site_address_or_zone_is_named(written: Written) -> None:
    needles = {"Main St", "12 River St", "street outreach", "Office of Violence Prevention", "zone_cells"}
    for name in ("priority_lots", "priority_buildings"):
        needles |= set(written.content.tables[name].column("site_id").to_pylist())
    for path in written.public.rglob("*"):
        if path.is_file() and path.suffix not in COMPRESSED:
            content = path.read_bytes()
            for needle in needles:
                assert needle.encode() not in content, (needle, path.name)
    whole = b"".join(path.read_bytes() for path in written.restricted.rglob("*.gpkg"))
    assert all(needle.encode() in whole for needle in needles), "the test must look for what is there"


def test_public_rasters_are_the_risk_terrain_only(written: Written) -> None:
    assert {path.name for path in written.public.rglob("*.tif")} == {"risk_terrain.tif", "risk_tier.tif"}
    secrets = [written.content.terrain.counts.astype(float), written.content.forecast.expected]
    with rasterio.open(written.public / "risk_terrain.tif") as raster:
        assert raster.count == 1
        cells = raster.read(1).ravel()[written.content.grid.flat]
    terms = len(np.unique(written.content.terrain.rrs))
    assert len(np.unique(cells)) == terms, "a score from 0/1 variables has few values; a count inside would add some"
    assert all(len(np.unique(secret)) != terms for secret in secrets)


def test_the_public_geopackage_has_no_more_than_aggregates(written: Written) -> None:
    path = written.public / "neighborhoods.gpkg"
    assert {name for name, _ in pyogrio.list_layers(path)} == {
        "neighborhoods",
        "study_area",
        "run_metadata",
        "layer_styles",
    }
    assert len(pyogrio.read_dataframe(path, layer="neighborhoods")) == 5


@pytest.mark.parametrize(("source", "kept"), [("police", False), ("registry", False), ("park_land", True)])
def test_a_source_that_may_not_be_shown_takes_its_products_along(
    content: ReleaseContent, tmp_path: Path, source: str, kept: bool
) -> None:
    """Police and registry stand behind the terrain, park land does not: no term of the model is from it."""
    barred = dataclasses.replace(content, credits=(SourceCredit(source, "Someone", editions=("restricted",)),))
    assert bool(surfaces_of(barred, "public")) is kept
    assert surfaces_of(barred, "restricted")
    folder = write(barred, tmp_path / "run")
    assert (folder.public / "risk_terrain.tif").exists() is kept
    assert (folder.public / "map.png").exists() is kept
    manifest = json.loads((folder.public / "manifest.json").read_text())
    assert manifest["withheld"] == ({} if kept else {"risk_terrain": [source]})
    assert (folder.restricted / "risk_terrain.tif").exists()
