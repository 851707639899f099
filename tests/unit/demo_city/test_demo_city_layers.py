"""The pipeline's own reading of the made city, row by row, against what was planted."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from rtm_pipeline.config.load import load_config
from rtm_pipeline.layers.layer import LayerResult
from rtm_pipeline.orchestration.steps.ingest import place_of, read_layer
from rtm_pipeline.orchestration.values import Place, Rows
from rtm_pipeline.sources.files.files import read_files

REASONS = {
    # what was planted: the reason that the pipeline gives
    "missing_coordinates": "no_location",
    "zero_coordinates": "no_location",
    "missing_geometry": "no_location",
    "swapped_coordinates": "swapped_coordinates",
    "out_of_state": "implausible_location",
    "wrong_unit": "implausible_location",
    "default_geocode": "default_geocode",
    "century_back": "date_too_early",
    "future_date": "date_in_future",
    "unreadable_date": "unreadable_date",
}


@pytest.fixture(scope="module")
def read(city_dir) -> tuple[dict[str, LayerResult], Place]:
    city = load_config(city_dir.parents[1] / "configs" / "demo_city.yaml").city
    rows = {}
    for name, source in city.sources.items():
        found = read_files(source, city.columns[name], data_dir=city_dir, geometry=name in city.native_geometry)
        rows[name] = Rows(found.table, found.crs, datetime(2024, 1, 16, 6, tzinfo=UTC))
    place = place_of(city, rows)
    layers = {name: read_layer(city, name, rows[spec.source], place, None) for name, spec in city.layers.items()}
    return layers, place


def test_the_account_of_every_layer_is_what_was_planted(read, truth):
    layers, _ = read
    assert set(layers) == set(truth["layers"])
    for name, result in layers.items():
        planted, counts = truth["layers"][name], result.counts
        found = (counts.read, counts.kept, counts.filtered, counts.duplicate)
        assert found == tuple(planted[key] for key in ("read", "kept", "filtered", "duplicate")), name
        reasons: dict[str, int] = {}
        for fault, rows in planted["quarantined_by"].items():
            reasons[REASONS[fault]] = reasons.get(REASONS[fault], 0) + rows
        assert dict(counts.quarantined) == reasons, name


def test_the_grid_has_the_cells_of_the_truth(read, cells):
    grid = read[1].grid
    columns = grid.spec.west_index + grid.cols
    rows = grid.spec.south_index + grid.spec.n_rows - 1 - grid.rows
    there = cells.set_index(["column", "row"]).exposure.reindex(pd.MultiIndex.from_arrays([columns, rows]))
    assert grid.n_cells == len(cells)
    np.testing.assert_allclose(grid.exposure, there, atol=1e-8)


def test_invalid_polygons_are_repaired(read, truth):
    for name in ("vacant_parcels", "parks"):
        assert read[0][name].notes["repaired_geometries"] == truth["layers"][name]["kept_by"]["invalid_polygon"]
