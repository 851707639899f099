"""A finished night at hand, for notebooks: its values by name, and small pictures of them.

The same values that the assets stored, so a notebook shows what the release says. Nothing is computed here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.config.city import City
from rtm_pipeline.config.load import find_config, load_config
from rtm_pipeline.errors import StaleArtifactError
from rtm_pipeline.grid.spec import StudyGrid
from rtm_pipeline.layers.layer import Layer, LayerResult
from rtm_pipeline.orchestration.artifacts import ArtifactStore
from rtm_pipeline.orchestration.paths import Paths
from rtm_pipeline.orchestration.settings import Settings
from rtm_pipeline.orchestration.step import recipes
from rtm_pipeline.orchestration.steps.evaluation import EVALUATION
from rtm_pipeline.orchestration.steps.factors import NIGHTLY, VINTAGES, factor_step
from rtm_pipeline.orchestration.steps.ingest import PLACE, layer_step
from rtm_pipeline.orchestration.steps.model import TERRAIN
from rtm_pipeline.orchestration.steps.night import steps_of
from rtm_pipeline.orchestration.steps.release import RELEASE
from rtm_pipeline.orchestration.steps.surface import FORECAST
from rtm_pipeline.orchestration.values import FactorPair, RunVintages

if TYPE_CHECKING:
    from rtm_pipeline.evaluation.backtest import Backtest
    from rtm_pipeline.surface.forecast import Forecast
    from rtm_pipeline.surface.vintage import RiskTerrain

__all__ = ["Workbench", "open_city"]


@dataclass(frozen=True, slots=True)
class Workbench:
    """The values of a city's last night.

    Attributes
    ----------
    city : City
        Its settings, resolved.
    settings : Settings
    release : Path
        Folder of the release that the night made.
    """

    city: City
    settings: Settings
    release: Path
    _store: ArtifactStore

    def value(self, step: str) -> Any:
        """What a step stored, by the name of its asset, such as ``liquor_factor``."""
        return self._store.load(step).value

    @property
    def grid(self) -> StudyGrid:
        """The cells."""
        grid: StudyGrid = self.value(PLACE).grid
        return grid

    @property
    def area(self) -> Any:
        """Study area, a shapely polygon in the CRS of the grid."""
        return self.value(PLACE).area

    @property
    def vintages(self) -> RunVintages:
        """What is explained and what was known when."""
        found: RunVintages = self.value(VINTAGES)
        return found

    def read(self, layer: str) -> LayerResult:
        """A layer with the account of its rows."""
        found: LayerResult = self.value(layer_step(layer))
        return found

    def layer(self, name: str) -> Layer:
        """The rows of a layer that were kept."""
        return self.read(name).layer

    @property
    def outcome(self) -> Layer:
        """The layer that is explained."""
        return self.layer(self.city.outcome.layer)

    def factor(self, name: str) -> FactorPair:
        """A risk factor when the outcome window began (``fit``) and tonight (``apply``)."""
        pair: FactorPair = self.value(factor_step(name))[NIGHTLY]
        return pair

    @property
    def terrain(self) -> RiskTerrain:
        """The risk terrain model and its score of every cell."""
        found: RiskTerrain = self.value(TERRAIN)
        return found

    @property
    def forecast(self) -> Forecast:
        """Expected incidents and how sure they are."""
        found: Forecast = self.value(FORECAST)
        return found

    @property
    def judged(self) -> Backtest:
        """Everything as of an earlier date, scored on what came."""
        found: Backtest = self.value(EVALUATION)
        return found

    def draw(self, axes: Any, values: NDArray[Any], *, title: str = "", cmap: str = "cividis", **style: Any) -> Any:
        """Draw one value a cell and the boundary on matplotlib axes; gives back the image, for a color bar.

        Parameters
        ----------
        values : ndarray, shape (n_cells,)
            NaN stays blank.
        style : mapping
            Handed to ``imshow``, such as ``vmin`` and ``vmax``.
        """
        import shapely

        from rtm_pipeline.publication.rasters.geotiff import to_raster

        spec = self.grid.spec
        image = axes.imshow(
            to_raster(self.grid, np.asarray(values, np.float64), fill=np.nan),
            cmap=cmap,
            extent=(spec.west_u, spec.east_u, spec.south_u, spec.north_u),
            interpolation="nearest",
            **style,
        )
        for ring in shapely.get_parts(shapely.boundary(self.area)):
            axes.plot(*shapely.get_coordinates(ring).T, color="#222222", linewidth=0.8)
        axes.set_title(title, loc="left", fontsize=10)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_aspect("equal")
        return image


def open_city(
    config: str,
    *,
    data_dir: Path | str | None = None,
    output: Path | str | None = None,
    config_dir: Path | str | None = None,
    run: bool = True,
) -> Workbench:
    """The last night of a city; it is run if there is none that fits the configuration and the code.

    Parameters
    ----------
    config : str
        A name in the folder of configurations, or the path of a YAML file.
    data_dir, output, config_dir : path, optional
        As for ``rtm run``.
    run : bool
        False: refuse instead of running.

    Raises
    ------
    StaleArtifactError
        There is no such night and ``run`` is False, or the run failed.
    """
    paths = Paths.resolve(config_dir=config_dir, output=output, data_dir=data_dir)
    loaded = load_config(find_config(config, paths.config_dir))
    name = loaded.city.name
    settings = _fitting(ArtifactStore(paths.artifacts, name), loaded.settings)
    if settings is None and run:
        from rtm_pipeline.orchestration.run import run_city

        # Said plainly: a notebook that computes for a minute in silence looks broken.
        print(f"No stored night of {name} fits its configuration and this code: running it now, a minute or two.")  # noqa: T201
        report = run_city(loaded, paths)
        if not report.ok:
            told = "; ".join(f"{failure.step}: {failure.message}" for failure in report.failures)
            raise StaleArtifactError(f"The night of {name} failed: {told}")
        settings = _fitting(ArtifactStore(paths.artifacts, name), loaded.settings)
    if settings is None:
        raise StaleArtifactError(
            f"There is no finished night of {name} in {paths.output} under this configuration. Run `rtm run {config}`."
        )
    store = ArtifactStore(paths.artifacts, name)
    return Workbench(settings.city, settings, Path(store.load(RELEASE).value.path), store)


def _fitting(store: ArtifactStore, config: dict[str, Any]) -> Settings | None:
    """Settings of the stored night if it was made under this configuration and by this code."""
    from rtm_pipeline.orchestration.assets import SETTINGS

    if store.header(SETTINGS) is None:
        return None
    settings = store.load(SETTINGS).value
    header = store.header(RELEASE)
    if not isinstance(settings, Settings) or settings.config != config or header is None:
        return None
    return settings if header.recipe == recipes(steps_of(settings.city), settings)[RELEASE] else None
