"""An earlier release that was current is asked whether its flags fed back into the record."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import rasterio
from fakes.release import AS_OF

from rtm_pipeline.grid.locate import to_raster
from rtm_pipeline.layers.layer import LayerResult
from rtm_pipeline.orchestration.steps.feedback_since import flagging_release, with_feedback
from rtm_pipeline.publication.content import ReleaseContent
from rtm_pipeline.publication.rasters.geotiff import NODATA
from rtm_pipeline.publication.release.store import Promoted, write_json

LATER = date(2024, 12, 31)


def test_the_oldest_release_of_the_last_year_is_asked():
    items = [
        Promoted("old", date(2022, 1, 1)),
        Promoted("first", date(2024, 3, 1)),
        Promoted("second", date(2024, 6, 1)),
        Promoted("new", date(2024, 12, 20)),
    ]
    assert flagging_release(items, LATER) == items[1]
    assert flagging_release(items[3:], LATER) is None
    assert flagging_release([], LATER) is None


@pytest.fixture
def folder(content: ReleaseContent, tmp_path: Path) -> Path:
    """A folder of releases with as much of one as is read: manifest and forecast."""
    release = tmp_path / content.run_id
    (release / "restricted").mkdir(parents=True)
    write_json(release / "manifest.json", {"run_id": content.run_id, "as_of": AS_OF.isoformat()})
    assert content.forecast is not None
    spec = content.grid.spec
    with rasterio.open(
        release / "restricted" / "forecast.tif",
        "w",
        driver="GTiff",
        height=spec.n_rows,
        width=spec.n_cols,
        count=1,
        dtype="float32",
        crs=spec.crs,
        transform=rasterio.Affine(spec.cell_size_u, 0, spec.west_u, 0, -spec.cell_size_u, spec.north_u),
        nodata=NODATA,
    ) as raster:
        raster.write(to_raster(content.grid, content.forecast.expected, NODATA).astype(np.float32), 1)
    return tmp_path


def told(content: ReleaseContent, folder: Path, run_id: str, loop: float) -> ReleaseContent:
    """What is said a year later, if flagged cells record ``1 + loop`` times what was expected."""
    rng = np.random.default_rng(0)
    assert content.forecast is not None
    expected = content.forecast.expected * (4000 / content.forecast.expected.sum())
    line = np.sort(expected)[::-1][round(0.05 * expected.size) - 1]
    cells = np.repeat(np.arange(expected.size), rng.poisson(expected * np.where(expected >= line, 1 + loop, 1.0)))
    base = content.layers["violence"].layer
    n = cells.size
    time = np.full(n, np.datetime64("2024-06-01"), "datetime64[s]")
    layer = replace(
        base,
        x=content.grid.center_x_u[cells],
        y=content.grid.center_y_u[cells],
        geometry=None,
        time=time,
        known_at=time,
        until=np.full(n, np.datetime64("NaT"), "datetime64[s]"),
        category=np.zeros(n, np.int16),
        incident=np.arange(n),
        flags={},
        attributes=base.attributes.take(np.zeros(n, int)),
        inside=None,
        withdrawn=None,
    )
    inputs: dict[str, Any] = {"violence_layer": LayerResult(layer, content.layers["violence"].counts, base.attributes)}
    context: Any = SimpleNamespace(city=SimpleNamespace(outcome=SimpleNamespace(layer="violence")), as_of=LATER)
    return with_feedback(replace(content, accuracy={}), context, inputs, folder, Promoted(run_id, AS_OF))


def test_a_loop_is_told_and_its_absence_too(content: ReleaseContent, folder: Path):
    fed = told(content, folder, content.run_id, 2.0)
    assert fed.accuracy is not None
    assert fed.accuracy["feedback"]["detected"]
    assert "more than chance allows" in fed.findings[-1]
    calm = told(content, folder, content.run_id, 0.0)
    assert calm.accuracy is not None
    assert not calm.accuracy["feedback"]["detected"]
    assert calm.accuracy["feedback"]["since"] == AS_OF.isoformat()
    assert "no sign that being flagged draws recording" in calm.findings[-1]


def test_a_damaged_release_stops_no_night(content: ReleaseContent, folder: Path):
    assert told(content, folder, "not-there", 0.0).findings == content.findings
    assert with_feedback(content, None, {}, folder, None) is content  # type: ignore[arg-type]
