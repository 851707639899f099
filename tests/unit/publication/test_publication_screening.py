"""The screening's path in the report: what was chosen can be read off it."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest

from rtm_pipeline.model.engine import RtmFit, fit_rtm
from rtm_pipeline.model.report import model_report
from rtm_pipeline.model.spec import BootstrapSpec, ModelSpec
from rtm_pipeline.model.table import design_from_table
from rtm_pipeline.publication.html.screening import screening_figure
from rtm_pipeline.publication.rasters.picture import curve


@pytest.fixture(scope="module")
def fit() -> RtmFit:
    rng = np.random.default_rng(3)
    columns = {f"v{i:02d}": rng.random(1500) < 0.2 for i in range(12)}
    counts = rng.poisson(0.3 * np.exp(1.0 * columns["v03"] + 0.8 * columns["v10"]))
    return fit_rtm(design_from_table(columns, counts), ModelSpec(bootstrap=BootstrapSpec(refits=0, selections=0)))


def test_the_figure_marks_the_chosen_penalty(fit: RtmFit) -> None:
    screening = fit.screening
    assert screening is not None
    figure = str(screening_figure(screening))
    assert f"chosen: {screening.kept.size}" in figure
    assert f"{screening.penalty:.3g}" in figure
    line = next(
        path for path in re.findall(r' d="(M[^"]+)"', figure) if path.count("L") == screening.penalties.size - 1
    )
    heights = [float(y) for _, y in re.findall(r"([\d.]+) ([\d.]+)", line)]
    assert heights[int(np.argmin(screening.cv_deviance))] == max(heights)  # y grows downwards, to a tenth of a pixel


def test_the_path_stands_in_the_report_of_the_model(fit: RtmFit) -> None:
    path = model_report(fit)["screening"]["path"]
    assert fit.screening is not None
    assert [step["penalty"] for step in path] == fit.screening.penalties.tolist()
    assert path[fit.screening.chosen]["n_nonzero"] == fit.screening.kept.size


def test_the_picture_is_small_enough_for_an_event_log(fit: RtmFit) -> None:
    path = fit.screening
    assert path is not None
    image = curve(path.penalties, path.cv_deviance, path.cv_se, path.chosen, "penalty", "deviance")
    assert image.startswith(b"\x89PNG")
    assert len(image) < 70_000


def test_a_path_of_no_penalty_is_drawn_without_a_warning() -> None:
    """What is left where no variable may enter; the warning would stand in a terminal, and the axis be empty."""
    zero = np.zeros(1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert curve(zero, zero + 1.0, zero, 0, "penalty", "deviance").startswith(b"\x89PNG")
