"""A small city and helpers to read a layer out of a handful of rows."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
import shapely

from rtm_pipeline.layers.build import build_layer
from rtm_pipeline.layers.frame import Frame
from rtm_pipeline.layers.layer import LayerResult
from rtm_pipeline.layers.spec import GeometrySpec, LayerSpec

FETCHED_AT = datetime(2020, 6, 15, 12, tzinfo=UTC)


@pytest.fixture(scope="session")
def trial_data() -> Path:
    default = Path(__file__).resolve().parents[4] / "shared" / "data"
    path = Path(os.environ.get("RTM_TRIAL_DATA", default))
    if not path.is_dir():
        pytest.skip(f"the trial data are not at {path}; set RTM_TRIAL_DATA")
    return path


@pytest.fixture
def frame() -> Frame:
    """A square of 10 km in UTC-5/6, meters, with a buffer of 500 m; farther than 20 km is implausible."""
    return Frame("EPSG:26915", 1.0, shapely.box(355000, 4320000, 365000, 4330000), 500.0, 20000.0, "America/Chicago")


@pytest.fixture
def snapshot() -> Callable[..., pa.Table]:
    """Columns of text -> a table as the sources room gives it."""

    def make(
        columns: Mapping[str, Sequence[str | None]],
        *,
        malformed: Sequence[int] = (),
        geometry: Sequence[bytes | None] | None = None,
    ) -> pa.Table:
        n = len(next(iter(columns.values()))) if columns else len(geometry or ())
        data = {name: pa.array(list(values), pa.string()) for name, values in columns.items()}
        data["_file"] = pa.array([0] * n, pa.int32())
        data["_row"] = pa.array(range(1, n + 1), pa.int64())
        data["_malformed"] = pa.array([row in malformed for row in range(n)], pa.bool_())
        if geometry is not None:
            data["geometry"] = pa.array(list(geometry), pa.binary())
        return pa.table(data)

    return make


@pytest.fixture
def site() -> Callable[..., LayerSpec]:
    """A layer of sites with plain x and y in the city's CRS, and whatever a test adds."""

    def make(**more: object) -> LayerSpec:
        settings: dict[str, object] = {
            "name": "things",
            "source": "somewhere",
            "kind": "sites",
            "geometry": GeometrySpec("xy", ("x", "y"), "EPSG:26915"),
            "may_be_empty": True,
        }
        return LayerSpec(**(settings | more))  # type: ignore[arg-type]

    return make


@pytest.fixture
def read(frame: Frame) -> Callable[..., LayerResult]:
    def run(spec: LayerSpec, table: pa.Table, *, source_crs: str | None = None, **more: object) -> LayerResult:
        settings = {"fetched_at": FETCHED_AT} | more
        return build_layer(spec, table, frame, source_crs=source_crs, **settings)  # type: ignore[arg-type]

    return run
