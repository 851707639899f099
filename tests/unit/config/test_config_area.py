"""The study area: where files end, and every source that the grid is made of."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from support.city import DEMO_DATA, ROOT

from rtm_pipeline.config.load import load_config
from rtm_pipeline.errors import ConfigError
from rtm_pipeline.grid import with_border
from rtm_pipeline.orchestration.steps.ingest import place_of
from rtm_pipeline.orchestration.steps.night import steps_of
from rtm_pipeline.orchestration.values import Place, Rows

DEMO = ROOT / "configs" / "demo_city.yaml"


def place_with(reach: str | None) -> Place:
    from datetime import UTC, datetime

    from rtm_pipeline.orchestration.snapshots import source_rows

    city = load_config(DEMO, [f"area.reach={reach}"] if reach else []).city
    rows = {}
    for name in city.area_sources:
        read = source_rows(city, name, DEMO_DATA)
        rows[name] = Rows(read.table, read.crs, datetime.now(UTC))
    return place_of(city, rows)


def test_a_reach_that_is_no_source_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"area\.reach"):
        load_config(DEMO, ["area.reach=limitz"])


def test_files_that_end_at_the_limits_flag_the_cells_near_them() -> None:
    place = place_with("area")
    grid = with_border(place.grid, place.reach, 1500.0)
    distance = shapely.distance(
        place.area.boundary, shapely.points(np.column_stack([grid.center_x_u, grid.center_y_u]))
    )
    near = (distance < 1500.0) | ~shapely.contains_xy(place.area, grid.center_x_u, grid.center_y_u)
    clear = np.abs(distance - 1500.0) > 5.0  # a buffer's round corners are polygons
    assert 0 < np.count_nonzero(near) < near.size
    np.testing.assert_array_equal(grid.border[clear], near[clear])


def test_files_that_reach_beyond_flag_nothing() -> None:
    assert place_with(None).reach is None


def test_a_source_may_say_how_far_the_files_reach() -> None:
    assert place_with("limits").reach.equals(place_with("area").reach)


def test_the_release_depends_on_every_source_of_the_grid_and_the_layers() -> None:
    city = load_config(DEMO, []).city
    assert {"limits", "water", "airfield", *(spec.source for spec in city.layers.values())} == set(city.used_sources)
    assert {f"{source}_snapshot" for source in city.used_sources} <= set(steps_of(city)["release"].inputs)
