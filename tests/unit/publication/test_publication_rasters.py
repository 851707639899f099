"""Rasters: what they say of themselves, where their pixels lie, and that their bytes are always the same."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp

from rtm_pipeline.errors import PublishError
from rtm_pipeline.grid.spec import GridSpec, StudyGrid
from rtm_pipeline.publication.content import ReleaseContent
from rtm_pipeline.publication.rasters.geotiff import NODATA, Band, to_classes, to_raster, write_cog
from rtm_pipeline.surface.tiers import TIERS

TAGS = ("RUN_ID", "MODEL_VERSION", "OUTCOME_WINDOW", "FACTORS_KNOWN_AT", "CELL_SIZE_M", "SOURCES_SHA256", "DISCLAIMER")
PUBLIC = {"risk_terrain", "risk_tier"}
RESTRICTED = PUBLIC | {
    *("forecast", "forecast_low", "forecast_high", "uncertainty", "p_top5", "forecast_tier", "change"),
    *("contributions/forecast", "contributions/risk_terrain"),
    *("factors/vacant_lots", "factors/liquor", "factors/parks"),
}


def big_grid(rows: int = 700, cols: int = 600) -> StudyGrid:
    """A grid that needs overviews; every cell but the first row is studied."""
    spec = GridSpec("EPSG:26915", 1.0, 100.0, 4000, 45000, rows, cols)
    flat = np.arange(cols, rows * cols, dtype=np.int32)
    return StudyGrid(spec, flat, np.ones(flat.size), np.zeros(flat.size, bool))


def rasters_of(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.tif"))


def test_each_edition_has_its_rasters(written) -> None:
    for folder, expected in ((written.public, PUBLIC), (written.restricted, RESTRICTED)):
        found = {path.relative_to(folder).with_suffix("").as_posix() for path in rasters_of(folder)}
        assert found == expected


def test_every_raster_is_a_valid_cog(written) -> None:
    from rio_cogeo.cogeo import cog_validate

    for path in rasters_of(written.folder):
        valid, errors, warnings = cog_validate(path, strict=True)
        assert valid, (path, errors, warnings)


def test_every_raster_says_what_it_is(written) -> None:
    for path in rasters_of(written.folder):
        with rasterio.open(path) as raster:
            tags = raster.tags()
            assert raster.crs.to_authority() == ("EPSG", "3436"), path
            assert raster.nodata == (0 if raster.dtypes[0] == "uint8" else NODATA), path
            assert all(raster.units), path
            assert all(raster.descriptions), path
            assert raster.scales == (1.0,) * raster.count, path
            assert raster.offsets == (0.0,) * raster.count, path
            assert tags["AREA_OR_POINT"] == "Area", path
            assert set(TAGS) <= set(tags), path
            assert tags["RUN_ID"] == written.content.run_id
            assert "Testville Land Bank" in tags["TIFFTAG_COPYRIGHT"], path
            assert raster.compression.value == "DEFLATE", path
            assert raster.block_shapes[0] == (512, 512), path


def test_statistics_are_those_of_the_pixels(written) -> None:
    for path in rasters_of(written.folder):
        with rasterio.open(path) as raster:
            for band in range(1, raster.count + 1):
                values, tags = raster.read(band, masked=True).compressed().astype(np.float64), raster.tags(band)
                assert float(tags["STATISTICS_MINIMUM"]) == values.min(), path
                assert float(tags["STATISTICS_MAXIMUM"]) == values.max(), path
                assert float(tags["STATISTICS_MEAN"]) == pytest.approx(values.mean(), rel=1e-12), path
                assert float(tags["STATISTICS_STDDEV"]) == pytest.approx(values.std(), rel=1e-9), path


def test_pixels_are_the_values_of_the_cells(written) -> None:
    grid, forecast = written.content.grid, written.content.forecast
    expected = {
        "forecast": forecast.expected,
        "forecast_low": forecast.low,
        "forecast_high": forecast.high,
        "uncertainty": forecast.sd / forecast.expected,
        "p_top5": forecast.p_top5,
        "risk_terrain": written.content.terrain.rrs,
        "change": forecast.expected - written.content.compared.values,
    }
    for name, values in expected.items():
        with rasterio.open(written.restricted / f"{name}.tif") as raster:
            image = raster.read(1)
        cells = image.ravel()[grid.flat]
        known = np.isfinite(values)
        assert np.array_equal(cells[known], values[known].astype(np.float32)), name
        assert (cells[~known] == NODATA).all(), name
        outside = np.delete(image.ravel(), grid.flat)
        assert outside.size
        assert (outside == NODATA).all(), name


def test_a_pixel_lies_where_its_cell_lies(tmp_path: Path) -> None:
    """Values are coordinates: a shift by half a cell, or rows upside down, would show at once."""
    grid = big_grid()
    path = tmp_path / "x.tif"
    bands = [Band(n, "m", to_raster(grid, v)) for n, v in (("x", grid.center_x_u), ("y", grid.center_y_u))]
    write_cog(path, bands, grid.spec, {})
    with rasterio.open(path) as raster:
        for x, y in ((400_050.0, 4_500_050.0), (459_950.0, 4_569_850.0), (431_250.0, 4_512_350.0)):
            assert next(raster.sample([(x, y)])).tolist() == [np.float32(x), np.float32(y)]
        assert next(raster.sample([(400_050.0, 4_569_950.0)])).tolist() == [NODATA, NODATA]
        assert (raster.bounds.left, raster.bounds.top) == (400_000.0, 4_570_000.0)


def test_overviews_average_values_and_take_the_most_frequent_class(tmp_path: Path) -> None:
    from rio_cogeo.cogeo import cog_validate

    grid = big_grid()
    classes = np.where((grid.cols // 2 + grid.rows // 2) % 2 == 0, 2, 5).astype(np.uint8)
    classes[(grid.cols % 2 == 1) & (grid.rows % 2 == 1)] = 1  # one of four
    write_cog(
        tmp_path / "classes.tif", [Band("t", "tier", to_classes(grid, classes))], grid.spec, {}, palette={1: (1, 2, 3)}
    )
    write_cog(tmp_path / "values.tif", [Band("v", "1", to_raster(grid, classes.astype(float)))], grid.spec, {})
    with rasterio.open(tmp_path / "classes.tif") as raster:
        assert raster.overviews(1) == [2]
        small = raster.read(1, out_shape=(350, 300))
        assert set(np.unique(small[1:])) <= {2, 5}, "a mean of classes is no class"
    with rasterio.open(tmp_path / "values.tif") as raster:
        small = raster.read(1, out_shape=(350, 300))
        block = raster.read(1)[10:12, 10:12]
        assert small[5, 5] == pytest.approx(block.mean())
        assert small[0, 0] == pytest.approx(raster.read(1)[1, :2].mean()), "nodata must not enter an average"
    for name in ("classes.tif", "values.tif"):
        assert cog_validate(tmp_path / name, strict=True)[0]


def test_a_tier_raster_has_the_palette_of_the_tiers(written) -> None:
    for path in (written.public / "risk_tier.tif", written.restricted / "forecast_tier.tif"):
        with rasterio.open(path) as raster:
            assert raster.dtypes == ("uint8",)
            assert raster.colorinterp == (ColorInterp.palette,)
            colors = raster.colormap(1)
            tiers = raster.read(1).ravel()[written.content.grid.flat]
        for tier in TIERS:
            assert "#{:02x}{:02x}{:02x}".format(*colors[tier.number][:3]) == tier.color
        name = "risk_terrain" if path.name == "risk_tier.tif" else "forecast"
        assert np.array_equal(tiers, written.content.tiers[name])


def test_contributions_multiply_to_what_they_explain(written) -> None:
    for name in ("forecast", "risk_terrain"):
        with rasterio.open(written.restricted / "contributions" / f"{name}.tif") as raster:
            parts = raster.read(masked=True).astype(np.float64)
            names = raster.descriptions
        with rasterio.open(written.restricted / f"{name}.tif") as raster:
            whole = raster.read(1, masked=True)
        assert np.ma.allclose(parts.prod(axis=0), whole, rtol=1e-5)
        assert len(set(names)) == len(names)


def test_a_factor_raster_has_distance_and_the_selected_density(written) -> None:
    """The model selected a density of vacant lots and a proximity of liquor outlets."""
    grid = written.content.grid
    with rasterio.open(written.restricted / "factors" / "vacant_lots.tif") as raster:
        assert raster.count == 2
        assert raster.units == ("US survey foot", "per km2")
        density = raster.read(2).ravel()[grid.flat]
    assert np.array_equal(density, written.content.factors["vacant_lots"].intensity(500.0))
    with rasterio.open(written.restricted / "factors" / "liquor.tif") as raster:
        assert raster.count == 1
        distance = raster.read(1).ravel()[grid.flat]
    assert np.array_equal(distance, written.content.factors["liquor"].distance_u)


def test_all_densities_on_request(content: ReleaseContent, tmp_path: Path) -> None:
    import dataclasses

    from rtm_pipeline.publication.rasters.explanations import explanations_of

    asked = dataclasses.replace(content, all_factor_bands=True)
    found = {item.path: len(item.names) for item in explanations_of(asked)}
    assert found["factors/vacant_lots.tif"] == 3


def test_bytes_are_the_same_from_run_to_run(content: ReleaseContent, tmp_path: Path) -> None:
    from rtm_pipeline.publication.rasters.surfaces import surfaces_of, write_surface

    digests = []
    for attempt in ("a", "b"):
        (tmp_path / attempt).mkdir()
        for surface in surfaces_of(content, "restricted"):
            write_surface(content, surface, tmp_path / attempt)
        files = sorted((tmp_path / attempt).iterdir())
        digests.append({path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files})
    assert digests[0] == digests[1]


def test_a_raster_that_does_not_fit_is_refused(content: ReleaseContent, tmp_path: Path) -> None:
    spec = content.grid.spec
    with pytest.raises(PublishError, match="one value a cell"):
        to_raster(content.grid, np.ones(3))
    with pytest.raises(PublishError, match="its grid is"):
        write_cog(tmp_path / "x.tif", [Band("b", "1", np.ones((2, 2), np.float32))], spec, {})
    image = np.ones((spec.n_rows, spec.n_cols))
    with pytest.raises(PublishError, match="one type"):
        write_cog(tmp_path / "x.tif", [Band("b", "1", image.astype(t)) for t in ("float32", "uint8")], spec, {})
    with pytest.raises(PublishError, match="could not write"):
        write_cog(tmp_path / "no" / "x.tif", [Band("b", "1", image.astype("float32"))], spec, {})


def test_attribute_tables_name_and_count_the_classes(written) -> None:
    import pyogrio

    path = written.public / "risk_tier.tif"
    table = pyogrio.read_dataframe(path.with_name("risk_tier.tif.vat.dbf"))
    tiers = written.content.tiers["risk_terrain"]
    assert table["VALUE"].tolist() == [tier.number for tier in TIERS]
    assert table["COUNT"].tolist() == [int((tiers == tier.number).sum()) for tier in TIERS]
    assert table["LABEL"].tolist() == [tier.label for tier in TIERS]
    aux = path.with_name("risk_tier.tif.aux.xml").read_text()
    for tier in TIERS:
        assert f"<Category>{tier.label}</Category>" in aux
    for name in ("forecast.tif", "uncertainty.tif"):
        assert not (written.restricted / f"{name}.vat.dbf").exists(), "values have no classes of their own"
