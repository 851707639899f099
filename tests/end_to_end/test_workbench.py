"""What a notebook reads is what the release says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from support.small_city import OxbowNight

from rtm_pipeline.errors import StaleArtifactError
from rtm_pipeline.orchestration.studies.workbench import open_city


def test_its_values_are_those_of_the_release(oxbow_night: OxbowNight) -> None:
    bench = open_city(
        "oxbow",
        data_dir=oxbow_night.city.folder,
        output=oxbow_night.output,
        config_dir=oxbow_night.configs,
        run=False,
    )
    assert bench.release == oxbow_night.release
    assert bench.read("violence").counts.kept == oxbow_night.city.incidents
    for name, values in (("risk_terrain", bench.terrain.rrs), ("forecast", bench.forecast.expected)):
        with rasterio.open(oxbow_night.release / "restricted" / f"{name}.tif") as raster:
            image = raster.read(1).ravel()[bench.grid.flat]
        np.testing.assert_array_equal(image, values.astype(np.float32))
    assert bench.factor("taverns").apply is not None
    assert bench.judged.accuracy.horizon == bench.vintages.judged


def test_another_configuration_is_not_answered_with_this_night(oxbow_night: OxbowNight, tmp_path: Path) -> None:
    config = tmp_path / "oxbow.yaml"
    config.write_text((oxbow_night.configs / "oxbow.yaml").read_text().replace("cell_size: 100 m", "cell_size: 200 m"))
    with pytest.raises(StaleArtifactError, match="rtm run"):
        open_city(str(config), data_dir=oxbow_night.city.folder, output=oxbow_night.output, run=False)
