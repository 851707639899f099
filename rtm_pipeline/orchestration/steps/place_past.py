"""What happened at a place before: counts by window, from the outcome layer that a release was made from."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from rtm_pipeline.config.load import city_of
from rtm_pipeline.errors import RtmError
from rtm_pipeline.orchestration.artifacts import ArtifactStore
from rtm_pipeline.orchestration.paths import Paths
from rtm_pipeline.orchestration.settings import Settings
from rtm_pipeline.orchestration.step import recipes
from rtm_pipeline.orchestration.steps.ingest import layer_step
from rtm_pipeline.orchestration.steps.night import steps_of
from rtm_pipeline.publication.lookup.place_rating import PlaceRating
from rtm_pipeline.publication.release.reading import ReleaseFolder
from rtm_pipeline.units import Window

if TYPE_CHECKING:
    from rtm_pipeline.config.city import City
    from rtm_pipeline.grid.spec import StudyGrid
    from rtm_pipeline.layers.layer import Layer

__all__ = ["PlacePast", "past_json", "past_of"]

MOST_WINDOWS = 5
# What reading a value of another version may end in.
_OTHER_CODE = (AttributeError, ImportError, TypeError, ValueError, pickle.UnpicklingError)


@dataclass(frozen=True, slots=True)
class PlacePast:
    """Incidents by window, the latest first.

    Attributes
    ----------
    unit : str
        incident or offence.
    windows : tuple of str
        Half-open, as ``[2023-01-01, 2024-01-01)``.
    here, nearby : tuple of int
        In the cell, and within ``nearby_m`` of its center (the cell included).
    nearby_m : float
    """

    unit: str
    windows: tuple[str, ...]
    here: tuple[int, ...]
    nearby: tuple[int, ...]
    nearby_m: float


def past_of(release: ReleaseFolder, rating: PlaceRating, paths: Paths) -> PlacePast | str:
    """Counts at a rated place as they were known when the release was made; else the reason why they are not told.

    The release itself carries no past counts. They are taken from the stored outcome layer, if it was made as that of
    the release was: under the same settings, by the code that made the release (an upgrade since changes nothing in
    what lies there).
    """
    manifest = release.facts("manifest.json")
    try:
        settings = Settings(dict(manifest["settings"]), date.fromisoformat(str(manifest["as_of"])))
        city = city_of(settings.config)
        name = layer_step(city.outcome.layer)
        store = ArtifactStore(paths.artifacts, city.name)
        header = store.header(name)
        again = f"`rtm run {city.name} --from-run {release.run_id}` brings them back"
        if header is None:
            return f"the rows of the outcome are not stored here; {again}"
        if header.recipe != recipes(steps_of(city), settings, str(manifest["code_digest"]))[name]:
            return f"a run with other settings or another version has replaced the stored rows of the outcome; {again}"
        return _counted(store.load(name).value.layer, release.grid(), rating, city, settings.as_of)
    except (RtmError, KeyError, OSError, *_OTHER_CODE) as error:
        return f"the stored rows of the outcome can't be read ({error})"


def _counted(layer: Layer, grid: StudyGrid, rating: PlaceRating, city: City, as_of: date) -> PlacePast:
    """Counts window by window, the latest first."""
    from rtm_pipeline.surface.vintage import outcome_counts

    near = np.hypot(grid.center_x_u - rating.x_u, grid.center_y_u - rating.y_u) <= city.area.buffer_u
    cell = int(np.argmin(np.hypot(grid.center_x_u - rating.x_u, grid.center_y_u - rating.y_u)))
    first = np.nanmin(layer.time) if len(layer) else np.datetime64("NaT")
    windows: list[str] = []
    here: list[int] = []
    nearby: list[int] = []
    end = as_of
    while len(windows) < MOST_WINDOWS and not np.isnat(first) and np.datetime64(end) > first:
        window = Window(city.outcome.window.before(end), end)
        counts = outcome_counts(layer, grid, window, city.outcome.unit, known_at=as_of)
        windows.append(str(window))
        here.append(int(counts[cell]))
        nearby.append(int(counts[near].sum()))
        end = window.start
    return PlacePast(
        city.outcome.unit, tuple(windows), tuple(here), tuple(nearby), city.area.buffer_u * city.area.unit_m
    )


def past_json(past: PlacePast | str) -> Mapping[str, object]:
    """Plain values; ``reason`` where there is nothing to tell."""
    if isinstance(past, str):
        return {"reason": past}
    return {
        "unit": past.unit,
        "nearby_m": past.nearby_m,
        "windows": [
            {"window": window, "here": here, "nearby": nearby}
            for window, here, nearby in zip(past.windows, past.here, past.nearby, strict=True)
        ],
    }
